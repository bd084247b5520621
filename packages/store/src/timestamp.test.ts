import assert from 'node:assert/strict'
import { test } from 'node:test'
import { timestampText } from './timestamp.ts'

for (const [name, timeNs, expected] of [
  ['the epoch', 0n, '1970-01-01T00:00:00.000000Z'],
  ['one nanosecond, which is cut', 1n, '1970-01-01T00:00:00.000000Z'],
  ['999 nanoseconds, which are cut and not rounded', 999n, '1970-01-01T00:00:00.000000Z'],
  ['one microsecond', 1_000n, '1970-01-01T00:00:00.000001Z'],
  ['the last nanosecond of the first second', 999_999_999n, '1970-01-01T00:00:00.999999Z'],
  ['one second', 1_000_000_000n, '1970-01-01T00:00:01.000000Z'],
  ['a day of recording', 1_785_312_000_123_456_789n, '2026-07-29T08:00:00.123456Z'],
  ['the last nanosecond of a year', 1_798_761_599_999_999_999n, '2026-12-31T23:59:59.999999Z'],
  ['the first of the next', 1_798_761_600_000_000_000n, '2027-01-01T00:00:00.000000Z'],
  ['a leap day', 1_835_395_200_000_000_001n, '2028-02-29T00:00:00.000000Z'],
  ['the largest bigint', 9_223_372_036_854_775_807n, '2262-04-11T23:47:16.854775Z'],
  ['just before 1970', -1n, '1969-12-31T23:59:59.999999Z'],
  ['the smallest bigint', -9_223_372_036_854_775_808n, '1677-09-21T00:12:43.145224Z'],
] as const) {
  test(`${name}: ${timeNs} ns is ${expected}`, () => assert.equal(timestampText(timeNs), expected))
}
