import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ProtocolViolation, VenueProtocolError } from '@booktape/market'
import { readJson } from './json.ts'
import { readDepthResult, readRateLimits, readServerTime, readSubscriptions } from './results.ts'

test('reads the book of depth with its update id', () => {
  const result = readJson('{"lastUpdateId":9007199254740993,"bids":[["5.0","1"]],"asks":[["6","2.50"],["7","1"]]}')
  assert.deepEqual(readDepthResult(result), {
    lastUpdateId: 9007199254740993n,
    bids: [['5', '1']],
    asks: [
      ['6', '2.5'],
      ['7', '1'],
    ],
  })
})

test('reads the time of the venue in nanoseconds', () => {
  assert.equal(readServerTime(readJson('{"serverTime":1790732602153}')), 1790732602153000000n)
})

test('reads subscriptions, their symbols in lowercase', () => {
  assert.deepEqual(readSubscriptions(readJson('["BTCUSD@depth@100ms","ethusd@bookTicker","contractStatus"]')), [
    'btcusd@depth@100ms',
    'ethusd@bookTicker',
    'contractStatus',
  ])
})

test('reads the rate limits of conninfo', () => {
  const limits = readJson(
    '[{"rateLimitType":"REQUEST_WEIGHT","interval":"SECOND","intervalNum":10,"limit":7000,"count":33}]',
  )
  assert.deepEqual(readRateLimits(limits), [
    { type: 'REQUEST_WEIGHT', interval: 'SECOND', intervalCount: 10n, limit: 7000n, count: 33n },
  ])
})

for (const [name, read, code] of [
  ['a depth of null', () => readDepthResult(null), 'WRONG_TYPE'],
  ['a depth without asks', () => readDepthResult(readJson('{"lastUpdateId":1,"bids":[]}')), 'MISSING_FIELD'],
  ['a time in quotes', () => readServerTime(readJson('{"serverTime":"1"}')), 'WRONG_TYPE'],
  ['a time of null', () => readServerTime(null), 'WRONG_TYPE'],
  ['subscriptions of null', () => readSubscriptions(null), 'WRONG_TYPE'],
  ['a subscription that is a number', () => readSubscriptions([1n]), 'WRONG_TYPE'],
  ['a subscription of 129 characters', () => readSubscriptions([`a@${'b'.repeat(127)}`]), 'TOO_LARGE'],
  [
    'a limit without count',
    () => readRateLimits(readJson('[{"rateLimitType":"A","interval":"B","intervalNum":1,"limit":1}]')),
    'MISSING_FIELD',
  ],
] as const) {
  test(`refuses ${name}: ${code}`, () => assert.throws(read, violation(code)))
}

function violation(code: ProtocolViolation): (error: unknown) => boolean {
  return (error) => error instanceof VenueProtocolError && error.code === code
}
