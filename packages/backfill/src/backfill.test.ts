import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deriveId } from '@booktape/market'
import { refusalFor } from '@booktape/venue'
import {
  collected,
  DAY,
  decimal,
  findings,
  gapStates,
  MINUTE,
  NOW,
  openStore,
  ran,
  run,
  SECOND,
  startVenue,
  storedTrades,
  storeRecording,
  tradesFrom,
} from './backfill.fixture.ts'
import { BackfillError } from './errors.ts'

const idsOf = (trades: readonly Readonly<{ tradeId: bigint }>[]): bigint[] => trades.map(({ tradeId }) => tradeId)
const storedIds = async (database: Parameters<typeof storedTrades>[0]): Promise<bigint[]> =>
  (await storedTrades(database)).map(({ trade_id }) => trade_id)

test('the history before a recording comes page by page, each trade once, and is not asked for again', async (t) => {
  const database = await openStore(t)
  const trades = tradesFrom(NOW - 3n * DAY, 1_700, 100n * SECOND)
  const venue = await startVenue(t, trades)
  const beganNs = trades[1_300]?.eventTimeNs ?? assert.fail()
  await storeRecording(database, trades, beganNs, [])
  const { events, report } = await ran(database, venue)
  assert.deepEqual(await storedIds(database), idsOf(trades))
  // Ids 0 to 1,499 in three pages; the third passes the beginning of the recording.
  assert.deepEqual(
    [report.pages, report.found, report.added, report.firstNs, report.lastNs, report.problem],
    [3, 1_500, 1_300, trades[0]?.eventTimeNs, trades[1_499]?.eventTimeNs, null],
  )
  const reached = events.flatMap((event) => (event.kind === 'progress' ? [(event.doneNs * 100n) / event.totalNs] : []))
  assert.deepEqual(reached, [38n, 76n, 100n])
  const [first] = await storedTrades(database)
  assert.deepEqual([first?.source, first?.line], ['rest', 'backfill'])
  assert.deepEqual(await findings(database), [])

  venue.asked.length = 0
  const again = await ran(database, venue)
  assert.deepEqual([again.report.pages, again.report.found, venue.asked.length], [0, 0, 0])
})

test('a symbol that nobody recorded is read to the newest trade, and the next run goes on behind it', async (t) => {
  const database = await openStore(t)
  const trades = tradesFrom(NOW - DAY, 700, 100n * SECOND)
  const venue = await startVenue(t, trades.slice(0, 600))
  assert.deepEqual((await ran(database, venue)).report.added, 600)
  venue.trades.push(...trades.slice(600))
  const { report } = await ran(database, venue)
  assert.deepEqual([report.pages, report.added], [1, 100])
  assert.deepEqual(await storedIds(database), idsOf(trades))
})

test('trades of one millisecond on both sides of a page border are all there', async (t) => {
  const database = await openStore(t)
  const trades = tradesFrom(NOW - DAY, 1_200, SECOND)
  const borderNs = trades[495]?.eventTimeNs ?? assert.fail()
  const crowded = trades.map((trade, i) => (i >= 495 && i < 505 ? { ...trade, eventTimeNs: borderNs } : trade))
  const venue = await startVenue(t, crowded)
  const { report } = await ran(database, venue, { fromNs: NOW - 2n * DAY })
  assert.deepEqual(await storedIds(database), idsOf(trades))
  assert.ok(venue.asked.every((query) => query.startsWith('timestamp=')))
  assert.deepEqual([report.added, report.pages], [1_200, 3])
})

test('--from and --to choose what is asked for', async (t) => {
  const database = await openStore(t)
  const trades = tradesFrom(NOW - 10n * DAY, 3_000, 250n * SECOND)
  const venue = await startVenue(t, trades)
  const [fromNs, untilNs] = [NOW - 8n * DAY, NOW - 7n * DAY]
  await ran(database, venue, { fromNs, untilNs })
  const stored = new Set(await storedIds(database))
  const asked = trades.filter(({ eventTimeNs }) => eventTimeNs >= fromNs && eventTimeNs < untilNs)
  assert.equal(asked.length, 345)
  assert.ok(asked.every(({ tradeId }) => stored.has(tradeId)))
  assert.equal(stored.size, 500, 'one page, the rest of which is stored too')
})

test('a broken trade is stored as one, and one that was broken later is marked', async (t) => {
  const database = await openStore(t)
  const trades = tradesFrom(NOW - DAY, 20, SECOND)
  const beganNs = trades[10]?.eventTimeNs ?? assert.fail()
  await storeRecording(database, trades, beganNs, [])
  const venue = await startVenue(
    t,
    trades.map((trade, i) => ({ ...trade, broken: i === 3 || i === 15 })),
  )
  const { report } = await ran(database, venue)
  assert.deepEqual(
    (await storedTrades(database)).flatMap(({ broken }, i) => (broken ? [i] : [])),
    [3, 15],
  )
  assert.deepEqual([report.found, report.broken], [20, 2])
  assert.deepEqual(await findings(database), [])
})

test('what differs from a stored trade is told, and the stored one stays', async (t) => {
  const database = await openStore(t)
  const trades = tradesFrom(NOW - DAY, 20, SECOND)
  await storeRecording(database, trades, trades[10]?.eventTimeNs ?? 0n, [])
  const venue = await startVenue(
    t,
    trades.map((trade, i) => (i === 12 ? { ...trade, price: decimal('99') } : trade)),
  )
  const { events, report } = await ran(database, venue)
  const conflicts = events.flatMap((event) => (event.kind === 'conflict' ? [event.conflict] : []))
  assert.deepEqual(conflicts, [
    {
      symbol: 'btcusd',
      tradeId: trades[12]?.tradeId,
      stored: { price: '82.25', quantity: '0.5', takerSide: 'buy' },
      given: { price: '99', quantity: '0.5', takerSide: 'buy' },
    },
  ])
  assert.equal(report.conflicts, 1)
  assert.deepEqual((await storedTrades(database))[12]?.price, '82.25')
  assert.deepEqual(await findings(database), [])
})

test('429, maintenance and nonsense in the middle only cost time', async (t) => {
  const database = await openStore(t)
  const trades = tradesFrom(NOW - DAY, 1_600, SECOND)
  const venue = await startVenue(t, trades)
  const answers = [
    null,
    refusalFor(429, 0),
    refusalFor(429, null),
    null,
    ...Array.from({ length: 7 }, () => refusalFor(503, null)), // more than the client tries for one page
    { status: 200, headers: {}, body: '<html>maintenance</html>' },
    { status: 200, headers: {}, body: '[{"tid":1}]' },
  ]
  venue.before.answer = () => answers.shift() ?? null
  const { events, report } = await ran(database, venue)
  assert.deepEqual(await storedIds(database), idsOf(trades))
  assert.deepEqual([report.pages, report.problem], [4, null])
  const waits = events.flatMap((event) => (event.kind === 'waiting' ? [event.sentence] : []))
  assert.match(waits[0] ?? '', /^btcusd: REST answered 503 .*; asking again in 30 s$/)
  assert.equal(waits.length, 3)
})

test('where REST does not answer at all, or refuses the symbol, it says so and stops', async (t) => {
  const database = await openStore(t)
  const venue = await startVenue(t, tradesFrom(NOW - DAY, 3, SECOND))
  const { report } = await ran(database, venue, { symbols: ['nonsense'] })
  assert.match(
    report.problem ?? '',
    /^nonsense: REST answered 400 \(Bad Request, Supplied value 'NONSENSE' .*\): is it a symbol/,
  )
  const both = await collected(run(database, venue, { symbols: ['nonsense', 'btcusd'] }))
  assert.deepEqual(
    both.flatMap((event) => (event.kind === 'report' ? [[event.report.symbol, event.report.added]] : [])),
    [
      ['nonsense', 0],
      ['btcusd', 3],
    ],
  )
  venue.before.answer = () => refusalFor(503, null)
  await assert.rejects(
    ran(database, venue),
    (error) =>
      error instanceof BackfillError && error.code === 'UNREACHABLE' && /BOOKTAPE_GEMINI_REST_URL/.test(error.message),
  )
})

test('an exchange that gives the same page again and again is not asked for ever', async (t) => {
  const database = await openStore(t)
  const venue = await startVenue(t, tradesFrom(NOW - DAY, 600, SECOND))
  venue.before.answer = (query) => {
    query.delete('since_tid')
    query.delete('timestamp')
    return null
  }
  const { report } = await ran(database, venue)
  assert.match(report.problem ?? '', /the same page of trades again and again/)
  assert.equal(venue.asked.length, 4)
})

test('a run that is stopped goes on where it ended', async (t) => {
  const database = await openStore(t)
  const trades = tradesFrom(NOW - DAY, 2_400, SECOND)
  const venue = await startVenue(t, trades)
  const stopping = new AbortController()
  venue.before.answer = () => {
    if (venue.asked.length === 3) stopping.abort()
    return null
  }
  const events: unknown[] = []
  await assert.rejects(
    async () => {
      for await (const event of run(database, venue, { stopping: stopping.signal })) events.push(event)
    },
    (error) => error instanceof BackfillError && error.code === 'STOPPED',
  )
  assert.equal((await storedIds(database)).length, 1_000)
  assert.match(
    JSON.stringify(events, (_, value: unknown) => (typeof value === 'bigint' ? `${value}` : value)),
    /"added":1000.*stopped before/,
  )
  venue.asked.length = 0
  const { report } = await ran(database, venue)
  assert.deepEqual(await storedIds(database), idsOf(trades))
  assert.equal(report.added, 1_400)
  assert.equal(venue.asked.length, 3)
  assert.deepEqual(await findings(database), [])
})

test('holes that the ids lead through are closed, others stay what they are', async (t) => {
  const database = await openStore(t)
  const all = tradesFrom(NOW - 30n * DAY, 4_000, 600n * SECOND)
  const loss = (name: string, daysAgo: bigint, state: 'open' | 'closed' | 'unfillable') => ({
    name,
    state,
    fromNs: NOW - daysAgo * DAY,
    untilNs: state === 'open' ? null : NOW - daysAgo * DAY + 600n * MINUTE,
  })
  const losses = [
    loss('forgotten', 25n, 'unfillable'),
    loss('given up', 15n, 'unfillable'),
    loss('closed', 10n, 'closed'),
    loss('open', 2n, 'open'),
  ]
  await storeRecording(database, all, NOW - 29n * DAY, losses)
  const venue = await startVenue(
    t,
    all.filter(({ eventTimeNs }) => eventTimeNs > NOW - 20n * DAY),
  ) // all that REST has left
  const { report } = await ran(database, venue)
  assert.deepEqual(await gapStates(database), {
    [deriveId('gap', 'forgotten')]: 'unfillable',
    [deriveId('gap', 'given up')]: 'filled',
    [deriveId('gap', 'closed')]: 'filled',
    [deriveId('gap', 'open')]: 'open',
  })
  assert.deepEqual(
    [report.filled, report.left.map(({ gapId, why }) => [gapId, why])],
    [
      2,
      [
        [deriveId('gap', 'forgotten'), 'beyond_reach'],
        [deriveId('gap', 'open'), 'open'],
      ],
    ],
  )
  const stored = new Set(await storedIds(database))
  const lacking = all.filter(({ tradeId, eventTimeNs }) => !stored.has(tradeId) && eventTimeNs > NOW - 29n * DAY)
  assert.ok(
    lacking.every(({ eventTimeNs: ns }) =>
      losses.some(
        ({ name, fromNs, untilNs }) => /forgotten|open/.test(name) && ns > fromNs - SECOND && ns < (untilNs ?? NOW),
      ),
    ),
  )
  assert.deepEqual(await findings(database), [])
  // What was altered by hand before stays found: nothing is blessed.
  const { rows } = await database.pool.query(
    `update booktape.gaps set cause = 'liveness' where gap_id = $1 returning gap_id`,
    [deriveId('gap', 'given up')],
  )
  assert.equal(rows.length, 1)
  assert.equal((await findings(database)).length, 1)
})

test('a hole before any trade is read by time where REST surely reaches, and left where it is older', async (t) => {
  for (const [daysAgo, filled, left] of [
    [4n, 1, []],
    [8n, 0, ['no_id']],
  ] as const) {
    const database = await openStore(t)
    const beganNs = NOW - daysAgo * DAY
    const all = tradesFrom(beganNs + MINUTE, 600, 60n * SECOND)
    const venue = await startVenue(t, all)
    await storeRecording(database, all, beganNs, [
      { name: 'first', fromNs: beganNs, untilNs: beganNs + 30n * MINUTE, state: 'closed', fromId: null },
    ])
    const { report } = await ran(database, venue, { fromNs: beganNs })
    assert.deepEqual([report.filled, report.left.map(({ why }) => why)], [filled, left], `${daysAgo} days`)
  }
})

test('a dry run asks nothing and changes nothing', async (t) => {
  const database = await openStore(t)
  const trades = tradesFrom(NOW - DAY, 100, SECOND)
  const venue = await startVenue(t, trades)
  await storeRecording(database, trades, NOW - DAY, [
    { name: 'lost', fromNs: NOW - DAY + 10n * SECOND, untilNs: NOW - DAY + 20n * SECOND, state: 'closed' },
  ])
  const events = await collected(run(database, venue, { dryRun: true }))
  assert.deepEqual(
    events.map((event) => event.kind === 'plan' && [event.spans, event.holes.map(({ gapId }) => gapId)]),
    [[[{ fromNs: 0n, untilNs: NOW - DAY + 10n * SECOND }], [deriveId('gap', 'lost')]]],
  )
  assert.deepEqual([venue.asked.length, (await storedIds(database)).length], [0, 90])
})

test('two runs at once store each trade once', async (t) => {
  const database = await openStore(t)
  const trades = tradesFrom(NOW - DAY, 3_000, SECOND)
  const venue = await startVenue(t, trades)
  const reports = await Promise.all([ran(database, venue), ran(database, venue)])
  assert.deepEqual(await storedIds(database), idsOf(trades))
  assert.equal(
    reports.reduce((sum, { report }) => sum + report.added, 0),
    3_000,
  )
  assert.deepEqual(await findings(database), [])
})

test('a trade that the database refuses ends the backfill of its symbol, and the next one goes on', async (t) => {
  const database = await openStore(t)
  const venue = await startVenue(t, tradesFrom(NOW - DAY, 3, SECOND))
  await database.pool.query(`alter table booktape.trades add constraint none check (symbol <> 'btcusd')`)
  const events = await collected(run(database, venue, { symbols: ['btcusd', 'ethusd'] }))
  const reports = events.flatMap((event) => (event.kind === 'report' ? [event.report] : []))
  assert.deepEqual(
    reports.map(({ symbol, added }) => [symbol, added]),
    [
      ['btcusd', 0],
      ['ethusd', 3],
    ],
  )
  assert.match(reports[0]?.problem ?? '', /23514/)
})
