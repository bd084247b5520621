import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type TestEpoch, type TestRecording, testRecording } from './recording.fixture.ts'

/**
 * No question reads more of an epoch than it asks for: rows of chunks and of unsettled messages are counted, by Postgres, for the same
 * question early and late in an epoch of a day.
 */
describe('rows read of a long epoch', () => {
  /** An instant's chunk is looked for among those of an hour, of which there are 12, and a question may ask for several instants. */
  const MOST_READ = { book_chunks: 69, book_messages: 20, book_snapshots: 20, quotes: 50 }
  const TABLES = ['book_chunks', 'book_messages', 'book_snapshots', 'quotes'] as const
  const MESSAGES = 8640 // one in ten seconds
  const CHUNK_MESSAGES = 30
  let recording: TestRecording

  before(async () => {
    recording = await testRecording()
    const { client } = recording
    await client.query(`select booktape.make_partitions('2026-02-28', 4)`)
    const journal = await recording.journal('a', 'a', '23:59:59')
    for (const symbol of ['btcusd', 'ethusd']) {
      const epoch = await recording.epoch(symbol, { journal, symbol, from: '00:00:00', ids: [1, null] })
      await recording.snapshot(epoch, '00:00:00', 1, { bids: [['99', '1']], asks: [['101', '1']] })
      await fill(epoch)
    }
    for (const hour of ['02', '12', '21']) await recording.trade(Number(hour), `${hour}:31:30`, '100', '1')
    // Of ethusd nothing is settled, so that there is much to be read by mistake.
    let settled: string | undefined
    do {
      const { rows } = await client.query<{ messages: string }>(
        `select messages from booktape.settle('btcusd', '2026-03-01 23:00Z', $1)`,
        [CHUNK_MESSAGES],
      )
      settled = rows[0]?.messages
    } while (settled !== '0')
    await client.query('vacuum analyze')
    // The tables are small, and a table that fits into a few pages is rightly read whole.
    await client.query('set enable_seqscan = off')
    const [[chunks] = []] = await recording.rows('select count(*) from booktape.book_chunks')
    assert(Number(chunks) > 3 * MOST_READ.book_chunks, `only ${chunks} chunks`)
  })
  after(() => recording.close())

  async function fill({ id, symbol, feed, line }: TestEpoch): Promise<void> {
    const fields = `'${id}', '${symbol}', '${feed}', '${line}', 0`
    const of = `from (
        select n, timestamptz '2026-03-01Z' + n * interval '10 seconds' as received, 1772323200000000000 + n * 10000000000 as ns
        from generate_series(1, ${MESSAGES - 1}) n
      ) m`
    await recording.client.query(`
      insert into booktape.book_messages
        (epoch_id, symbol, feed, line, checksum, received_time, received_time_ns, event_time_ns, first_update_id, update_id, message_seq, marks, prices, quantities)
      select ${fields}, received, ns, ns - 1000000, n + 1, n + 1, n + 1, 'p', array[90 + n % 10], array[n] ${of}`)
    await recording.client.query(`
      insert into booktape.quotes
        (epoch_id, symbol, feed, line, checksum, session_id, received_time, received_time_ns, event_time_ns, update_id, message_seq, bid_price, bid_quantity, ask_price, ask_quantity)
      select ${fields}, '${id}', received, ns, ns - 1000000, n + 1, n + 1, 99, n, 101, 1 ${of}`)
    await recording.client.query(`
      insert into booktape.book_snapshots
        (epoch_id, symbol, feed, line, checksum, received_time, received_time_ns, update_id, message_seq, reason, bid_prices, bid_quantities, ask_prices, ask_quantities, digest)
      select ${fields}, received, ns, n + 1, n + 1, 'interval', '{99}', '{1}', '{101}', '{1}', '' ${of} where n % 30 = 0`)
  }

  /** Rows of each table that one statement reads, its functions' own statements included. */
  async function readBy(sql: string): Promise<ReadonlyMap<string, number>> {
    const { client } = recording
    const counted = async (): Promise<Map<string, number>> => {
      const { rows } = await client.query<{ name: string; read: string }>(`
        select regexp_replace(relname, '_(\\d{8}|default)$', '') as name, sum(seq_tup_read + idx_tup_fetch) as read
        from pg_stat_xact_user_tables where schemaname = 'booktape' group by 1`)
      return new Map(rows.map(({ name, read }) => [name, Number(read)]))
    }
    await client.query('begin')
    try {
      const already = await counted()
      const { rows } = await client.query<{ answers: string }>(sql)
      assert.notEqual(rows[0]?.answers, '0', sql)
      const now = await counted()
      return new Map(TABLES.map((name) => [name, (now.get(name) ?? 0) - (already.get(name) ?? 0)]))
    } finally {
      await client.query('rollback')
    }
  }

  const span = (hour: string): string => `'2026-03-01 ${hour}:31Z', '2026-03-01 ${hour}:32Z'`
  const QUESTIONS: readonly (readonly [
    name: string,
    sql: (hour: string) => string,
    mostRead?: Partial<typeof MOST_READ>,
  ])[] = [
    ['book_at', (hour) => `select count(*) as answers from market.book_at('btcusd', '2026-03-01 ${hour}:32Z')`],
    [
      'book_at_update',
      (hour) => `select count(*) as answers
        from market.book_at_update('btcusd', (select epoch_id from market.epochs where symbol = 'btcusd'), ${Number(hour) * 360 + 193})`,
      { book_snapshots: MESSAGES / 30 }, // looks through the epoch's whole books for the id, though not through their levels
    ],
    ['changes_between', (hour) => `select count(*) as answers from market.changes_between('btcusd', ${span(hour)})`],
    ['book_between', (hour) => `select count(*) as answers from market.book_between('btcusd', ${span(hour)}, 10)`],
    [
      'book_between, samples',
      (hour) => `select count(*) as answers from market.book_between('btcusd', ${span(hour)}, 10, '1 second')`,
    ],
    [
      'top_of_book_at',
      (hour) => `select count(*) as answers from market.top_of_book_at('btcusd', '2026-03-01 ${hour}:32Z')`,
    ],
    ['quotes_between', (hour) => `select count(*) as answers from market.quotes_between('btcusd', ${span(hour)})`],
    [
      'realised_spread',
      (hour) =>
        `select count(*) as answers from market.realised_spread('btcusd', ${span(hour)}, '10 seconds') where mid_after = 100`,
    ],
  ]
  for (const [name, sql, mostRead] of QUESTIONS) {
    test(name, async () => {
      // Postgres may change its mind about a plan after five times.
      for (let i = 0; i < 6; i++) await readBy(sql('12'))
      const early = await readBy(sql('02'))
      const late = await readBy(sql('21'))
      for (const table of TABLES) {
        const read = late.get(table) ?? Number.NaN
        assert(read <= { ...MOST_READ, ...mostRead }[table], `${read} rows of ${table} read late in the epoch`)
        assert(read <= (early.get(table) ?? 0) + 5, `${read} rows of ${table} read late, ${early.get(table)} early`)
      }
    })
  }

  test('every function of schema market that asks is planned once, and not compiled', async () => {
    const without = await recording.rows(`
      select p.proname from pg_proc p join pg_language l on l.oid = p.prolang
      where p.pronamespace = 'market'::regnamespace and l.lanname = 'plpgsql'
        and not coalesce(p.proconfig @> '{plan_cache_mode=force_generic_plan,jit=off}', false)`)
    assert.deepEqual(without, [])
  })
})
