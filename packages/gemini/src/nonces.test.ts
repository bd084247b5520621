import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type NonceKind, nextNonce } from './nonces.ts'

for (const [kind, last, nowMs, expected] of [
  ['monotonic', 0n, 1_790_000_000_123n, { nonce: 1_790_000_000_123n }],
  ['monotonic', 1_790_000_000_123n, 1_790_000_000_123n, { nonce: 1_790_000_000_124n }],
  ['monotonic', 1_790_000_000_123n, 1_700_000_000_000n, { nonce: 1_790_000_000_124n }],
  ['time', 0n, 1_790_000_000_999n, { nonce: 1_790_000_000n }],
  ['time', 1_790_000_000n, 1_790_000_000_999n, { nonce: 1_790_000_001n }],
  ['time', 1_790_000_009n, 1_790_000_000_000n, { nonce: 1_790_000_010n }],
  ['time', 1_790_000_010n, 1_790_000_000_250n, { waitMs: 750n }],
  ['time', 1_790_003_600n, 1_790_000_000_000n, { waitMs: 3_591_000n }],
] as const) {
  test(`after ${last}, at ${nowMs} ms, a ${kind} nonce is ${Object.entries(expected).join()}`, () => {
    assert.deepEqual(nextNonce(kind, last, nowMs), expected)
  })
}

test('whatever the clock does, nonces grow; those of kind time stay within 10 s of it', () => {
  const clock = fc.array(fc.bigInt({ min: 1_600_000_000_000n, max: 1_900_000_000_000n }), { minLength: 1 })
  fc.assert(
    fc.property(fc.constantFrom<NonceKind>('monotonic', 'time'), clock, (kind, readings) => {
      let last = 0n
      for (const nowMs of readings) {
        const next = nextNonce(kind, last, nowMs)
        if (!('nonce' in next)) continue
        assert.ok(next.nonce > last)
        if (kind === 'time') assert.ok(next.nonce - nowMs / 1_000n <= 10n)
        last = next.nonce
      }
    }),
  )
})
