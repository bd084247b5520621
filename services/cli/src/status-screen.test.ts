import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RecorderLook } from './recorder-look.ts'
import { type StatusFound, screen } from './status-screen.ts'

const HOUR_MS = 3_600_000
const TO_MS = 100 * 24 * HOUR_MS
const FROM_MS = TO_MS - 24 * HOUR_MS

const RECORDER: RecorderLook = {
  url: 'http://127.0.0.1:9464',
  line: 'a',
  version: '1.2.3',
  missing: ['the v1 book of btcusd is not live', 'another'],
  booksLive: 1,
  books: 2,
  backlog: 7,
  lastCommitAgeSeconds: 0.12,
  lagBoundSeconds: 0.1,
  journalBytes: 1.5 * 2 ** 20,
  journalLimitBytes: 20 * 2 ** 30,
}

const feed = (symbol: string, isLive: boolean) => ({
  symbol,
  feed: 'v1',
  liveLines: isLive ? ['a', 'b'] : [],
  recordedUntil: null,
  lastReceived: '2026-03-01 10:00:05.123456+00',
  epochs: 1n,
  openGaps: isLive ? [] : [{ gapId: 'g', line: 'a', stream: 'book', cause: 'disconnect', startedAt: '' }],
})

function found(symbols: readonly string[], other: Partial<StatusFound> = {}): StatusFound {
  const book = { symbol: 'btcusd', feed: 'v1' }
  return {
    database: 'postgres://u@h/db',
    stored: {
      databaseBytes: 5n * 2n ** 20n,
      feeds: symbols.map((symbol) => feed(symbol, symbol !== 'btcusd')),
      fromMs: FROM_MS,
      toMs: TO_MS,
      coverage: {
        uncovered: [
          { ...book, state: 'off', fromMs: FROM_MS, toMs: FROM_MS + 2.5 * HOUR_MS },
          { ...book, state: 'gap', fromMs: FROM_MS + 5.2 * HOUR_MS, toMs: FROM_MS + 5.3 * HOUR_MS },
          { ...book, state: 'gap', fromMs: TO_MS - 1_000, toMs: TO_MS },
        ],
        missed: [],
        isWhole: true,
      },
    },
    trouble: null,
    recorder: RECORDER,
    recorderUrl: RECORDER.url,
    ...other,
  }
}

test('one screen: the database, the recorder, how far it is behind, and a line a book with its day', () => {
  assert.equal(
    screen(found(['btcusd', 'ethusd']), null),
    `database   postgres://u@h/db, 5 MiB
recorder   http://127.0.0.1:9464: line a, version 1.2.3, 1 of 2 books live, not ready: the v1 book of btcusd is not live, and 1 more
storing    backlog 7, last commit 0.1 s ago, 99 % of messages stored within 0.1 s, journal 2 MiB of 20.0 GiB
books      1 of 2 live on some line; 99.779 % of the last 24 h known, 2 gaps; 1 open on a line
           █ known, ▒ an hour with a gap, · not recorded

symbol  feed  book          last 24 h                 known     last received           open gaps
btcusd  v1    not live      ··███▒█████████████████▒  99.533 %  2026-03-01 10:00:05+00  book: disconnect
ethusd  v1    live on a, b  ████████████████████████  100 %     2026-03-01 10:00:05+00  none
`,
  )
})

test('a terminal with too few lines has what is wrong first, and says what it leaves out', () => {
  const lines = screen(found(['aaveusd', 'batusd', 'btcusd', 'ethusd']), 10)
    .trimEnd()
    .split('\n')
  assert.deepEqual(
    lines.slice(6).map((line) => line.split(' ')[0]),
    ['symbol', 'btcusd', 'and'],
  )
  assert.equal(lines.at(-1), 'and 3 more books, all of them well')
})

test('without a database, or without a recorder, the other one is still told of', () => {
  const withoutDatabase = found([], { stored: null, trouble: 'it is away: try again later' })
  assert.equal(
    screen(withoutDatabase, null).split('\n')[0],
    'database   postgres://u@h/db: it is away: try again later',
  )
  assert.match(screen(withoutDatabase, null), /^storing {4}backlog 7/m)
  assert.match(
    screen(found(['btcusd'], { recorder: null }), null),
    /^recorder {3}none answers at http:\/\/127\.0\.0\.1:9464$/m,
  )
})
