import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DecimalText } from '@booktape/market'
import { advance, type CorridorEvent, type CorridorState, newCorridorState } from '@booktape/session'
import { escapeHtml, type StatusFacts, statusPage } from './status-page.ts'

const START_NS = 1_790_732_600_000_000_000n // 2026-09-30 01:43:20 UTC
const instant = (ms: number) => ({ wallNs: START_NS + BigInt(ms) * 1_000_000n, monoNs: BigInt(ms) * 1_000_000n })

const facts = (state: CorridorState, other: Partial<StatusFacts> = {}): StatusFacts => ({
  version: '1.2.3',
  line: 'a',
  venue: 'simulated',
  startedNs: 0n,
  now: instant(125_000),
  missing: [],
  journalBytes: 3_145_728,
  backlog: 1,
  sinceCommitMs: 400,
  state,
  ...other,
})

test('a recorder that has not begun says so', () => {
  const page = statusPage(facts(newCorridorState(), { missing: ['no session has begun'], sinceCommitMs: null }))
  assert.match(page, /<td colspan="11">no session has begun<\/td>/)
  assert.match(page, /<dt>ready<\/dt><dd><span class="bad">no<\/span>: no session has begun<\/dd>/)
  assert.match(page, /<dt>last commit<\/dt><dd><span class="bad">none yet<\/span><\/dd>/)
})

test('a recorder tells what it is, how long it runs and how far it is behind', () => {
  const page = statusPage(facts(newCorridorState()))
  for (const [name, value] of [
    ['ready', '<span class="good">yes</span>'],
    ['version', '1.2.3'],
    ['line', 'a'],
    ['venue', 'simulated'],
    ['running for', '2 min 5 s'],
    ['journal', '3.0 MiB'],
    ['backlog', '1 entry'],
    ['last commit', '0.4 s ago'],
  ] as const) {
    assert.ok(page.includes(`<div><dt>${name}</dt><dd>${value}</dd></div>`), name)
  }
  assert.match(page, /<meta http-equiv="refresh" content="2">/)
  assert.match(page, /<a href="\/readyz">/)
  assert.match(page, /<a href="\/metrics">/)
  assert.doesNotMatch(page, /<script/)
})

for (const [ns, text] of [
  [0n, '0.0 s'],
  [-5n, '0.0 s'],
  [9_990_000_000n, '9.9 s'],
  [59_999_999_999n, '59 s'],
  [3_599_000_000_000n, '59 min 59 s'],
  [12_000_000_000_000n, '3 h 20 min'],
  [360_000_000_000_000n, '4 d 4 h'],
] as const) {
  test(`${ns} ns after its start a recorder runs for ${text}`, () => {
    const page = statusPage(facts(newCorridorState(), { now: { wallNs: START_NS, monoNs: ns } }))
    assert.ok(page.includes(`<dt>running for</dt><dd>${text}</dd>`))
  })
}

test('more missing things than fit are counted', () => {
  const page = statusPage(facts(newCorridorState(), { missing: ['one', 'two', 'three', 'four', 'five'] }))
  assert.ok(page.includes('<span class="bad">no</span>: one; two; three; and 2 more'))
})

test('a live book shows its top and its levels, a lost one its gap and the cause', () => {
  const state = newCorridorState()
  for (const event of ONE_LIVE_ONE_REFUSED) advance(state, event)
  const page = statusPage(facts(state))
  assert.deepEqual(cellsOf(page), [
    ['btcusd', 'v1', 'yes', 'none', '2.5', '100.1', '100.2', '0.1', '1 + 2', '2026-09-30 01:43:21', '2 min 3 s ago'],
    ['ethusd', 'v1', 'no', 'book: connect, 2 min 2 s', '', '', '', '', '', '', ''],
  ])
})

test('what the venue may have written is shown, never obeyed', () => {
  const state = newCorridorState()
  for (const event of ONE_LIVE_ONE_REFUSED) advance(state, event)
  const track = state.tracks.get('v1:btcusd')
  assert.ok(track !== undefined)
  track.book.bids = {
    kind: 'texts',
    prices: ['<img src=x onerror="alert(1)">' as DecimalText],
    quantities: ['1' as DecimalText],
  }
  track.gaps.trades = { gapId: 'g', fromId: null, startedNs: START_NS, cause: '</td><script>' as 'connect' }
  const page = statusPage(facts(state, { venue: '"><b>', missing: ['<i>'] }))
  assert.doesNotMatch(page, /<img|<script|<b>|<i>/)
  assert.ok(page.includes('&lt;img src=x onerror=&quot;alert(1)&quot;&gt;'))
})

test('escaping covers text and both kinds of quotes', () => {
  assert.equal(escapeHtml(`a & <b> "c" 'd' &amp;`), 'a &amp; &lt;b&gt; &quot;c&quot; &#39;d&#39; &amp;amp;')
})

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

/** The texts of the table, row by row. */
function cellsOf(page: string): string[][] {
  const rows = [...page.matchAll(/<tr>(<td.*?)<\/tr>/g)].map((match) => match[1] ?? '')
  return rows.map((row) =>
    [...row.matchAll(/<td[^>]*>(.*?)<\/td>/g)].map((cell) => (cell[1] ?? '').replace(/<[^>]+>/g, '')),
  )
}
