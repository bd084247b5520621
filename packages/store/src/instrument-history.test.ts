import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Instrument } from '@booktape/market'
import { instrumentHistory, type Valid } from './instrument-history.ts'
import { decimal, instrument } from './writer.fixture.ts'

const A = instrument()
const B = instrument({ status: 'limit_only' })
const MINUTE_NS = 60_000_000_000n
const MINUTE_MICROS = 60_000_000n

const standing = (of: Instrument, minute: bigint): Valid => ({ instrument: of, fromMicros: minute * MINUTE_MICROS })
const seen = (of: Instrument, minute: bigint) => ({
  kind: 'instrument' as const,
  instrument: of,
  receivedTimeNs: minute * MINUTE_NS,
})

/** `A 10-11` for a row of ten to eleven minutes, `A 10-` for one that goes on. */
function described(newest: Valid[], observed: ReturnType<typeof seen>[]): string[] {
  const { added, ended } = instrumentHistory(newest, observed)
  const name = (of: Instrument) => (of.status === 'open' ? 'A' : 'B')
  return [
    ...ended.map((row) => `ends ${row.toMicros / MINUTE_MICROS}`),
    ...added.map(({ row, toMicros }) => {
      const to = toMicros === null ? '' : (toMicros / MINUTE_MICROS).toString()
      return `${name(row.instrument)} ${row.fromMicros / MINUTE_MICROS}-${to}`
    }),
  ]
}

for (const [name, newest, observed, expected] of [
  ['the first sight of a symbol begins its history', [], [seen(A, 10n)], ['A 10-']],
  ['the same again changes nothing', [standing(A, 10n)], [seen(A, 11n), seen(A, 12n)], []],
  ['a difference ends the row and begins another', [standing(A, 10n)], [seen(B, 11n)], ['ends 11', 'B 11-']],
  ['there and back is two rows', [standing(A, 10n)], [seen(B, 11n), seen(A, 12n)], ['ends 11', 'B 11-12', 'A 12-']],
  ['a line that lags rewrites nothing', [standing(A, 10n)], [seen(B, 9n)], []],
  ['two rows never begin at once', [standing(A, 10n)], [seen(B, 10n)], []],
  ['a whole history in one batch', [], [seen(A, 1n), seen(A, 2n), seen(B, 3n)], ['A 1-3', 'B 3-']],
] as const) {
  test(name, () => assert.deepEqual(described([...newest], [...observed]), expected))
}

for (const changed of [
  { baseCurrency: 'XBT' },
  { quoteCurrency: 'EUR' },
  { priceIncrement: decimal('0.1') },
  { quantityIncrement: decimal('0.1') },
  { minOrderSize: decimal('1') },
  { status: 'closed' },
  { productType: 'swap' },
  { contractType: 'linear' },
]) {
  test(`another ${Object.keys(changed)[0]} is a difference`, () => {
    assert.equal(instrumentHistory([standing(A, 10n)], [seen(instrument(changed), 11n)]).added.length, 1)
  })
}

test('symbols have histories of their own', () => {
  const eth = instrument({ symbol: 'ethusd' })
  assert.deepEqual(described([standing(A, 10n)], [seen(eth, 11n), seen(A, 12n)]), ['A 11-'])
})
