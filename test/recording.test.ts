import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { startRecording } from './recording.ts'
import { allLive, compareBooks, compareTrades, type Drill, environmentOf, startDrill } from './recording-drill.ts'
import { assertWhole } from './whole.ts'

const SYMBOLS = 4
/** Far busier than the venue, so that seconds hold what would be minutes. */
const RATE = 20
const MESSAGES = 3_000

describe('a recorder at the simulated exchange, over real sockets into a real Postgres', () => {
  let drill: Drill
  before(async () => {
    drill = await startDrill({ symbols: SYMBOLS, rate: RATE, seed: 3 })
    await drill.recording.until(() => allLive(drill))
    await drill.recording.until(async () => (await messages()) >= MESSAGES)
  })
  after(async () => drill?.close())

  const messages = async (): Promise<number> => {
    const [row] = await drill.recording.query<{ n: number }>('select count(*)::int as n from booktape.book_messages')
    return row?.n ?? 0
  }
  const text = async (path: string): Promise<string> => (await fetch(drill.recording.httpUrl + path)).text()

  test('is ready while every book is live and rows are committed', async () => {
    assert.equal((await fetch(`${drill.recording.httpUrl}/readyz`)).status, 200)
    assert.equal(await text('/livez'), 'alive\n')
    assert.equal((await fetch(`${drill.recording.httpUrl}/nothing`)).status, 404)
  })

  test('tells of itself in metrics, under the names of the contract', async () => {
    const metrics = await text('/metrics')
    for (const name of CONTRACT_METRICS) assert.match(metrics, new RegExp(`^# TYPE booktape_${name} `, 'm'), name)
    assert.match(metrics, /^booktape_book_live\{feed="ws",symbol="btcusd"\} 1$/m)
  })

  test('answers a look at the newest book at once', async () => {
    const rows = await drill.recording.query("select * from market.book_at('btcusd', now(), 5)")
    assert.equal(rows.length, 10)
  })

  test('discloses a dropped frame of each feed as one gap, and goes on with the right books', async () => {
    const { faults } = drill.exchange.exchange
    faults.inject({ fault: 'drop', feed: 'ws', symbol: 'btcusd', kind: 'depth' })
    faults.inject({ fault: 'drop', feed: 'v1', symbol: 'ethusd', kind: 'update' })
    const closed = async () =>
      drill.recording.query(
        "select symbol, feed, stream, cause, state from market.gaps where state <> 'open' order by feed",
      )
    await drill.recording.until(async () => (await closed()).length >= 2)
    assert.deepEqual(await closed(), [
      { symbol: 'ethusd', feed: 'v1', stream: 'book', cause: 'sequence', state: 'closed' },
      { symbol: 'btcusd', feed: 'ws', stream: 'book', cause: 'sequence', state: 'closed' },
    ])
    const [gap] = await drill.recording.query<{ middle: string; id: string }>(
      "select (started_at + (ended_at - started_at) / 2)::text as middle, gap_id::text as id from market.gaps where feed = 'ws'",
    )
    assert.ok(gap !== undefined)
    await assert.rejects(
      drill.recording.query('select * from market.book_at($1, $2::timestamptz, null, $3)', [
        'btcusd',
        gap.middle,
        'ws',
      ]),
      new RegExp(gap.id),
    )
  })

  test('goes on after a stop: a second run continues the same journal, and its absence is a gap', async () => {
    const { exchange, recording, symbols } = drill
    await recording.stop()
    const [first] = await recording.query<{ position: string }>(
      'select written_position::text as position from booktape.journals',
    )
    const second = await startRecording({
      env: environmentOf(exchange, symbols),
      database: { url: recording.databaseUrl, close: async () => undefined },
      dataDir: recording.dataDir,
    })
    await second.until(() => allLive({ recording: second }))
    await second.until(() => second.scribe.backlog < 100)
    await second.stop()
    const journals = await second.query<{ position: string }>(
      'select written_position::text as position from booktape.journals',
    )
    await second.close()
    assert.equal(journals.length, 1)
    assert.ok(BigInt(journals[0]?.position ?? 0) > BigInt(first?.position ?? 0))
    const open = await recording.query(
      "select symbol, feed, stream, cause from market.gaps where state = 'open' and cause <> 'stopped'",
    )
    assert.deepEqual(open, [])
  })

  test('has stored the true book after every sampled update, by id and by time', async () => {
    assert.equal(await compareBooks(drill, 60), 60)
  })

  test('is found whole by verify', async () => {
    const { rows, changes, books } = await assertWhole(drill.recording.databaseUrl)
    assert.ok(rows > 100 && changes > 100 && books >= 10, `${rows} rows, ${changes} changes, ${books} books`)
  })

  test('has stored every trade once', async () => {
    assert.ok((await compareTrades(drill)) >= 20)
  })
})

const CONTRACT_METRICS = [
  'messages_received_total',
  'book_changes_applied_total',
  'trades_received_total',
  'gaps_total',
  'resyncs_total',
  'connects_total',
  'connections',
  'book_live',
  'book_levels',
  'best_price',
  'last_message_age_seconds',
  'event_lag_seconds',
  'commit_lag_seconds',
  'journal_bytes',
  'journal_sync_seconds',
  'backlog_messages',
  'rows_written_total',
  'write_failures_total',
  'audits_total',
  'quarantined_total',
  'build_info',
]
