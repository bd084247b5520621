import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeOrderEvents, type OrderEventsMessage } from './decode-order-events.ts'

// After the examples of the venue's documents.

const BOOKED = {
  type: 'booked',
  order_id: '109535955',
  event_id: '109535956',
  api_session: 'UI',
  symbol: 'BTCUSD',
  side: 'buy',
  order_type: 'exchange limit',
  timestamp: '1547742904',
  timestampms: 1547742904989,
  is_live: true,
  is_cancelled: false,
  is_hidden: false,
  avg_execution_price: '0.00',
  executed_amount: '0',
  remaining_amount: '1',
  original_amount: '1',
  price: '1000.00',
  socket_sequence: 13,
}
const FILL = {
  ...BOOKED,
  type: 'fill',
  event_id: '109535971',
  side: 'sell',
  is_live: false,
  executed_amount: '1',
  remaining_amount: '0',
  client_order_id: 'mine-1',
  fill: {
    trade_id: '2840141030659933',
    liquidity: 'Maker',
    price: '3592.23',
    amount: '1',
    fee: '8.980575',
    fee_currency: 'USD',
  },
  socket_sequence: 14,
}

const decode = (frame: unknown): readonly OrderEventsMessage[] => decodeOrderEvents(JSON.stringify(frame))

test('an acknowledgement has no sequence', () => {
  const ack = {
    type: 'subscription_ack',
    accountId: 5365,
    subscriptionId: 'ws-order-events-5365-b8bk32clqeb13g9tk8p0',
    symbolFilter: ['btcusd'],
    apiSessionFilter: ['UI'],
    eventTypeFilter: ['fill', 'closed'],
  }
  const subscriptionId = 'ws-order-events-5365-b8bk32clqeb13g9tk8p0'
  assert.deepEqual(decode(ack), [{ kind: 'subscription_ack', accountId: 5365n, subscriptionId }])
})

test('a heartbeat is an object with the sequence of the socket and one of its own', () => {
  const beat = {
    type: 'heartbeat',
    timestampms: 1547742998508,
    sequence: 31,
    trace_id: 'b8biknoqppr',
    socket_sequence: 37,
  }
  assert.deepEqual(decode(beat), [{ kind: 'heartbeat', sequence: 37n, eventTimeNs: 1_547_742_998_508_000_000n }])
})

test('the events of an array, each with its sequence, every amount exact', () => {
  const order = {
    orderId: 109535955n,
    clientOrderId: null,
    symbol: 'btcusd',
    orderType: 'exchange limit',
    venueTimeNs: 1_547_742_904_989_000_000n,
    isCancelled: false,
    isHidden: false,
    price: '1000',
    originalQuantity: '1',
    reason: null,
  }
  assert.deepEqual(decode([BOOKED, FILL]), [
    {
      kind: 'order',
      sequence: 13n,
      event: {
        ...order,
        type: 'booked',
        eventId: 109535956n,
        side: 'buy',
        isLive: true,
        remainingQuantity: '1',
        executedQuantity: '0',
        fill: null,
      },
    },
    {
      kind: 'order',
      sequence: 14n,
      event: {
        ...order,
        type: 'fill',
        eventId: 109535971n,
        clientOrderId: 'mine-1',
        side: 'sell',
        isLive: false,
        remainingQuantity: '0',
        executedQuantity: '1',
        fill: {
          tradeId: 2_840_141_030_659_933n,
          price: '3592.23',
          quantity: '1',
          liquidity: 'Maker',
          fee: '8.980575',
          feeCurrency: 'USD',
        },
      },
    },
  ])
})

test('what the venue leaves out is null: an active order without an event id, a market buy without amounts', () => {
  const { event_id: _, price: __, original_amount: ___, remaining_amount: ____, ...rest } = BOOKED
  const [message] = decode([{ ...rest, type: 'initial' }])
  assert.ok(message?.kind === 'order')
  const { eventId, price, originalQuantity, remainingQuantity } = message.event
  assert.deepEqual([eventId, price, originalQuantity, remainingQuantity], [null, null, null, null])
})

test('a type that is not documented keeps its place in the sequence', () => {
  assert.deepEqual(decode([{ ...BOOKED, type: 'amended' }]), [{ kind: 'other', sequence: 13n, type: 'amended' }])
})

for (const [name, changed, expected] of [
  ['an id in exponents', { order_id: '1e9' }, /"order_id" is not an id: "1e9"/],
  ['an id beyond 63 bits', { order_id: '9223372036854775808' }, /"order_id" is not an id/],
  [
    'a client order id of 501 characters',
    { client_order_id: 'x'.repeat(501) },
    /"client_order_id" has 501 characters; the limit is 500/,
  ],
  ['a client order id that is a number', { client_order_id: 7 }, /"client_order_id" is not a string/],
  ['a side of the book', { side: 'bid' }, /"side" is neither buy nor sell/],
  ['a fill without a trade', { type: 'fill' }, /"fill" is missing/],
  ['no sequence', { socket_sequence: undefined }, /"socket_sequence" is missing/],
  ['a quantity that is a float', { executed_amount: 0.5 }, /"executed_amount" is not digits in a string/],
] as const) {
  test(`${name} is not believed`, () => {
    assert.throws(() => decode([{ ...BOOKED, ...changed }]), expected)
  })
}

test('a frame that is neither an object nor an array of them', () => {
  for (const frame of [null, 'text', 7, [[]], [null]]) assert.throws(() => decode(frame), /is not a JSON object/)
  assert.deepEqual(decode([]), [])
})
