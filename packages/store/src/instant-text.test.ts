import assert from 'node:assert/strict'
import { test } from 'node:test'
import { instantText } from './instant-text.ts'

for (const [seconds, text] of [
  ['1785312000.123456', '2026-07-29T08:00:00.123456Z'],
  ['-0.000001', '1969-12-31T23:59:59.999999Z'],
  ['32503680000.000000', '3000-01-01T00:00:00.000000Z'],
  ['Infinity', 'Infinity'],
] as const) {
  test(`${seconds} seconds since 1970 are ${text}`, () => assert.equal(instantText(seconds), text))
}
