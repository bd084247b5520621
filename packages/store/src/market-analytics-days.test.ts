import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { deriveId } from '@booktape/market'
import { storeQuote } from './analytics.fixture.ts'
import { at, type TestRecording, testRecording } from './recording.fixture.ts'

/** Days recorded before and after that of the question, each in epochs of its own. */
const DAYS_AROUND = 4

/**
 * What a question reads, as Postgres counted it: the days whose partitions were looked into. The days beside the one asked for are
 * allowed, because our clock may be set back by up to 24 hours within an epoch (booktape.clock_step).
 */
describe('no function looks into days it does not need', () => {
  let recording: TestRecording

  before(async () => {
    recording = await testRecording()
    await recording.client.query(`select booktape.make_partitions('2026-02-20', 20)`)
    const journal = await recording.journal('a', 'a', '12:00:00')
    const epoch = await recording.epoch('day 0', { journal, from: '10:00:00', to: '11:00:00' })
    await recording.snapshot(epoch, '10:00:00', 1, { bids: [['10', '1']], asks: [['12', '1']] })
    await recording.message(epoch, '10:10:00', 2, [['p', '11', '1']])
    await recording.message(epoch, '10:20:00', 3, [['c', '11', '0']])
    for (const [time, seq, text] of [
      ['10:00:00', 1, '10 x 1 / 12 x 1'],
      ['10:10:00', 2, '11 x 1 / 12 x 1'],
      ['10:20:00', 3, '10 x 1 / 12 x 1'],
    ] as const) {
      await storeQuote(recording, epoch, time, seq, text)
    }
    await recording.trade(1, '10:15:00', '12', '1')
    for (let day = -DAYS_AROUND; day <= DAYS_AROUND; day++) {
      if (day === 0) continue
      const id = deriveId('epoch', `day ${day}`)
      for (const table of ['book_messages', 'book_snapshots', 'quotes']) {
        await recording.client.query(
          `insert into booktape.${table} select (jsonb_populate_record(t, jsonb_build_object(
             'epoch_id', $1::text, 'received_time', t.received_time + $2::interval))).*
           from booktape.${table} t where t.epoch_id = $3`,
          [id, `${day} days`, epoch.id],
        )
      }
      await recording.client.query(
        `insert into booktape.epochs select (jsonb_populate_record(e, jsonb_build_object(
           'epoch_id', $1::text, 'started_at', e.started_at + $2::interval, 'ended_at', e.ended_at + $2::interval))).*
         from booktape.epochs e where e.epoch_id = $3`,
        [id, `${day} days`, epoch.id],
      )
    }
    await recording.client.query('analyze')
  })
  after(() => recording.close())

  /** How often each partition was looked into by this session; counts of a moment ago are among them, so only growth tells. */
  const looks = async (): Promise<ReadonlyMap<string, number>> => {
    const rows = await recording.rows(
      `select relname, coalesce(seq_scan, 0) + coalesce(idx_scan, 0) from pg_stat_xact_user_tables
       where schemaname = 'booktape' and relname ~ '_20\\d{6}$'`,
    )
    return new Map(rows.map(([name, count]) => [name ?? '', Number(count)]))
  }
  const daysRead = async (sql: string): Promise<{ rows: number; days: string[] }> => {
    await recording.client.query('begin')
    try {
      const counted = await looks()
      const { rowCount } = await recording.client.query(sql)
      const grown = [...(await looks())].filter(([name, count]) => count > (counted.get(name) ?? 0))
      return { rows: rowCount ?? 0, days: [...new Set(grown.map(([name]) => name.slice(-8)))].sort() }
    } finally {
      await recording.client.query('rollback')
    }
  }

  const from = at('10:05:00')
  const to = at('10:30:00')
  for (const call of [
    `market.book_at('btcusd', '${to}')`,
    `market.book_at_update('btcusd', '${deriveId('epoch', 'day 0')}', 2)`,
    `market.top_of_book_at('btcusd', '${to}')`,
    `market.fill_cost_at('btcusd', '${to}', 'buy', 1)`,
    `market.depth_within('btcusd', '${to}', 1000)`,
    `market.changes_between('btcusd', '${from}', '${to}')`,
    `market.book_between('btcusd', '${from}', '${to}', 1)`,
    `market.book_between('btcusd', '${from}', '${to}', 1, '5 minutes')`,
    `market.quotes_between('btcusd', '${from}', '${to}')`,
    `market.order_flow_imbalance('btcusd', '5 minutes', '${from}', '${to}')`,
    `market.quoted_spread('btcusd', '5 minutes', '${from}', '${to}')`,
    `market.realised_spread('btcusd', '${from}', '${to}', '5 minutes')`,
    `generate_series(timestamptz '${from}', '${to}', '5 minutes') t cross join lateral market.top_of_book_at('btcusd', t)`,
  ]) {
    test(call, async () => {
      const { rows, days } = await daysRead(`select * from ${call}`)
      assert.ok(rows > 0)
      assert.ok(days.includes('20260301'))
      assert.deepEqual(
        days.filter((day) => !['20260228', '20260301', '20260302'].includes(day)),
        [],
      )
    })
  }

  test('a question about all days reads all of them', async () => {
    const { days } = await daysRead(
      `select * from market.quotes_between('btcusd', '2026-02-24', '2026-03-06') order by known_from`,
    )
    assert.ok(days.includes('20260225') && days.includes('20260305'))
  })
})

test('a reader may ask every function', async () => {
  const recording = await testRecording()
  try {
    const journal = await recording.journal('a', 'a', '12:00:00')
    const epoch = await recording.epoch('one', { journal, from: '10:00:00', to: '11:00:00' })
    await recording.snapshot(epoch, '10:00:00', 1, { bids: [['10', '1']], asks: [['12', '1']] })
    await recording.message(epoch, '10:10:00', 2, [['p', '11', '1']])
    await storeQuote(recording, epoch, '10:00:00', 1, '10 x 1 / 12 x 1')
    await recording.trade(1, '10:15:00', '12', '1')
    await recording.client.query('set role booktape_reader; set default_transaction_read_only = on')
    const span = `'${at('10:00:00')}', '${at('10:30:00')}'`
    for (const call of [
      `quotes_between('btcusd', ${span})`,
      `order_flow_imbalance('btcusd', '1 hour', ${span})`,
      `quoted_spread('btcusd', '1 hour', ${span})`,
      `realised_spread('btcusd', ${span}, '1 minute')`,
      `microprice_at('btcusd', '${at('10:10:00')}')`,
      `depth_within('btcusd', '${at('10:10:00')}', 10)`,
      `book_between('btcusd', ${span}, 5)`,
      `book_between('btcusd', ${span}, 5, '1 second')`,
    ]) {
      assert.notDeepEqual(await recording.rows(`select * from market.${call}`), [], call)
    }
  } finally {
    await recording.close()
  }
})
