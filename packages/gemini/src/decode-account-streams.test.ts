import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeAccountMessage } from './decode-account-streams.ts'

// After the venue's own examples and fixtures.

const NEW =
  '{"e":"orderUpdate","E":1759291847686856569,"s":"btcusd","i":73797746498585286,"c":"my-order-id","S":"BUY","o":"LIMIT","X":"NEW","p":"83000.27","q":"10","z":"10","T":1759291847686856569}'

const ORDER = {
  orderId: 73_797_746_498_585_286n,
  clientOrderId: 'my-order-id',
  symbol: 'btcusd',
  side: 'buy',
  orderType: 'LIMIT',
  status: 'NEW',
  eventTimeNs: 1_759_291_847_686_856_569n,
  price: '83000.27',
  stopPrice: null,
  originalQuantity: '10',
  remainingQuantity: '10',
  executedQuantity: null,
  fill: null,
  reason: null,
}

test('a new order, its id and time above 2^53, what is left out null', () => {
  assert.deepEqual(decodeAccountMessage(NEW), { kind: 'order_update', order: ORDER })
})

test('a fill names the trade of the market', () => {
  const text = NEW.replace('"X":"NEW"', '"X":"PARTIALLY_FILLED"').replace(
    '"z":"10"',
    '"z":"7.5","Z":"2.5","L":"82999.5","t":2840141030659933,"n":"0.622","m":true',
  )
  const order = { ...ORDER, status: 'PARTIALLY_FILLED', remainingQuantity: '7.5', executedQuantity: '2.5' }
  const fill = { tradeId: 2_840_141_030_659_933n, price: '82999.5', fee: '0.622', isMaker: true }
  assert.deepEqual(decodeAccountMessage(text), { kind: 'order_update', order: { ...order, fill } })
})

test('empty texts and a trade of zero mean that there is none', () => {
  const text = NEW.replace('"c":"my-order-id"', '"c":"","P":"","r":"","t":0')
  assert.deepEqual(decodeAccountMessage(text), { kind: 'order_update', order: { ...ORDER, clientOrderId: null } })
})

test('the first frame of a subscription lists the active orders', () => {
  const order = NEW.replace('"e":"orderUpdate","E":1759291847686856569,', '')
  assert.deepEqual(decodeAccountMessage(`{"e":"orderSnapshot","orders":[${order}]}`), {
    kind: 'order_snapshot',
    orders: [{ ...ORDER, eventTimeNs: null }],
  })
  assert.deepEqual(decodeAccountMessage('{"e":"orderSnapshot","orders":[]}'), { kind: 'order_snapshot', orders: [] })
})

test('balances, free and current', () => {
  const text =
    '{"e":"balanceUpdate","E":1759291847686856569,"u":1759291847686856570,"B":[{"a":"USD","f":"99966.89","c":"100000.00"}]}'
  assert.deepEqual(decodeAccountMessage(text), {
    kind: 'balance_update',
    eventTimeNs: 1_759_291_847_686_856_569n,
    updatedTimeNs: 1_759_291_847_686_856_570n,
    balances: [{ asset: 'USD', free: '99966.89', current: '100000' }],
  })
})

for (const [name, from, to, expected] of [
  ['a state that is not documented', '"X":"NEW"', '"X":"LOST"', /"X" is no state of an order: "LOST"/],
  ['a side in lowercase', '"S":"BUY"', '"S":"buy"', /"S" is neither BUY nor SELL/],
  ['an order without an id', '"i":73797746498585286,', '', /"i" is missing/],
  ['a price that is a number', '"p":"83000.27"', '"p":83000.27', /"p" is not digits in a string/],
  ['a fill without its price', '"z":"10"', '"z":"9","t":5', /"L" is missing/],
] as const) {
  test(`${name} is not believed`, () => {
    assert.throws(() => decodeAccountMessage(NEW.replace(from, to)), expected)
  })
}

test('everything else is no message of an account', () => {
  for (const text of ['{"id":1,"status":200}', '{"e":"depthUpdate"}', '{"e":7}']) {
    assert.equal(decodeAccountMessage(text), null)
  }
  assert.throws(() => decodeAccountMessage('[]'), /is not a JSON object/)
})
