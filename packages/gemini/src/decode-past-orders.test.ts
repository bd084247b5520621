import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VenueProtocolError } from '@booktape/market'
import { decodePastFills, decodePastOrders } from './decode-past-orders.ts'

// Shapes as the venue's documents and clients show them.
const ORDER = {
  order_id: '179528917023246932',
  id: '179528917023246932',
  symbol: 'btcusd',
  exchange: 'gemini',
  price: '83000.50',
  avg_execution_price: '83000.50',
  side: 'buy',
  type: 'exchange limit',
  options: [],
  timestamp: '1785312000',
  timestampms: 1_785_312_000_123,
  is_live: false,
  is_cancelled: false,
  is_hidden: false,
  was_forced: false,
  executed_amount: '2',
  client_order_id: 'mine',
  original_amount: '2',
  remaining_amount: '0',
}
const TRADE = {
  price: '83000.50',
  amount: '0.5',
  timestamp: 1_785_312_000,
  timestampms: 1_785_312_000_123,
  type: 'Sell',
  aggressor: false,
  fee_currency: 'USD',
  fee_amount: '8.30005',
  tid: 2_840_141_030_659_933,
  order_id: '179528917023246932',
  exchange: 'gemini',
  is_auction_fill: false,
  symbol: 'BTCUSD',
  client_order_id: 'mine',
}

test('a past order is read with every digit of its id', () => {
  assert.deepEqual(decodePastOrders(JSON.stringify([ORDER])), [
    {
      orderId: 179_528_917_023_246_932n,
      clientOrderId: 'mine',
      symbol: 'btcusd',
      side: 'buy',
      orderType: 'exchange limit',
      submittedTimeNs: 1_785_312_000_123_000_000n,
      ending: 'filled',
      price: '83000.5',
      originalQuantity: '2',
      remainingQuantity: '0',
      executedQuantity: '2',
    },
  ])
})

for (const [ending, changed] of [
  ['cancelled', { is_cancelled: true, remaining_amount: '1.5' }],
  ['open', { is_live: true, remaining_amount: '1.5' }],
  ['closed', { remaining_amount: '1.5' }],
] as const) {
  test(`an order is ${ending}`, () => {
    assert.equal(decodePastOrders(JSON.stringify([{ ...ORDER, ...changed }]))[0]?.ending, ending)
  })
}

test('an order at the market has no price, and one of a program that gives none no client order id', () => {
  const { price: _price, client_order_id: _id, ...bare } = ORDER
  const [order] = decodePastOrders(JSON.stringify([bare]))
  assert.deepEqual([order?.price, order?.clientOrderId], [null, null])
})

test('a past fill is read', () => {
  assert.deepEqual(decodePastFills(JSON.stringify([TRADE])), [
    {
      orderId: 179_528_917_023_246_932n,
      tradeId: 2_840_141_030_659_933n,
      clientOrderId: 'mine',
      symbol: 'btcusd',
      side: 'sell',
      price: '83000.5',
      quantity: '0.5',
      fee: '8.30005',
      feeCurrency: 'USD',
      isTaker: false,
      venueTimeNs: 1_785_312_000_123_000_000n,
    },
  ])
})

for (const [name, read] of [
  ['an object', () => decodePastOrders('{}')],
  ['an order without an id', () => decodePastOrders('[{}]')],
  ['a trade of no side', () => decodePastFills(JSON.stringify([{ ...TRADE, type: 'Swap' }]))],
  ['a trade of nothing', () => decodePastFills(JSON.stringify([{ ...TRADE, price: '0' }]))],
] as const) {
  test(`${name} is refused`, () => assert.throws(read, VenueProtocolError))
}
