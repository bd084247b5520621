import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InvariantError } from '@booktape/market'
import { bookUrl, PRODUCTION, SANDBOX, symbolDetailsUrl, symbolsUrl, tradesUrl, v1Url, wsUrl } from './urls.ts'

for (const [url, expected] of [
  [
    v1Url(PRODUCTION.v1, 'btcusd'),
    'wss://api.gemini.com/v1/marketdata/BTCUSD?heartbeat=true&bids=true&offers=true&trades=true',
  ],
  [
    v1Url(new URL('ws://127.0.0.1:9001'), 'btcusd', {
      heartbeat: false,
      offers: false,
      topOfBook: true,
      auctions: false,
    }),
    'ws://127.0.0.1:9001/v1/marketdata/BTCUSD?heartbeat=false&bids=true&offers=false&trades=true&top_of_book=true&auctions=false',
  ],
  [
    v1Url(SANDBOX.v1, 'gemi-pres2028-vance', { bids: false, trades: false }),
    'wss://api.sandbox.gemini.com/v1/marketdata/GEMI-PRES2028-VANCE?heartbeat=true&bids=false&offers=true&trades=false',
  ],
  [wsUrl(PRODUCTION.ws), 'wss://ws.gemini.com/?snapshot=-1'],
  [wsUrl(new URL(SANDBOX.ws)), 'wss://ws.sandbox.gemini.com/?snapshot=-1'],
  [symbolsUrl(PRODUCTION.rest), 'https://api.gemini.com/v1/symbols'],
  [symbolsUrl('http://localhost:8080/'), 'http://localhost:8080/v1/symbols'],
  [symbolDetailsUrl(PRODUCTION.rest, 'BTCUSD'), 'https://api.gemini.com/v1/symbols/details/btcusd'],
  [bookUrl(PRODUCTION.rest, 'btcusd'), 'https://api.gemini.com/v1/book/btcusd?limit_bids=0&limit_asks=0'],
  [
    tradesUrl(PRODUCTION.rest, 'btcusd', { after: { tradeId: 9007199254740993n } }),
    'https://api.gemini.com/v1/trades/btcusd?since_tid=9007199254740993&limit_trades=500',
  ],
  [
    tradesUrl(PRODUCTION.rest, 'btcusd', { after: { timeMs: 1790732602153n }, limit: 10, includeBroken: true }),
    'https://api.gemini.com/v1/trades/btcusd?timestamp=1790732602153&limit_trades=10&include_breaks=true',
  ],
  [tradesUrl(PRODUCTION.rest, 'btcusd', { after: null }), 'https://api.gemini.com/v1/trades/btcusd?limit_trades=500'],
] as const) {
  test(`writes ${expected}`, () => assert.equal(url, expected))
}

test('makes no URL of what is no symbol', () => {
  assert.throws(() => v1Url(PRODUCTION.v1, '../order/events'), InvariantError)
  assert.throws(() => bookUrl(PRODUCTION.rest, 'btcusd?x=1'), InvariantError)
})

test('never asks for more than 500 trades', () => {
  assert.throws(() => tradesUrl(PRODUCTION.rest, 'btcusd', { after: null, limit: 501 }), InvariantError)
})
