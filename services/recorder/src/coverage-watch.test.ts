import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Coverage, StoreError } from '@booktape/store'
import { coverageMarks } from './coverage-marks.ts'
import {
  COVERAGE_AGE_MS,
  COVERAGE_HURRIED_MS,
  COVERAGE_MS,
  COVERAGE_RETRY_MS,
  CoverageWatch,
} from './coverage-watch.ts'

const NOW_MS = 1_790_000_000_000
const WINDOW = { fromMs: 0, toMs: COVERAGE_MS }
const BOOK = { symbol: 'btcusd', feed: 'v1' } as const
const MINUTE_MS = 60_000

const gap = (fromMs: number, toMs: number) => ({ ...BOOK, state: 'gap', fromMs, toMs }) as const
const missed = (line: string, fromMs: number, toMs: number | null) => ({
  ...BOOK,
  line,
  cause: 'disconnect',
  fromMs,
  toMs,
})

test('gaps that cannot be told apart are one mark, with the time that was lost and who lost it why', () => {
  const marks = coverageMarks(
    [
      { ...BOOK, state: 'off', fromMs: 0, toMs: 1_000 },
      gap(1_000, 2_000),
      gap(5_000, 5_500),
      gap(10 * MINUTE_MS, 11 * MINUTE_MS),
    ],
    [missed('a', 900, 2_000), missed('a', 5_000, 5_600), missed('b', 5_100, 5_500), missed('a', 9 * MINUTE_MS, null)],
    WINDOW,
  )
  const why = 'the connection closed (disconnect)'
  assert.deepEqual(marks, [
    { state: 'off', fromMs: 0, toMs: 1_000, count: 1, lostMs: 1_000, reasons: [] },
    {
      state: 'gap',
      fromMs: 1_000,
      toMs: 5_500,
      count: 2,
      lostMs: 1_500,
      reasons: [`line a: ${why}, 2 times`, `line b: ${why}`],
    },
    {
      state: 'gap',
      fromMs: 10 * MINUTE_MS,
      toMs: 11 * MINUTE_MS,
      count: 1,
      lostMs: MINUTE_MS,
      reasons: [`line a: ${why}`],
    },
  ])
})

test('ten thousand gaps of a book make no more marks than a strip has steps', () => {
  const spans = Array.from({ length: 10_000 }, (_, i) => gap(i * 8_000, i * 8_000 + 1_000))
  const marks = coverageMarks(
    spans,
    spans.map(({ fromMs, toMs }) => missed('a', fromMs, toMs)),
    WINDOW,
  )
  assert.equal(
    marks.reduce((sum, mark) => sum + mark.count, 0),
    10_000,
  )
  assert.ok(marks.length <= 1_440)
})

/** A watch whose database answers when it is told to, at a time that is set by hand. */
function watched() {
  let ms = 0
  const asked: PromiseWithResolvers<Coverage>[] = []
  const watch = new CoverageWatch({
    read: () => {
      const answer = Promise.withResolvers<Coverage>()
      asked.push(answer)
      return answer.promise
    },
    clock: {
      monoNs: () => BigInt(ms) * 1_000_000n,
      wallNs: () => BigInt(NOW_MS + ms) * 1_000_000n,
      sleep: () => Promise.resolve(),
    },
    onError: (error) => assert.fail(String(error)),
  })
  const settled = async (): Promise<void> => await new Promise((resolve) => setImmediate(resolve))
  return {
    watch,
    asked,
    pass: (by: number) => {
      ms += by
    },
    wanted: (movedMs: number | null = null, storedMs = ms) => {
      const movedNs = movedMs === null ? null : BigInt(NOW_MS + movedMs) * 1_000_000n
      watch.wanted([BOOK], movedNs, { monoNs: 0n, recordedUntilNs: BigInt(NOW_MS + storedMs) * 1_000_000n })
    },
    answer: async (uncovered: Coverage['uncovered'] = []) => {
      asked.at(-1)?.resolve({ uncovered, missed: [], isWhole: true })
      await settled()
    },
    fail: async (sentence: string) => {
      asked.at(-1)?.reject(new StoreError('AWAY', sentence))
      await settled()
    },
  }
}

test('the day is read when somebody looks, one reading at a time, and not again before it is old', async () => {
  const { watch, asked, pass, wanted, answer } = watched()
  assert.equal(watch.look.reading, 0)
  wanted()
  wanted()
  assert.equal(asked.length, 1)
  await answer([gap(NOW_MS - 5_000, NOW_MS - 2_000)])
  assert.deepEqual(
    [watch.look.reading, watch.look.books[0]?.gapMs, watch.look.books[0]?.liveMs],
    [1, 3_000, COVERAGE_MS - 3_000],
  )
  pass(COVERAGE_AGE_MS - 1)
  wanted()
  assert.equal(asked.length, 1)
  pass(1)
  wanted()
  assert.equal(asked.length, 2)
})

test('a gap that began or ended is read as soon as it is stored, and once', async () => {
  const { asked, pass, wanted, answer } = watched()
  wanted()
  await answer()
  pass(COVERAGE_HURRIED_MS)
  wanted(1_500, 1_400) // not stored yet
  assert.equal(asked.length, 1)
  wanted(1_500)
  assert.equal(asked.length, 2)
  await answer()
  pass(COVERAGE_HURRIED_MS)
  wanted(1_500)
  assert.equal(asked.length, 2)
})

test('a slow database is left alone for twenty times as long as it took', async () => {
  const { asked, pass, wanted, answer } = watched()
  wanted()
  pass(5_000)
  await answer()
  pass(99_000)
  wanted(99_000)
  assert.equal(asked.length, 1)
  pass(1_000)
  wanted(99_000)
  assert.equal(asked.length, 2)
})

test('while the database is away, what was read before stays and says since when; then it goes on', async () => {
  const { watch, asked, pass, wanted, answer, fail } = watched()
  wanted()
  await answer([gap(NOW_MS - 5_000, NOW_MS - 2_000)])
  pass(COVERAGE_AGE_MS)
  wanted()
  await fail('gone: try again later')
  assert.deepEqual(watch.look.trouble, { reason: 'gone: try again later', sinceMs: NOW_MS + COVERAGE_AGE_MS })
  assert.deepEqual([watch.look.reading, watch.look.toMs, watch.look.books[0]?.gapMs], [2, NOW_MS, 3_000])
  pass(COVERAGE_RETRY_MS)
  wanted()
  await fail('still gone')
  assert.equal(watch.look.trouble?.sinceMs, NOW_MS + COVERAGE_AGE_MS)
  assert.equal(watch.look.reading, 2) // nothing new to be fetched
  pass(COVERAGE_RETRY_MS)
  wanted()
  await answer()
  assert.deepEqual([asked.length, watch.look.trouble, watch.look.reading], [4, null, 3])
})
