import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeInstantQuote } from './decode-instant-quote.ts'

const DOCUMENTED = {
  quoteId: 1328,
  maxAgeMs: 60000,
  pair: 'BTCUSD',
  price: '6445.07',
  priceCurrency: 'USD',
  side: 'buy',
  quantity: '0.01505181',
  quantityCurrency: 'BTC',
  fee: '2.9900309233',
  feeCurrency: 'USD',
  depositFee: '0',
  depositFeeCurrency: 'USD',
  totalSpend: '100',
  totalSpendCurrency: 'USD',
}

test('the example of the documents is read to the last digit', () => {
  assert.deepEqual(decodeInstantQuote(JSON.stringify(DOCUMENTED)), { ...DOCUMENTED, quoteId: 1328n, maxAgeMs: 60000n })
})

test('an id above 2^53, and zeros at the end of an amount', () => {
  const text = JSON.stringify({ ...DOCUMENTED, fee: '2.500' }).replace('1328', '9007199254740993')
  const { quoteId, fee } = decodeInstantQuote(text)
  assert.deepEqual([quoteId, fee], [9_007_199_254_740_993n, '2.5'])
})

for (const [name, changed, expected] of [
  ['a field that is missing', { fee: undefined }, /"fee" is missing/],
  ['an amount that is a number', { price: 6445.07 }, /"price" is not digits in a string/],
  ['a price of zero', { price: '0' }, /"price" is a price of zero/],
  ['a quantity of zero, which has no price', { quantity: '0.0' }, /"quantity" is a price of zero/],
  ['an amount below zero', { fee: '-1' }, /"fee" is not plain digits/],
  ['a side of the book', { side: 'bid' }, /"side" is neither buy nor sell: "bid"/],
  ['a currency that is SQL', { feeCurrency: "USD'; --" }, /"feeCurrency" is not a name/],
  ['an age of centuries', { maxAgeMs: 9e15 }, /more than a year/],
  ['an id in a string', { quoteId: '1328' }, /"quoteId" is not an integer/],
] as const) {
  test(`${name} is no quote`, () => {
    assert.throws(() => decodeInstantQuote(JSON.stringify({ ...DOCUMENTED, ...changed })), expected)
  })
}
