import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import type { Frame } from '@booktape/venue'
import type { ApiKey } from './api-keys.ts'
import { Exchange } from './exchange.ts'
import { presetOf } from './symbols.ts'

// The scripted trader and what both private feeds say of it, in virtual time.

const START_NS = 1_790_732_600_000_000_000n
const NS_PER_S = 1_000_000_000n
const KEYS: readonly ApiKey[] = [
  { key: 'account-trader', secret: 'one', roles: ['Trader'], nonces: 'time' },
  { key: 'account-funds', secret: 'two', roles: ['FundManager'], nonces: 'time' },
]

function exchange(): Exchange {
  const symbols = ['btcusd', 'ethusd'].map((symbol) => presetOf(symbol)).filter((spec) => spec !== null)
  return new Exchange({ seed: 6, symbols, startNs: START_NS, rate: 5, keys: KEYS })
}

let nonce = START_NS / NS_PER_S

function signed(text: string, key: string, secret: string): Record<string, string> {
  const payload = Buffer.from(text).toString('base64')
  const signature = createHmac('sha384', secret).update(payload).digest('hex')
  return { 'x-gemini-apikey': key, 'x-gemini-payload': payload, 'x-gemini-signature': signature }
}

function v1Headers(key = 'account-trader', secret = 'one'): Record<string, string> {
  return signed(JSON.stringify({ request: '/v1/order/events', nonce: Number(++nonce) }), key, secret)
}

function wsHeaders(): Record<string, string> {
  const text = String(++nonce)
  return { ...signed(text, 'account-trader', 'one'), 'x-gemini-nonce': text }
}

const HEARTBEAT = new URLSearchParams({ heartbeat: 'true' })

function listen(made: Exchange) {
  const v1 = made.connectOrderEvents(HEARTBEAT, v1Headers())
  const ws = made.connectWs(new URLSearchParams(), wsHeaders())
  assert.ok(!('status' in v1) && !('status' in ws))
  ws.receive('{"id":1,"method":"subscribe","params":["orders@account","balances@account"]}')
  return { v1, ws }
}

function runScript(orders: number): Exchange & ReturnType<typeof listen> & { frames: { v1: string[]; ws: string[] } } {
  const made = exchange()
  const { v1, ws } = listen(made)
  const frames = { v1: texts(v1.takeFrames()), ws: texts(ws.takeFrames()) }
  made.trade({ orders, perSecond: 50 })
  let nowNs = START_NS
  for (let second = 0; second < 600 && made.isTrading; second++) {
    made.advanceTo((nowNs += NS_PER_S))
    frames.v1.push(...texts(v1.takeFrames()))
    frames.ws.push(...texts(ws.takeFrames()))
  }
  assert.equal(made.isTrading, false)
  return Object.assign(made, { v1, ws, frames })
}

const texts = (frames: readonly Frame[]): string[] => frames.map((frame) => String(frame))

const made = runScript(300)
const { truth } = made

test('a script does a little of everything, and every order of it is over in the end', () => {
  const states = Map.groupBy(truth.orders(), ({ state }) => state)
  assert.equal(truth.orders().length >= 290, true, 'a market without room skips an order')
  for (const state of ['filled', 'cancelled', 'rejected'] as const)
    assert.ok((states.get(state)?.length ?? 0) > 10, state)
  assert.equal(states.size, 3)
  const types = new Set(truth.orderEvents().map(({ type }) => type))
  assert.equal([...types].sort().join(), 'accepted,booked,cancel_rejected,cancelled,closed,fill,rejected')
  assert.ok(truth.fills().some(({ isMaker }) => isMaker) && truth.fills().some(({ isMaker }) => !isMaker))
  assert.ok(truth.orders().some((order) => order.state === 'cancelled' && order.executedQuantity !== '0'))
})

test('every fill is a trade of the market, with its number, price and quantity', () => {
  const trades = new Map(
    ['btcusd', 'ethusd'].flatMap((symbol) => truth.trades(symbol)).map((trade) => [trade.tradeId, trade]),
  )
  for (const { tradeId, price, quantity, side, isMaker } of truth.fills()) {
    const trade = trades.get(tradeId)
    assert.deepEqual([trade?.price, trade?.quantity], [price, quantity])
    assert.equal(trade?.takerSide === side, !isMaker)
  }
})

test('v1 tells every event once, in one sequence, an order of the key that asks', () => {
  const messages = made.frames.v1.flatMap((text) => {
    const frame = JSON.parse(text) as object | object[]
    return (Array.isArray(frame) ? frame : [frame]) as Record<string, unknown>[]
  })
  assert.deepEqual(messages[0]?.['type'], 'subscription_ack')
  assert.deepEqual(
    messages.slice(1).map((message) => message['socket_sequence']),
    messages.slice(1).map((_, index) => index),
  )
  const events = messages.filter((message) => message['event_id'] !== undefined)
  assert.deepEqual(
    events.map((event) => [event['event_id'], event['type'], event['order_id']]),
    truth.orderEvents().map(({ eventId, type, order }) => [String(eventId), type, String(order.orderId)]),
  )
  assert.ok(events.every((event) => event['api_session'] === 'account-trader'))
})

test('the new API tells the same fills, with every digit of ids and times', () => {
  const fills = made.frames.ws.flatMap((text) => {
    const [, orderId] = /"i":(\d+)/.exec(text) ?? []
    const [, tradeId] = /"t":(\d+)/.exec(text) ?? []
    const [, quantity] = /"Z":"([^"]+)"/.exec(text) ?? []
    return tradeId === undefined ? [] : [`${orderId} ${tradeId} ${quantity}`]
  })
  assert.deepEqual(
    fills,
    truth.fills().map(({ orderId, tradeId, quantity }) => `${orderId} ${tradeId} ${quantity}`),
  )
})

test('what was paid and what was got is what the balances say', () => {
  const scale = 10n ** 30n
  const units = (text: string): bigint => {
    const [whole = '', digits = ''] = text.split('.')
    return BigInt(whole + digits.padEnd(30, '0'))
  }
  const bought = new Map<string, bigint>()
  const add = (asset: string, amount: bigint) => bought.set(asset, (bought.get(asset) ?? 0n) + amount)
  for (const { symbol, side, price, quantity, fee } of truth.fills()) {
    const sign = side === 'buy' ? 1n : -1n
    add(symbol.slice(0, 3).toUpperCase(), sign * units(quantity))
    add('USD', (-sign * (units(price) * units(quantity))) / scale - units(fee))
  }
  const last = new Map(truth.balances().map((balance) => [balance.asset, balance]))
  assert.equal([...bought.keys()].sort().join(), 'BTC,ETH,USD')
  for (const [asset, amount] of bought) {
    const exact = units('1000000000') + amount
    const { current = '', available } = last.get(asset) ?? {}
    assert.equal(current, available, 'nothing is held when every order is over')
    const told = units(current)
    assert.ok(told <= exact && exact - told < units(asset === 'USD' ? '0.01' : '0.00000001'), `${asset} ${current}`)
  }
})

/** All pages of a list, as the documents say how to read it. */
function readAll(
  path: string,
  limit: string,
  time: (row: Record<string, unknown>) => number,
): Record<string, unknown>[] {
  const found = new Map<string, Record<string, unknown>>()
  for (let timestamp = 0, isFull = true; isFull; ) {
    const payload = JSON.stringify({ request: path, nonce: Number(++nonce), timestamp, [limit]: 40 })
    const { status, body } = made.privateRest(path, signed(payload, 'account-trader', 'one'))
    assert.equal(status, 200, body)
    const rows = JSON.parse(body) as Record<string, unknown>[]
    const times = rows.map(time)
    assert.deepEqual(
      times,
      times.toSorted((a, b) => b - a),
      'newest first',
    )
    for (const row of rows) found.set(JSON.stringify(row), row)
    isFull = rows.length === 40
    const newest = Math.max(timestamp, ...times)
    timestamp = newest > timestamp ? newest : timestamp + 1
  }
  return [...found.values()]
}

test('REST lists every order that is over, and every fill', () => {
  made.advanceTo(made.nowNs + NS_PER_S)
  nonce = made.nowNs / NS_PER_S - 3n
  const time = (row: Record<string, unknown>): number => Number(row['timestampms'])
  const orders = readAll('/v1/orders/history', 'limit_orders', time)
  assert.deepEqual(
    orders.map((row) => `${String(row['order_id'])} ${String(row['executed_amount'])}`).sort(),
    truth
      .orders()
      .filter(({ state }) => state !== 'rejected')
      .map(({ orderId, executedQuantity }) => `${orderId} ${executedQuantity}`)
      .sort(),
  )
  const fills = readAll('/v1/mytrades', 'limit_trades', time)
  assert.deepEqual(
    fills.map((row) => `${String(row['order_id'])} ${String(row['amount'])} ${String(row['aggressor'])}`).sort(),
    truth
      .fills()
      .map(({ orderId, quantity, isMaker }) => `${orderId} ${quantity} ${!isMaker}`)
      .sort(),
  )
  assert.equal(truth.privateCounts().executions, 0)
})

test('whoever comes later is told the orders that are open', () => {
  const late = exchange()
  late.trade({ orders: 200, perSecond: 50 })
  late.advanceTo(START_NS + 2n * NS_PER_S)
  const open = late.truth.orders().filter(({ isLive }) => isLive)
  assert.ok(open.length > 0)
  const { v1, ws } = listen(late)
  const [, initial = '[]'] = texts(v1.takeFrames())
  const told = (JSON.parse(initial) as { type: string; order_id: string }[]).map((each) => [each.type, each.order_id])
  assert.deepEqual(
    told,
    open.map(({ orderId }) => ['initial', String(orderId)]),
  )
  const snapshot = texts(ws.takeFrames()).find((text) => text.startsWith('{"e":"orderSnapshot"')) ?? ''
  assert.deepEqual(
    [...snapshot.matchAll(/"i":(\d+)/g)].map(([, id]) => id),
    open.map(({ orderId }) => String(orderId)),
  )
})

test('the same seed gives the same account, byte for byte', () => {
  nonce = START_NS / NS_PER_S
  assert.deepEqual(
    runScript(60).frames,
    (() => {
      nonce = START_NS / NS_PER_S
      return runScript(60).frames
    })(),
  )
})

test('the market closes with orders of ours in it: they are cancelled', () => {
  const closed = exchange()
  const { v1 } = listen(closed)
  closed.trade({ orders: 100, perSecond: 50 })
  closed.advanceTo(START_NS + NS_PER_S)
  for (const symbol of ['btcusd', 'ethusd']) closed.faults.inject({ fault: 'empty_book', symbol })
  assert.deepEqual(
    closed.truth.orders().filter(({ isLive }) => isLive),
    [],
  )
  assert.match(texts(v1.takeFrames()).join(), /"reason":"MarketClosed"/)
})

test('a key without a role, and a connection without a key, hear nothing of the account', () => {
  const refused = exchange()
  const answer = refused.connectOrderEvents(HEARTBEAT, v1Headers('account-funds', 'two'))
  assert.ok('status' in answer && answer.status === 403)
  const ws = refused.connectWs(new URLSearchParams())
  assert.ok(!('status' in ws))
  ws.receive('{"id":1,"method":"subscribe","params":["orders@account"]}')
  assert.deepEqual(texts(ws.takeFrames()), [
    '{"id":1,"status":401,"error":{"code":-1002,"msg":"Authentication required"}}',
  ])
})
