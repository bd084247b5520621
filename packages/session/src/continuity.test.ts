import assert from 'node:assert/strict'
import { test } from 'node:test'
import { continuity } from './continuity.ts'

const LAST = 1764559652998238n

for (const [name, first, last, expected] of [
  ['starting where the book ends', 0n, 97n, 'next'],
  ['overlapping what the book holds', -111n, 97n, 'next'],
  ['covering one id', 0n, 1n, 'next'],
  ['ending where the book ends', -111n, 0n, 'stale'],
  ['wholly before the book', -111n, -5n, 'stale'],
  ['repeating the snapshot', 0n, 0n, 'stale'],
  ['a hole of one id', 1n, 97n, 'gap'],
  ['a hole of one id, and covering one', 1n, 1n, 'gap'],
  ['a hole of many ids', 4000n, 4001n, 'gap'],
] as const) {
  test(`an update ${name} is ${expected}`, () => {
    assert.equal(continuity(LAST, { firstUpdateId: LAST + first, lastUpdateId: LAST + last }), expected)
  })
}

// Two consecutive diffs of one symbol as Gemini sent them on 2026-09-30: not Binance's rule of last + 1.
test('real diffs overlap by the id they share', () => {
  assert.equal(
    continuity(1764559653005558n, { firstUpdateId: 1764559653005558n, lastUpdateId: 1764559653005698n }),
    'next',
  )
})
