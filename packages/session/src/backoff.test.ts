import assert from 'node:assert/strict'
import { test } from 'node:test'
import { backoffMs, DIAL_BACKOFF, PARK_BACKOFF, RESYNC_BACKOFF } from './backoff.ts'

for (const [name, backoff, attempt, least, most] of [
  ['a first resync', RESYNC_BACKOFF, 1, 125, 250],
  ['a third resync', RESYNC_BACKOFF, 3, 500, 1_000],
  ['a tenth resync', RESYNC_BACKOFF, 10, 4_000, 4_000],
  ['a resync after many', RESYNC_BACKOFF, 40, 30_000, 30_000],
  ['a first dial', DIAL_BACKOFF, 1, 250, 500],
  ['a dial after three minutes', DIAL_BACKOFF, 50, 4_000, 4_000],
  ['a dial after very many', DIAL_BACKOFF, 5_000, 60_000, 60_000],
  ['a refused symbol', PARK_BACKOFF, 1, 30_000, 60_000],
  ['a symbol refused for days', PARK_BACKOFF, 50, 3_600_000, 3_600_000],
] as const) {
  test(`${name} waits ${least} to ${most} ms, whatever its name`, () => {
    for (const symbol of ['btcusd', 'ethusd', 'v1:btcusd', '']) {
      const ms = backoffMs(backoff, attempt, symbol)
      assert.ok(ms >= least && ms <= most, `${ms}`)
    }
  })
}

test('the same name and attempt wait the same, different names do not all', () => {
  const waits = ['btcusd', 'ethusd', 'solusd', 'shibusd'].map((symbol) => backoffMs(RESYNC_BACKOFF, 3, symbol))
  assert.deepEqual(
    waits,
    ['btcusd', 'ethusd', 'solusd', 'shibusd'].map((symbol) => backoffMs(RESYNC_BACKOFF, 3, symbol)),
  )
  assert.ok(new Set(waits).size > 1)
})
