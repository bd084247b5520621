import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readRetryAfterMs } from './retry-after.ts'

const clock = { wallNs: () => 1_792_567_680_000_999_999n } // 2026-10-21 07:28:00 and not quite a millisecond

for (const [header, ms] of [
  ['3', 3_000],
  [' 0 ', 0],
  ['300', 300_000],
  ['301', 300_000],
  ['999999999', 300_000],
  ['9999999999', null],
  ['Wed, 21 Oct 2026 07:28:30 GMT', 30_000],
  ['Wed, 21 Oct 2026 07:00:00 GMT', 0],
  ['Thu, 22 Oct 2026 07:28:00 GMT', 300_000],
  ['Wed, 99 Oct 2026 07:28:30 GMT', null],
  ['2026-10-21T07:28:30Z', null],
  ['-1', null],
  ['1.5', null],
  ['1e3', null],
  ['soon', null],
  ['', null],
  [undefined, null],
] as const) {
  test(`a Retry-After of ${header ?? 'none'} is ${ms === null ? 'no answer' : `${ms} ms`}`, () => {
    assert.equal(readRetryAfterMs(header, clock), ms)
  })
}
