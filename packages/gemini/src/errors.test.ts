import assert from 'node:assert/strict'
import { test } from 'node:test'
import { restRemedy, wsRemedy } from './errors.ts'

for (const [code, status, expected] of [
  [-1000, 500, 'retry'],
  [-1002, 401, 'refused'],
  [-1003, 429, 'rate_limited'],
  [-1013, 400, 'refused'],
  [-1020, 400, 'refused'],
  [-2010, 400, 'refused'],
  [-9999, 400, 'refused'],
  [-9999, 429, 'rate_limited'],
  [-9999, 503, 'retry'],
  [-9999, 200, 'retry'],
] as const) {
  test(`the error ${code} with status ${status} is ${expected}`, () => assert.equal(wsRemedy(code, status), expected))
}

for (const [status, reason, expected] of [
  [400, 'InvalidSymbol', 'refused'],
  [400, 'Bad Request', 'refused'],
  [400, 'MarketNotOpen', 'retry'],
  [400, 'RateLimit', 'rate_limited'],
  [400, 'System', 'retry'],
  [400, 'constructor', 'refused'],
  [404, null, 'refused'],
  [403, null, 'refused'],
  [429, null, 'rate_limited'],
  [429, 'InvalidSymbol', 'rate_limited'],
  [500, null, 'retry'],
  [503, 'InvalidSymbol', 'retry'],
] as const) {
  test(`REST ${status} with reason ${reason} is ${expected}`, () => assert.equal(restRemedy(status, reason), expected))
}
