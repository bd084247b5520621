import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import type { DecimalText } from '@booktape/market'
import { advance, type CorridorEvent, type CorridorState, newCorridorState } from '@booktape/session'
import { Recent } from './recent.ts'
import { overview, padded, type Standing } from './status-overview.ts'
import { LOOK_AGE_MS, MAX_LOOKS_PER_SECOND, statusPage } from './status-page.ts'
import { DEPTH_LEVELS, symbolLook } from './status-symbol.ts'
import type { CoverageLook, Overview } from './status-wire.ts'

const START_NS = 1_790_732_600_000_000_000n // 2026-09-30 01:43:20 UTC
const START_MS = 1_790_732_600_000
const instant = (ms: number) => ({ wallNs: START_NS + BigInt(ms) * 1_000_000n, monoNs: BigInt(ms) * 1_000_000n })

const STANDING: Standing = {
  version: '1.2.3',
  line: 'a',
  venue: 'simulated',
  startedMs: START_MS,
  missing: [],
  backlog: 1,
  sinceCommitMs: 400,
  trouble: null,
  journalBytes: 3,
  journalLimitBytes: 4,
  pace: { everyMs: 2_000, atMs: 0, lagMs: [], backlog: [] },
  coverageReading: 0,
}

const BOOK = {
  type: 'update',
  eventId: 7,
  timestampms: 1_790_732_601_000,
  socket_sequence: 0,
  events: [
    { type: 'change', reason: 'initial', price: '100.1', delta: '2.5', remaining: '2.5', side: 'bid' },
    { type: 'change', reason: 'initial', price: '100.20', delta: '0.1', remaining: '0.1', side: 'ask' },
    { type: 'change', reason: 'initial', price: '101', delta: '3', remaining: '3', side: 'ask' },
  ],
}

const ONE_LIVE_ONE_REFUSED: readonly CorridorEvent[] = [
  {
    kind: 'started',
    at: instant(0),
    run: {
      runId: 'run',
      line: 'a',
      symbols: ['ethusd', 'btcusd'],
      feeds: ['v1'],
      v1Url: 'ws://127.0.0.1:1',
      wsUrl: 'ws://127.0.0.1:1',
      snapshotIntervalMs: 600_000,
    },
  },
  { kind: 'tick', at: instant(0) },
  { kind: 'dialing', at: instant(1), connection: 1, session: 'v1:btcusd', sessionId: 's1', url: 'ws://127.0.0.1:1' },
  { kind: 'opened', at: instant(2), connection: 1 },
  {
    kind: 'frame',
    at: instant(1_500),
    connection: 1,
    messageSeq: 1,
    isBinary: false,
    payload: new TextEncoder().encode(JSON.stringify(BOOK)),
  },
  {
    kind: 'dialing',
    at: instant(2_000),
    connection: 2,
    session: 'v1:ethusd',
    sessionId: 's2',
    url: 'ws://127.0.0.1:1',
  },
  {
    kind: 'refused',
    at: instant(2_500),
    connection: 2,
    refusal: { status: 503, retryAfterMs: null, reason: 'maintenance' },
  },
]

test('before this process records, nothing of an earlier life is shown as live', () => {
  const { state } = livedThrough(ONE_LIVE_ONE_REFUSED)
  assert.deepEqual(overview(STANDING, state, new Recent(), instant(0)).symbols, [])
})

test('a live book shows its top and its age, a lost one its gap and what the cause means', () => {
  const { state, recent } = livedThrough(ONE_LIVE_ONE_REFUSED)
  const look = overview({ ...STANDING, missing: ['1', '2', '3', '4', '5', '6'] }, state, recent, instant(125_000))
  const meaning = 'no connection could be made'
  const sinceMs = START_MS + 2_500
  assert.deepEqual(look.symbols, [
    {
      symbol: 'ethusd',
      books: [
        {
          feed: 'v1',
          liveSinceMs: null,
          quietMs: null,
          bid: null,
          ask: null,
          open: [{ stream: 'book', cause: 'connect', meaning, sinceMs }],
        },
      ],
    },
    {
      symbol: 'btcusd',
      books: [{ feed: 'v1', liveSinceMs: START_MS + 1_500, quietMs: 123_500, bid: '100.1', ask: '100.2', open: [] }],
    },
  ])
  assert.deepEqual([look.missing.length, look.missingCount], [5, 6])
  assert.deepEqual(look.gaps, [
    {
      symbol: 'ethusd',
      feed: 'v1',
      stream: 'book',
      cause: 'connect',
      meaning,
      state: 'open',
      fromMs: sinceMs,
      toMs: null,
    },
  ])
})

test('one book in depth: best level first, exact, bounded; a book that is not live shows none', () => {
  const { state, recent } = livedThrough(ONE_LIVE_ONE_REFUSED)
  const look = symbolLook({ symbol: 'btcusd', feed: 'v1' }, state, recent, instant(0))
  assert.deepEqual(
    [look?.bids, look?.asks, look?.bidLevels, look?.askLevels, look?.updateId],
    [
      [['100.1', '2.5']],
      [
        ['100.2', '0.1'],
        ['101', '3'],
      ],
      1,
      2,
      '7',
    ],
  )
  assert.deepEqual(symbolLook({ symbol: 'ethusd', feed: 'v1' }, state, recent, instant(0))?.bids, [])
  for (const stranger of [
    { symbol: 'nosuch', feed: 'v1' },
    { symbol: 'btcusd', feed: 'ws' },
    { symbol: '__proto__', feed: 'v1' },
  ])
    assert.equal(symbolLook(stranger, state, recent, instant(0)), null)

  const track = state.tracks.get('v1:btcusd')
  assert.ok(track !== undefined)
  const prices = Array.from({ length: 5_000 }, (_, i) => `${i + 1}` as DecimalText)
  track.book.bids = { kind: 'texts', prices, quantities: prices }
  const large = symbolLook({ symbol: 'btcusd', feed: 'v1' }, state, recent, instant(0))
  assert.deepEqual([large?.bids.length, large?.bids[0], large?.bidLevels], [DEPTH_LEVELS, ['5000', '5000'], 5_000])
})

for (const [price, increment, text] of [
  ['100.1', '0.01', '100.10'],
  ['100', '0.01', '100.00'],
  ['100.123', '0.01', '100.123'],
  ['100.5', undefined, '100.5'],
  ['7', '1', '7'],
] as const) {
  test(`a price of ${price} where prices move by ${increment ?? 'nobody knows what'} is shown as ${text}`, () =>
    assert.equal(padded(price, increment), text))
}

test('the page may load its own files and nothing else, and is whole', async () => {
  const { ask } = page()
  const { body, headers, contentType } = await ask('')
  const html = String(body)
  assert.equal(contentType, 'text/html; charset=utf-8')
  const policy = headers?.['content-security-policy'] ?? ''
  const importMap = /<script type="importmap">(.*?)<\/script>/s.exec(html)?.[1] ?? ''
  assert.ok(policy.includes(`'sha256-${createHash('sha256').update(importMap).digest('base64')}'`))
  assert.doesNotMatch(policy, /unsafe|https?:|\*/)
  assert.doesNotMatch(html.replace(importMap, ''), /<style|style=|\son\w+=|https?:\/\//)
  const { imports } = JSON.parse(importMap) as { imports: Record<string, string> }
  const loaded = [...html.matchAll(/(?:src|href)="(\.\/\?file=[^"]+)"/g)].map((match) => match[1] ?? '')
  assert.ok(loaded.length >= 5)
  for (const file of new Set([...loaded, ...Object.values(imports)])) {
    const { status, body: content } = await ask(file.slice('./?'.length))
    assert.equal(status, 200, file)
    for (const [, imported = ''] of String(content).matchAll(/from '(\.\/[^']+)'/g)) {
      assert.ok(imported in imports, `${file} imports ${imported}`)
    }
  }
  for (const name of ['nosuch.mjs', '../src/status-page.ts', 'tsconfig.json', '__proto__', ''])
    assert.equal((await ask(`file=${encodeURIComponent(name)}`)).status, 404, name)
})

test('who can read it gets it compressed', async () => {
  const { ask } = page()
  const packed = await ask('overview', true)
  assert.equal(packed.headers?.['content-encoding'], 'gzip')
  assert.equal(gunzipSync(packed.body).toString(), String((await ask('overview')).body))
})

test('however many look, a look is made once in its time; beyond the allowance they wait', async () => {
  const { ask, pass, made } = page()
  for (let i = 0; i < MAX_LOOKS_PER_SECOND; i++) assert.equal((await ask('overview')).status, 200)
  assert.equal(made.overview, 1)
  const refused = await ask('overview')
  assert.deepEqual([refused.status, refused.headers], [503, { 'retry-after': '1' }])
  assert.equal((await ask('symbol=btcusd&feed=v1')).status, 503)
  assert.equal((await ask('')).status, 200) // the page itself says so
  pass(1_000)
  assert.equal((await ask('overview')).status, 200)
  pass(LOOK_AGE_MS - 1)
  await ask('overview')
  assert.equal(made.overview, 2)
  pass(1)
  await ask('overview')
  assert.equal(made.overview, 3)
  assert.equal((await ask('symbol=nosuch')).status, 404)
})

/** The page on a clock set by hand. */
function page() {
  let ms = 0
  const made = { overview: 0 }
  const { state, recent } = livedThrough(ONE_LIVE_ONE_REFUSED)
  const coverage: CoverageLook = { reading: 0, fromMs: 0, toMs: 0, trouble: null, isWhole: true, books: [] }
  const answer = statusPage(
    {
      overview: (): Overview => {
        made.overview++
        return overview(STANDING, state, recent, instant(ms))
      },
      coverage: () => coverage,
      symbol: (book) => symbolLook(book, state, recent, instant(ms)),
    },
    { monoNs: () => BigInt(ms) * 1_000_000n, wallNs: () => START_NS, sleep: () => Promise.resolve() },
  )
  return {
    made,
    pass: (by: number) => {
      ms += by
    },
    ask: async (query: string, acceptsGzip = false) => await answer({ query: new URLSearchParams(query), acceptsGzip }),
  }
}

function livedThrough(events: readonly CorridorEvent[]): { state: CorridorState; recent: Recent } {
  const state = newCorridorState()
  const recent = new Recent()
  for (const event of events) recent.observe(event, advance(state, event))
  return { state, recent }
}
