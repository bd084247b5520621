import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { canonicalSymbol } from './symbols.ts'

for (const [text, expected] of [
  ['btcusd', 'btcusd'],
  ['BTCUSD', 'btcusd'],
  ['BtcGusdPerp', 'btcgusdperp'],
  ['2zusd', '2zusd'],
  ['GEMI-PRES2028-VANCE', 'gemi-pres2028-vance'],
  ['gemi-btc05m2606011000-up', 'gemi-btc05m2606011000-up'],
  ['a'.repeat(32), 'a'.repeat(32)],
  ['a'.repeat(33), null],
  [`gemi-${'a'.repeat(59)}`, `gemi-${'a'.repeat(59)}`],
  [`gemi-${'a'.repeat(60)}`, null],
  ['', null],
  ['b', null],
  ['*', null],
  ['gemi-', null],
  ['other-a', null],
  ['btc/usd', null],
  ['btc-usd', null],
  ['btc_usd', null],
  ['btcusd ', null],
  ['btcusd\n', null],
  ['btcusd@depth', null],
  ['../../etc/passwd', null],
  ["btcusd'; DROP TABLE market.trades; --", null],
  ['btcusd" or "1"="1', null],
  ['$1', null],
  ['btcusd\u0000', null],
  ['btcu\u017fd', null], // long s, uppercase S
  ['bt\u212ausd', null], // Kelvin sign, lowercase k
  ['١٢٣', null],
  ['__proto__', null],
] as const) {
  test(`${JSON.stringify(text)} is ${expected === null ? 'no symbol' : expected}`, () => {
    assert.equal(canonicalSymbol(text), expected)
  })
}

test('of 100,000 hostile texts, what is accepted has only lowercase letters, digits and the hyphens of gemi-', () => {
  const letters = fc.constantFrom(
    'a',
    'Z',
    '0',
    '-',
    'gemi-',
    'GEMI-',
    "'",
    '"',
    ';',
    '%',
    '\u0000',
    'é',
    ' ',
    '$',
    '\\',
  )
  let accepted = 0
  fc.assert(
    fc.property(fc.array(letters, { maxLength: 8 }), (parts) => {
      const symbol = canonicalSymbol(parts.join(''))
      if (symbol === null) return
      accepted++
      assert.match(symbol, /^(?:[a-z0-9]{2,32}|gemi-[a-z0-9-]{1,59})$/)
    }),
    { numRuns: 100_000 },
  )
  assert.ok(accepted > 1_000, `only ${accepted} were accepted`)
})
