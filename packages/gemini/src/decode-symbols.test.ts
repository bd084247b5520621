import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ProtocolViolation, VenueProtocolError } from '@booktape/market'
import { decodeSymbolDetails, decodeSymbols } from './decode-symbols.ts'

test('reads a list of symbols in the venue’s order', () => {
  assert.deepEqual(decodeSymbols('["ethusd","BTCUSD","btcgusdperp"]'), ['ethusd', 'btcusd', 'btcgusdperp'])
})

for (const [name, text] of [
  ['an object', '{}'],
  ['a number among them', '["btcusd",1]'],
  ['a text that is no symbol', '["btcusd","x; --"]'],
] as const) {
  test(`refuses a list of symbols with ${name}`, () =>
    assert.throws(() => decodeSymbols(text), violation('WRONG_TYPE')))
}

test('reads symbol details: tick_size is the step of the quantity, quote_increment that of the price', () => {
  assert.deepEqual(decodeSymbolDetails(details('1E-8', '0.01')), {
    symbol: 'btcusd',
    baseCurrency: 'BTC',
    quoteCurrency: 'USD',
    priceIncrement: '0.01',
    quantityIncrement: '0.00000001',
    minOrderSize: '0.00001',
    status: 'open',
    productType: 'spot',
    contractType: 'vanilla',
  })
})

for (const [spelling, expected] of [
  ['1e-8', '0.00000001'],
  ['1e-08', '0.00000001'],
  ['1E-8', '0.00000001'],
  ['0.00000001', '0.00000001'],
  ['1', '1'],
  ['1.0', '1'],
  ['5e-1', '0.5'],
  ['1e2', '100'],
] as const) {
  test(`an increment spelt ${spelling} is ${expected}`, () => {
    assert.equal(decodeSymbolDetails(details(spelling, '0.01')).quantityIncrement, expected)
  })
}

for (const [name, text, code] of [
  ['an increment of zero', details('0', '0.01'), 'UNREADABLE_NUMBER'],
  ['a negative increment', details('-1', '0.01'), 'UNREADABLE_NUMBER'],
  ['an increment below every limit', details('1e-30', '0.01'), 'UNREADABLE_NUMBER'],
  ['an increment in quotes', details('"1e-8"', '0.01'), 'WRONG_TYPE'],
  ['no price increment', details('1', '1').replace('quote_increment', 'other'), 'MISSING_FIELD'],
  ['an array', '[]', 'WRONG_TYPE'],
] as const) {
  test(`refuses symbol details with ${name}: ${code}`, () => {
    assert.throws(() => decodeSymbolDetails(text), violation(code))
  })
}

function details(tickSize: string, quoteIncrement: string): string {
  return `{"symbol":"BTCUSD","base_currency":"BTC","quote_currency":"USD","tick_size":${tickSize},"quote_increment":${quoteIncrement},"min_order_size":"0.00001","status":"open","wrap_enabled":false,"product_type":"spot","contract_type":"vanilla","contract_price_currency":"USD"}`
}

function violation(code: ProtocolViolation): (error: unknown) => boolean {
  return (error) => error instanceof VenueProtocolError && error.code === code
}
