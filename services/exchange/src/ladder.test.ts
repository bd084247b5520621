import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Ladder } from './ladder.ts'
import { Random } from './random.ts'

for (const [side, sorted] of [
  ['bid', (a: bigint, b: bigint) => (a > b ? -1 : 1)],
  ['ask', (a: bigint, b: bigint) => (a < b ? -1 : 1)],
] as const) {
  test(`5000 random changes of a ${side} side leave what a map holds, best first`, () => {
    const random = new Random(1, side)
    const ladder = new Ladder(side)
    const levels = new Map<bigint, bigint>()
    for (let i = 0; i < 5_000; i++) {
      const price = BigInt(1 + random.below(300))
      const quantity = BigInt(random.below(3))
      assert.equal(ladder.quantityOf(price), levels.get(price) ?? 0n)
      assert.equal(ladder.set(price, quantity), levels.get(price) ?? 0n)
      if (quantity === 0n) levels.delete(price)
      else levels.set(price, quantity)
    }
    const expected = [...levels].sort(([a], [b]) => sorted(a, b))
    assert.ok(expected.length > 100)
    assert.deepEqual([...ladder.levels()], expected)
    assert.equal(ladder.priceAt(0), expected[0]?.[0])
    assert.equal(ladder.priceAt(ladder.size), null)
  })
}

test('a copy goes its own way', () => {
  const ladder = new Ladder('bid')
  ladder.set(5n, 1n)
  const copy = ladder.copy()
  ladder.set(5n, 0n)
  assert.deepEqual([...copy.levels()], [[5n, 1n]])
})
