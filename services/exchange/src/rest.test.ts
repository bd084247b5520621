import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Exchange } from './exchange.ts'
import { presetOf } from './symbols.ts'

const START_NS = 1_790_732_600_000_000_000n

function exchangeAfter(seconds: bigint): Exchange {
  const symbols = ['btcusd', 'ethgusdperp', 'linketh'].map((symbol) => presetOf(symbol)).filter((spec) => spec !== null)
  const exchange = new Exchange({ seed: 6, symbols, startNs: START_NS, rate: 10 })
  exchange.advanceTo(START_NS + seconds * 1_000_000_000n)
  return exchange
}

/** Trade ids and everything else a page holds, exact. */
function page(exchange: Exchange, query: string): string[] {
  const answer = exchange.rest('GET', '/v1/trades/btcusd', new URLSearchParams(query))
  assert.equal(answer.status, 200)
  return [...answer.body.matchAll(/"tid":(\d+)/g)].map(([, id]) => id ?? '')
}

test('/v1/symbols lists lowercase names', () => {
  const answer = exchangeAfter(0n).rest('GET', '/v1/symbols', new URLSearchParams())
  assert.deepEqual([answer.status, answer.body], [200, '["btcusd","ethgusdperp","linketh"]'])
})

for (const [symbol, expected] of [
  [
    'btcusd',
    '{"symbol":"BTCUSD","quote_currency":"USD","tick_size":1e-8,"quote_increment":0.01,"min_order_size":"0.00001","status":"open","wrap_enabled":false,"product_type":"spot","contract_type":"vanilla","contract_price_currency":"USD","base_currency":"BTC"}',
  ],
  [
    'ETHGUSDPERP',
    '{"symbol":"ETHGUSDPERP","quote_currency":"GUSD","tick_size":0.001,"quote_increment":0.05,"min_order_size":"0.001","status":"open","wrap_enabled":false,"product_type":"swap","contract_type":"linear","contract_price_currency":"GUSD","base_currency":"ETH"}',
  ],
] as const) {
  test(`the details of ${symbol}`, () => {
    assert.equal(exchangeAfter(0n).rest('GET', `/v1/symbols/details/${symbol}`, new URLSearchParams()).body, expected)
  })
}

for (const [method, path, query, status, body] of [
  [
    'GET',
    '/v1/book/nosuchperp',
    '',
    400,
    '{"result":"error","reason":"Bad Request","message":"Supplied value \'NOSUCHPERP\' is not a valid symbol"}',
  ],
  [
    'GET',
    '/v1/nosuch',
    '',
    404,
    '{"result":"error","reason":"EndpointNotFound","message":"API entry point not found"}',
  ],
  [
    'GET',
    '/v1/book/btcusd/more',
    '',
    404,
    '{"result":"error","reason":"EndpointNotFound","message":"API entry point not found"}',
  ],
  [
    'POST',
    '/v1/symbols',
    '',
    404,
    '{"result":"error","reason":"EndpointNotFound","message":"API entry point not found"}',
  ],
  [
    'GET',
    '/v1/trades/btcusd',
    'since_tid=abc',
    400,
    '{"result":"error","reason":"Bad Request","message":"limit_trades and since_tid are whole numbers"}',
  ],
  [
    'GET',
    '/v1/trades/btcusd',
    'timestamp=-1',
    400,
    '{"result":"error","reason":"Bad Request","message":"timestamp is a whole number"}',
  ],
  [
    'GET',
    '/v1/book/btcusd',
    'limit_bids=1.5',
    400,
    '{"result":"error","reason":"Bad Request","message":"limit_bids and limit_asks are whole numbers"}',
  ],
] as const) {
  test(`${method} ${path}?${query} is answered with ${status}`, () => {
    const answer = exchangeAfter(0n).rest(method, path, new URLSearchParams(query))
    assert.deepEqual([answer.status, answer.body], [status, body])
  })
}

test('the book: best first, 50 a side unless told, 0 for the whole side, the true levels', () => {
  const exchange = exchangeAfter(2n)
  const book = (query: string) =>
    JSON.parse(exchange.rest('GET', '/v1/book/btcusd', new URLSearchParams(query)).body) as Record<
      'bids' | 'asks',
      { price: string; amount: string }[]
    >
  const truth = exchange.truth.bookAfter('btcusd', exchange.truth.lastUpdateId('btcusd'))
  const usual = book('')
  assert.deepEqual([usual.bids.length, usual.asks.length], [50, 50])
  const whole = book('limit_bids=0&limit_asks=3')
  assert.deepEqual(
    whole.bids.map(({ price, amount }) => [price, amount]),
    truth.bids,
  )
  assert.deepEqual(
    whole.asks.map(({ price, amount }) => [price, amount]),
    truth.asks.slice(0, 3),
  )
})

test('trades page forward: the first ones after since_tid, newest first within a page', () => {
  const exchange = exchangeAfter(60n)
  const ids = exchange.truth.trades('btcusd').map((trade) => trade.tradeId.toString())
  assert.ok(ids.length > 100, `${ids.length} trades`)
  assert.deepEqual(page(exchange, 'since_tid=0&limit_trades=10'), ids.slice(0, 10).reverse())
  assert.deepEqual(page(exchange, `since_tid=${ids[9]}&limit_trades=10`), ids.slice(10, 20).reverse())
  assert.deepEqual(page(exchange, `since_tid=${ids.at(-1)}`), [])
  assert.deepEqual(page(exchange, ''), ids.slice(-50).reverse(), 'without a start: the newest 50')
  assert.deepEqual(page(exchange, 'since_tid=0&limit_trades=0'), [])
})

test('trades after a timestamp, in seconds or in ms; since_tid beats it', () => {
  const exchange = exchangeAfter(60n)
  const trades = exchange.truth.trades('btcusd')
  const after = (instantMs: bigint): string[] =>
    trades
      .filter((trade) => trade.eventTimeNs / 1_000_000n > instantMs)
      .slice(0, 5)
      .map((trade) => trade.tradeId.toString())
      .reverse()
  assert.deepEqual(page(exchange, 'timestamp=1790732630&limit_trades=5'), after(1_790_732_630_000n))
  assert.deepEqual(page(exchange, 'timestamp=1790732630500&limit_trades=5'), after(1_790_732_630_500n))
  assert.deepEqual(page(exchange, 'since=1790732630500&limit_trades=5'), after(1_790_732_630_500n))
  assert.deepEqual(page(exchange, 'timestamp=1790732630&since_tid=0&limit_trades=1'), [trades[0]?.tradeId.toString()])
})

test('a page holds 500 trades at most', () => {
  const exchange = exchangeAfter(300n)
  assert.ok(exchange.truth.trades('btcusd').length > 500)
  assert.equal(page(exchange, 'since_tid=0&limit_trades=9999').length, 500)
})

test('a broken trade is hidden unless asked for', () => {
  const exchange = exchangeAfter(30n)
  const newest = exchange.truth.trades('btcusd').at(-1)?.tradeId ?? 0n
  assert.deepEqual(exchange.faults.inject({ fault: 'break_trade', symbol: 'btcusd' }), { armed: null, affected: 1 })
  assert.deepEqual(exchange.truth.brokenTradeIds('btcusd'), [newest])
  assert.equal(page(exchange, '').includes(newest.toString()), false)
  const { body } = exchange.rest('GET', '/v1/trades/btcusd', new URLSearchParams('include_breaks=1&limit_trades=1'))
  assert.match(
    body,
    new RegExp(`^\\[\\{"timestamp":\\d{10},"timestampms":\\d{13},"tid":${newest},.*"broken":true\\}\\]$`),
  )
})
