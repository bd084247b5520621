import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InvariantError } from '@booktape/market'
import {
  bookTickerStream,
  conninfoRequest,
  depthRequest,
  depthStream,
  listSubscriptionsRequest,
  pingRequest,
  subscribeRequest,
  timeRequest,
  tradeStream,
  unsubscribeRequest,
} from './requests.ts'

for (const [text, expected] of [
  [
    subscribeRequest('sub-1', [depthStream('btcusd'), bookTickerStream('btcusd'), tradeStream('btcusd')]),
    '{"id":"sub-1","method":"subscribe","params":["btcusd@depth@100ms","btcusd@bookTicker","btcusd@trade"]}',
  ],
  [
    unsubscribeRequest('unsub-0', ['btcgusdperp@depth@100ms']),
    '{"id":"unsub-0","method":"unsubscribe","params":["btcgusdperp@depth@100ms"]}',
  ],
  [listSubscriptionsRequest(1n), '{"id":1,"method":"list_subscriptions"}'],
  [pingRequest(9007199254740993n), '{"id":9007199254740993,"method":"ping"}'],
  [timeRequest('time'), '{"id":"time","method":"time"}'],
  [conninfoRequest('"'), '{"id":"\\"","method":"conninfo"}'],
  [depthRequest('d', 'btcusd', 5_000), '{"id":"d","method":"depth","params":{"symbol":"btcusd","limit":5000}}'],
] as const) {
  test(`writes ${expected}`, () => assert.equal(text, expected))
}

for (const limit of [0, 5_001, 1.5, Number.NaN]) {
  test(`never asks for a depth of ${limit}`, () => {
    assert.throws(() => depthRequest('d', 'btcusd', limit), InvariantError)
  })
}
