import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { at, type TestEpoch, type TestRecording, testRecording } from './recording.fixture.ts'

const COLUMNS = {
  audits: 'symbol, feed, line, audited_at, method, update_id, levels_compared, levels_different, result',
  book_changes:
    'symbol, feed, line, epoch_id, message_seq, change_index, update_id, event_time, event_time_ns, received_time, received_time_ns, side, price, quantity, reason, is_snapshot',
  book_snapshots:
    'symbol, feed, line, epoch_id, update_id, taken_at, reason, bid_prices, bid_quantities, ask_prices, ask_quantities, digest',
  epochs: 'epoch_id, session_id, line, symbol, feed, started_at, ended_at, first_update_id, last_update_id, end_reason',
  gaps: 'gap_id, line, symbol, feed, stream, from_id, to_id, started_at, ended_at, cause, state',
  instruments:
    'symbol, base_currency, quote_currency, price_increment, quantity_increment, min_order_size, status, product_type, contract_type, valid_from, valid_to',
  quarantine: 'line, feed, symbol, received_time, reason, payload',
  quotes:
    'symbol, feed, line, epoch_id, update_id, event_time, event_time_ns, received_time, received_time_ns, bid_price, bid_quantity, ask_price, ask_quantity',
  sessions: 'session_id, line, feed, url, opened_at, closed_at, close_code, close_reason',
  trades:
    'symbol, trade_id, event_time, event_time_ns, received_time, received_time_ns, price, quantity, taker_side, source, line, broken',
}

const FUNCTIONS = [
  'bars(symbol text, width interval, from_time timestamp with time zone, to_time timestamp with time zone)',
  'book_at(symbol text, at timestamp with time zone, depth integer DEFAULT NULL::integer, feed text DEFAULT NULL::text)',
  'book_at_update(symbol text, epoch_id uuid, update_id bigint, depth integer DEFAULT NULL::integer)',
  'book_between(symbol text, from_time timestamp with time zone, to_time timestamp with time zone, depth integer, every interval DEFAULT NULL::interval, feed text DEFAULT NULL::text)',
  'changes_between(symbol text, from_time timestamp with time zone, to_time timestamp with time zone, feed text DEFAULT NULL::text)',
  'coverage(symbol text, feed text, from_time timestamp with time zone, to_time timestamp with time zone)',
  'depth_within(symbol text, at timestamp with time zone, basis_points numeric, feed text DEFAULT NULL::text)',
  'fill_cost_at(symbol text, at timestamp with time zone, taker_side text, quantity numeric, feed text DEFAULT NULL::text)',
  'microprice_at(symbol text, at timestamp with time zone, feed text DEFAULT NULL::text)',
  'order_flow_imbalance(symbol text, width interval, from_time timestamp with time zone, to_time timestamp with time zone, feed text DEFAULT NULL::text)',
  'quoted_spread(symbol text, width interval, from_time timestamp with time zone, to_time timestamp with time zone, feed text DEFAULT NULL::text)',
  'quotes_between(symbol text, from_time timestamp with time zone, to_time timestamp with time zone, feed text DEFAULT NULL::text)',
  'realised_spread(symbol text, from_time timestamp with time zone, to_time timestamp with time zone, horizon interval, feed text DEFAULT NULL::text)',
  'top_of_book_at(symbol text, at timestamp with time zone, feed text DEFAULT NULL::text)',
]

describe('schema market', () => {
  let recording: TestRecording
  let epoch: TestEpoch

  before(async () => {
    recording = await testRecording()
    const journal = await recording.journal('a', 'a', '12:00:00')
    epoch = await recording.epoch('one', { journal, from: '10:00:00', to: '10:00:10' })
    await recording.client.query(`select booktape.make_partitions('2026-02-28', 4)`)
    const initial = {
      bids: [['0.000000001', '9000000000000']],
      asks: [
        ['4105123935484.817624', '1'],
        ['4105123935485', '2'],
      ],
    } as const
    await recording.snapshot(epoch, '10:00:00.000000999', 1, initial, { updateId: '9223372036854775806' })
    await recording.snapshot(epoch, '10:00:01', 1, initial, { reason: 'interval' })
    await recording.message(
      epoch,
      '10:00:02.123456789',
      2,
      [
        ['p', '1', '1'],
        ['T', '2', '0'],
        ['c', '3', '0'],
        ['B', '4', '1'],
        ['i', '5', '1'],
        ['U', '6', '1'],
      ],
      { updateId: '9223372036854775807', eventTimeNs: '9007199254740993123' },
    )
    await recording.message(epoch, '10:00:03', 3, [])
  })
  after(() => recording.close())

  for (const [view, columns] of Object.entries(COLUMNS)) {
    test(`${view} has the columns of the contract, in its order`, async () => {
      const found = await recording.rows(
        `select string_agg(column_name, ', ' order by ordinal_position) from information_schema.columns
         where table_schema = 'market' and table_name = $1`,
        view,
      )
      assert.deepEqual(found, [[columns]])
    })
  }

  test('functions have the arguments of the contract and none can write', async () => {
    const found = await recording.rows(
      `select proname || '(' || pg_get_function_arguments(oid) || ')', provolatile from pg_proc
       where pronamespace = 'market'::regnamespace order by proname`,
    )
    assert.deepEqual(
      found,
      FUNCTIONS.map((signature) => [signature, 's']),
    )
  })

  test('book_changes unfolds deltas and the snapshots that begin an epoch, every value exact', async () => {
    const found = await recording.rows(
      `select message_seq, change_index, update_id, event_time, event_time_ns, received_time, received_time_ns, side, price, quantity, reason, is_snapshot
       from market.book_changes where epoch_id = $1 order by message_seq, change_index`,
      epoch.id,
    )
    const whole = ['9223372036854775806', null, null, '2026-03-01 10:00:00+00', '1772359200000000999']
    const delta = [
      '9223372036854775807',
      '2255-06-05 23:47:34.740993+00',
      '9007199254740993123',
      '2026-03-01 10:00:02.123456+00',
      '1772359202123456789',
    ]
    assert.deepEqual(found, [
      ['1', '0', ...whole, 'bid', '0.000000001', '9000000000000', 'initial', 't'],
      ['1', '1', ...whole, 'ask', '4105123935484.817624', '1', 'initial', 't'],
      ['1', '2', ...whole, 'ask', '4105123935485', '2', 'initial', 't'],
      ['2', '0', ...delta, 'bid', '1', '1', 'place', 'f'],
      ['2', '1', ...delta, 'ask', '2', '0', 'trade', 'f'],
      ['2', '2', ...delta, 'bid', '3', '0', 'cancel', 'f'],
      ['2', '3', ...delta, 'ask', '4', '1', 'top-of-book', 'f'],
      ['2', '4', ...delta, 'bid', '5', '1', 'initial', 'f'],
      ['2', '5', ...delta, 'ask', '6', '1', null, 'f'],
    ])
  })

  test('book_snapshots shows every snapshot with its digest in hex', async () => {
    assert.deepEqual(
      await recording.rows('select taken_at, reason, ask_prices, digest from market.book_snapshots order by taken_at'),
      [
        ['2026-03-01 10:00:00+00', 'initial', '{4105123935484.817624,4105123935485}', 'ab'.repeat(32)],
        ['2026-03-01 10:00:01+00', 'interval', '{4105123935484.817624,4105123935485}', 'ab'.repeat(32)],
      ],
    )
  })

  for (const [ns, instant] of [
    ['0', '1970-01-01 00:00:00+00'],
    ['999', '1970-01-01 00:00:00+00'],
    ['1000', '1970-01-01 00:00:00.000001+00'],
    ['1772359202123456999', '2026-03-01 10:00:02.123456+00'],
    ['9007199254740993999', '2255-06-05 23:47:34.740993+00'], // beyond 2^53
    ['9223372036854775807', '2262-04-11 23:47:16.854775+00'],
    [null, null],
  ] as const) {
    test(`${ns} ns is the instant ${instant}, in any time zone and interval style`, async () => {
      await recording.client.query(`set intervalstyle = 'sql_standard'; set timezone = 'America/New_York'`)
      const found = await recording.rows(`select booktape.instant($1)::timestamptz at time zone 'UTC' || '+00'`, ns)
      await recording.client.query(`reset intervalstyle; set timezone = 'UTC'`)
      assert.deepEqual(found, [[instant]])
    })
  }

  describe('filters reach the tables', () => {
    const plan = async (sql: string) =>
      (await recording.rows(`explain (costs off) ${sql}`)).map((row) => String(row[0])).join('\n')

    test('book_changes by symbol and received_time: one day of fresh messages and books, by index', async () => {
      const found = await plan(
        `select * from market.book_changes where symbol = 'btcusd' and received_time >= '2026-03-01' and received_time < '2026-03-02'`,
      )
      assert.deepEqual(
        new Set(found.match(/on book_(messages|snapshots)_(default|\d{8})\b/g)),
        new Set(['on book_messages_20260301', 'on book_snapshots_20260301']),
      )
      assert.match(found, /Index Cond: .*symbol = 'btcusd'.*received_time >= '2026-03-01/)
    })
    test('changes_of by the times of its first and last message: chunks of the days beside them', async () => {
      const found = await plan(
        `select * from booktape.changes_of('${epoch.id}', 1, 3, '2026-02-28 12:00+00', '2026-02-28 12:00+00')`,
      )
      assert.deepEqual(found.match(/book_chunks_20\d{6}\b/g)?.includes('book_chunks_20260303'), false)
    })
    test('book_changes by epoch_id: by index', async () => {
      await recording.client.query('set enable_seqscan = off')
      const found = await plan(`select * from market.book_changes where epoch_id = '${epoch.id}' and not is_snapshot`)
      await recording.client.query('reset enable_seqscan')
      assert.match(found, /Index Cond: \(epoch_id = /)
      assert.doesNotMatch(found, /book_snapshots/)
    })
    test('book_snapshots by taken_at and quotes by received_time: one day', async () => {
      for (const [view, column] of [
        ['book_snapshots', 'taken_at'],
        ['quotes', 'received_time'],
      ] as const) {
        const found = await plan(
          `select * from market.${view} where symbol = 'btcusd' and ${column} >= '2026-03-01' and ${column} < '2026-03-02'`,
        )
        assert.deepEqual(found.match(/on \S+_(default|\d{8})\b/g), [`on ${view}_20260301`])
      }
    })
  })

  describe('the role booktape_reader', () => {
    const as = async (sql: string) => {
      await recording.client.query('set role booktape_reader')
      try {
        return await recording.rows(sql)
      } finally {
        await recording.client.query('reset role')
      }
    }
    test('reads every view', async () => {
      for (const view of Object.keys(COLUMNS)) assert(Array.isArray(await as(`select * from market.${view}`)), view)
    })
    test('calls the functions', async () => {
      assert.equal((await as(`select * from market.book_at('btcusd', '${at('10:00:05')}')`)).length, 7)
      assert.equal(
        (await as(`select * from market.coverage('btcusd', null, '${at('10:00:00')}', '${at('10:00:05')}')`)).length,
        1,
      )
    })
    for (const statement of [
      'delete from booktape.trades',
      'delete from market.trades',
      "insert into booktape.venue (name, checksum) values ('gemini', 0)",
      'update booktape.journals set written_position = 0',
      'create table market.mine (id bigint)',
      `select booktape.make_partitions('2026-01-01', 1)`,
      'select * from public.booktape_migrations',
    ]) {
      test(`may not ${statement}`, async () => {
        await assert.rejects(as(statement), { code: '42501' })
      })
    }
  })
})
