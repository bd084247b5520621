import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type BookSnapshot, deriveId, type MarketRecord } from '@booktape/market'
import type { Database } from './database.ts'
import { StoreError } from './store-error.ts'
import {
  AT,
  batchOf,
  bookMessage,
  decimal,
  dump,
  EPOCH,
  instrument,
  openStore,
  origin,
  registeredWriter,
  SESSION,
  trade,
} from './writer.fixture.ts'
import { type Batch, Writer } from './writer.ts'

const GAP = deriveId('gap', 1)
const LATER = AT + 60_000_000_000n

async function rowsOfTable(database: Database, sql: string): Promise<unknown[][]> {
  const { rows } = await database.pool.query<unknown[]>({ text: sql, rowMode: 'array' })
  return rows
}

/** Writes records as the journal's next entries and gives the result. */
const write = (writer: Writer, records: readonly MarketRecord[], fromPosition = 0) =>
  writer.write(batchOf(records, fromPosition))

test('a new journal is registered at position 0, and asked again it is there', async (t) => {
  const { database } = await openStore(t)
  const writer = new Writer(database, { journalId: deriveId('j'), line: 'b', shard: 3 })
  assert.equal(await writer.readPosition(), 0)
  assert.equal(await writer.readPosition(), 0)
  assert.deepEqual(await rowsOfTable(database, 'select line, shard, written_position from booktape.journals'), [
    ['b', 3, 0n],
  ])
})

test('a batch moves the position and the time until which the journal is stored', async (t) => {
  const { database } = await openStore(t)
  const writer = await registeredWriter(database)
  const result = await writer.write({
    fromPosition: 0,
    toPosition: 9_007_199_254_740_991,
    recordedUntilNs: AT,
    records: [],
  })
  assert.equal(result.outcome, 'committed')
  assert.equal(await writer.readPosition(), 9_007_199_254_740_991)
  assert.deepEqual(await rowsOfTable(database, "select recorded_until at time zone 'UTC' from booktape.journals"), [
    ['2026-07-29 08:00:00.123456'],
  ])
})

const SNAPSHOT: BookSnapshot = {
  kind: 'book_snapshot',
  epochId: EPOCH,
  symbol: 'btcusd',
  feed: 'v1',
  messageSeq: 1,
  updateId: 9_007_199_254_740_993n,
  eventTimeNs: null,
  receivedTimeNs: AT,
  reason: 'initial',
  bidPrices: [decimal('9000000000000'), decimal('0.000000001')],
  bidQuantities: [decimal('4105123935484.817624'), decimal('1')],
  askPrices: [],
  askQuantities: [],
  digest: '00ff'.repeat(16),
}

/** One record of each kind and, in words of Postgres, the row it becomes. Times are at offset +00 by `at time zone`. */
const RECORDS: readonly (readonly [MarketRecord, string, unknown[]])[] = [
  [
    { kind: 'session_opened', sessionId: SESSION, feed: 'ws', url: 'wss://x.test/"a"\\', receivedTimeNs: AT },
    `select session_id, journal_id, line, feed, url, opened_at, closed_at, close_code, close_reason from booktape.sessions`,
    [
      SESSION,
      origin('first').journalId,
      'a',
      'ws',
      'wss://x.test/"a"\\',
      '2026-07-29 08:00:00.123456+00',
      null,
      null,
      null,
    ],
  ],
  [
    {
      kind: 'epoch_started',
      epochId: EPOCH,
      sessionId: SESSION,
      symbol: 'btcusd',
      feed: 'ws',
      firstUpdateId: 9_223_372_036_854_775_807n,
      receivedTimeNs: AT,
    },
    `select epoch_id, session_id, journal_id, line, symbol, feed, started_at, ended_at, first_update_id, last_update_id, end_reason from booktape.epochs`,
    [
      EPOCH,
      SESSION,
      origin('first').journalId,
      'a',
      'btcusd',
      'ws',
      '2026-07-29 08:00:00.123456+00',
      null,
      9_223_372_036_854_775_807n,
      null,
      null,
    ],
  ],
  [
    {
      kind: 'gap_opened',
      gapId: GAP,
      symbol: 'btcusd',
      feed: 'ws',
      stream: 'trades',
      fromId: null,
      cause: 'liveness',
      receivedTimeNs: AT,
    },
    `select gap_id, journal_id, line, symbol, feed, stream, from_id, to_id, started_at, ended_at, cause, state from booktape.gaps`,
    [
      GAP,
      origin('first').journalId,
      'a',
      'btcusd',
      'ws',
      'trades',
      null,
      null,
      '2026-07-29 08:00:00.123456+00',
      null,
      'liveness',
      'open',
    ],
  ],
  [
    bookMessage(2, {
      firstUpdateId: 9_007_199_254_740_993n,
      lastUpdateId: 9_007_199_254_740_995n,
      changes: [
        { side: 'bid', price: decimal('9000000000000'), quantity: decimal('4105123935484.817624'), reason: 'place' },
        { side: 'ask', price: decimal('0.000000001'), quantity: decimal('0'), reason: 'cancel' },
      ],
    }),
    `select received_time, received_time_ns, event_time_ns, first_update_id, update_id, message_seq, epoch_id, symbol, feed, line, marks, prices, quantities from booktape.book_messages`,
    [
      '2026-07-29 08:00:00.123456+00',
      1_785_312_000_123_456_789n,
      1_785_312_000_118_456_789n,
      9_007_199_254_740_993n,
      9_007_199_254_740_995n,
      2n,
      EPOCH,
      'btcusd',
      'ws',
      'a',
      'pC',
      ['9000000000000', '0.000000001'],
      ['4105123935484.817624', '0'],
    ],
  ],
  [
    SNAPSHOT,
    `select received_time, received_time_ns, event_time_ns, update_id, message_seq, epoch_id, symbol, feed, line, reason, bid_prices, bid_quantities, ask_prices, ask_quantities, encode(digest, 'hex') from booktape.book_snapshots`,
    [
      '2026-07-29 08:00:00.123456+00',
      1_785_312_000_123_456_789n,
      null,
      9_007_199_254_740_993n,
      1n,
      EPOCH,
      'btcusd',
      'v1',
      'a',
      'initial',
      ['9000000000000', '0.000000001'],
      ['4105123935484.817624', '1'],
      [],
      [],
      '00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff',
    ],
  ],
  [
    {
      kind: 'quote',
      epochId: null,
      sessionId: SESSION,
      symbol: 'btcusd',
      feed: 'ws',
      messageSeq: 3,
      updateId: 7n,
      eventTimeNs: null,
      receivedTimeNs: AT,
      top: { bidPrice: decimal('0.000000001'), bidQuantity: decimal('5'), askPrice: null, askQuantity: null },
    },
    `select received_time, received_time_ns, event_time_ns, update_id, message_seq, session_id, epoch_id, symbol, feed, line, bid_price, bid_quantity, ask_price, ask_quantity from booktape.quotes`,
    [
      '2026-07-29 08:00:00.123456+00',
      1_785_312_000_123_456_789n,
      null,
      7n,
      3n,
      SESSION,
      null,
      'btcusd',
      'ws',
      'a',
      '0.000000001',
      '5',
      null,
      null,
    ],
  ],
  [
    trade(9_007_199_254_740_993n, {
      price: decimal('9000000000000'),
      quantity: decimal('4105123935484.817624'),
      takerSide: 'auction',
      source: 'rest',
      broken: true,
    }),
    `select symbol, trade_id, event_time, event_time_ns, received_time, received_time_ns, price, quantity, taker_side, source, line, broken from booktape.trades`,
    [
      'btcusd',
      9_007_199_254_740_993n,
      '2026-07-29 08:00:00.118456+00',
      1_785_312_000_118_456_789n,
      '2026-07-29 08:00:00.123456+00',
      1_785_312_000_123_456_789n,
      '9000000000000',
      '4105123935484.817624',
      'auction',
      'rest',
      'a',
      true,
    ],
  ],
  [
    { kind: 'instrument', instrument: instrument({ status: 'o"p\\e\0n' }), receivedTimeNs: AT },
    `select symbol, base_currency, quote_currency, price_increment, quantity_increment, min_order_size, status, product_type, contract_type, valid_from, valid_to from booktape.instruments`,
    [
      'btcusd',
      'BTC',
      'USD',
      '0.01',
      '0.00000001',
      '0.00001',
      'o"p\\e\uFFFDn',
      'spot',
      'vanilla',
      '2026-07-29 08:00:00.123456+00',
      null,
    ],
  ],
  [
    {
      kind: 'audit',
      symbol: 'btcusd',
      feed: 'ws',
      method: 'cross_feed',
      updateId: 9_007_199_254_740_993n,
      levelsCompared: 4_200,
      levelsDifferent: 1,
      result: 'different',
      receivedTimeNs: AT,
    },
    `select symbol, feed, line, audited_at, method, update_id, levels_compared, levels_different, result from booktape.audits`,
    [
      'btcusd',
      'ws',
      'a',
      '2026-07-29 08:00:00.123456+00',
      'cross_feed',
      9_007_199_254_740_993n,
      4_200n,
      1n,
      'different',
    ],
  ],
  [
    {
      kind: 'quarantine',
      sessionId: SESSION,
      messageSeq: 4,
      feed: 'v1',
      symbol: null,
      reason: 'NUL \0, half \uD800, "quoted", {1,NULL}',
      payload: Uint8Array.of(0, 255, 92, 34, 10),
      receivedTimeNs: AT,
    },
    `select session_id, message_seq, line, feed, symbol, received_time, reason, encode(payload, 'hex') from booktape.quarantine`,
    [
      SESSION,
      4n,
      'a',
      'v1',
      null,
      '2026-07-29 08:00:00.123456+00',
      'NUL \uFFFD, half \uFFFD, "quoted", {1,NULL}',
      '00ff5c220a',
    ],
  ],
]

test('every kind of record lands in its columns exactly, all in one batch', async (t) => {
  const { database } = await openStore(t)
  const writer = await registeredWriter(database)
  const result = await write(
    writer,
    RECORDS.map(([record]) => record),
  )
  assert.deepEqual(result, {
    outcome: 'committed',
    rows: {
      sessions: 1,
      epochs: 1,
      gaps: 1,
      book_messages: 1,
      book_snapshots: 1,
      quotes: 1,
      trades: 1,
      instruments: 1,
      audits: 1,
      quarantine: 1,
    },
    conflicts: [],
    poison: [],
  })
  const client = await database.pool.connect()
  t.after(() => client.release(true))
  await client.query(`set timezone = 'UTC'`)
  for (const [record, sql, expected] of RECORDS) {
    const { rows } = await client.query<unknown[]>({ text: sql, rowMode: 'array' })
    assert.deepEqual(rows, [expected], record.kind)
  }
})

/** What began ends, what was lost is found again; each end comes twice, differently, and the first one counts. */
const ENDS: readonly MarketRecord[] = [
  { kind: 'session_closed', sessionId: SESSION, code: 1006, reason: 'gone', receivedTimeNs: LATER },
  { kind: 'session_closed', sessionId: SESSION, code: null, reason: 'again', receivedTimeNs: LATER + 1_000n },
  { kind: 'epoch_ended', epochId: EPOCH, lastUpdateId: 8n, reason: 'disconnect', receivedTimeNs: LATER },
  { kind: 'epoch_ended', epochId: EPOCH, lastUpdateId: 9n, reason: 'again', receivedTimeNs: LATER + 1_000n },
  { kind: 'gap_closed', gapId: GAP, toId: 12n, receivedTimeNs: LATER },
  { kind: 'gap_closed', gapId: GAP, toId: 13n, receivedTimeNs: LATER + 1_000n },
  { kind: 'gap_settled', gapId: GAP, state: 'filled', receivedTimeNs: LATER },
  { kind: 'gap_settled', gapId: GAP, state: 'unfillable', receivedTimeNs: LATER + 1_000n },
]
const BEGINNINGS = RECORDS.map(([record]) => record)

for (const [name, batches] of [
  ['in one batch', [[...BEGINNINGS, ...ENDS]]],
  ['in a batch of their own', [BEGINNINGS, ENDS]],
  ['one by one', [...BEGINNINGS, ...ENDS].map((record) => [record])],
] as const) {
  test(`what ends is closed once: beginnings and ends ${name}`, async (t) => {
    const { database } = await openStore(t)
    const writer = await registeredWriter(database)
    let position = 0
    for (const records of batches) {
      assert.equal((await write(writer, records, position)).outcome, 'committed')
      position += records.length
    }
    const closed = `closed_at = '2026-07-29T08:01:00.123456Z'`
    const ended = `ended_at = '2026-07-29T08:01:00.123456Z'`
    for (const [sql, expected] of [
      [`select ${closed}, close_code, close_reason from booktape.sessions`, [true, 1006, 'gone']],
      [`select ${ended}, last_update_id, end_reason from booktape.epochs`, [true, 8n, 'disconnect']],
      [`select ${ended}, to_id, state from booktape.gaps`, [true, 12n, 'filled']],
    ] as const) {
      assert.deepEqual(await rowsOfTable(database, sql), [expected])
    }
  })
}

test('a gap that proved empty is gone, opened in the same batch or before', async (t) => {
  const { database } = await openStore(t)
  const writer = await registeredWriter(database)
  const opened = (gapId: string): MarketRecord => ({
    kind: 'gap_opened',
    gapId,
    symbol: 'btcusd',
    feed: 'ws',
    stream: 'book',
    fromId: 7n,
    cause: 'disconnect',
    receivedTimeNs: AT,
  })
  const withdrawn = (gapId: string): MarketRecord => ({ kind: 'gap_withdrawn', gapId, receivedTimeNs: LATER })
  const other = deriveId('gap', 2)
  await write(writer, [opened(GAP), opened(other)])
  await write(writer, [withdrawn(GAP), opened(deriveId('gap', 3)), withdrawn(deriveId('gap', 3))], 2)
  assert.deepEqual(await rowsOfTable(database, 'select gap_id, from_id from booktape.gaps'), [[other, 7n]])
})

/** A recording of many rows: trades that both feeds report, messages, quotes, and details that change. */
const RECORDING: readonly MarketRecord[] = [
  ...BEGINNINGS,
  ...Array.from({ length: 300 }, (_, i): MarketRecord[] => [
    bookMessage(10 + i, {
      receivedTimeNs: AT + BigInt(i) * 1_000_001n,
      eventTimeNs: i % 5 === 0 ? null : AT,
      symbol: i % 7 === 0 ? 'a"b\\c,{NULL}\n' : 'btcusd', // no symbol of the venue, but no two ways of storing may differ
      changes: i % 11 === 0 ? [] : bookMessage(1).changes,
    }),
    {
      kind: 'quote',
      epochId: i % 2 === 0 ? null : EPOCH,
      sessionId: SESSION,
      symbol: 'NULL',
      feed: 'ws',
      messageSeq: 10 + i,
      updateId: BigInt(i),
      eventTimeNs: AT,
      receivedTimeNs: AT,
      top: { bidPrice: decimal('0.000000001'), bidQuantity: decimal('5'), askPrice: null, askQuantity: null },
    },
    trade(BigInt(500 - Math.floor(i / 2)), { source: i % 2 === 0 ? 'v1' : 'ws', receivedTimeNs: AT + BigInt(i) }),
    {
      kind: 'instrument',
      instrument: instrument({ symbol: i % 3 === 0 ? 'ethusd' : 'btcusd', status: i < 150 ? 'open' : 'limit_only' }),
      receivedTimeNs: AT + BigInt(i) * 1_000_000n,
    },
  ]).flat(),
  ...ENDS,
]

function inBatchesOf(size: number): Batch[] {
  const batches: Batch[] = []
  for (let from = 0; from < RECORDING.length; from += size) {
    batches.push(batchOf(RECORDING.slice(from, from + size), from))
  }
  return batches
}

test('the same records in batches of other sizes give the same tables', async (t) => {
  const dumps: unknown[] = []
  for (const size of [2_000, 100, 7]) {
    const { database } = await openStore(t)
    const writer = await registeredWriter(database)
    for (const batch of inBatchesOf(size)) assert.equal((await writer.write(batch)).outcome, 'committed')
    dumps.push(await dump(database))
  }
  assert.deepEqual(dumps[1], dumps[0])
  assert.deepEqual(dumps[2], dumps[0])
})

test('the same batch twice is already there, and nothing is doubled', async (t) => {
  const { database } = await openStore(t)
  const writer = await registeredWriter(database)
  const batch = batchOf(RECORDING)
  assert.equal((await writer.write(batch)).outcome, 'committed')
  const first = await dump(database)
  assert.deepEqual(await writer.write(batch), { outcome: 'already' })
  assert.deepEqual(await dump(database), first)
})

test('the same records under a position that was set back change nothing but the position', async (t) => {
  const { database } = await openStore(t)
  const writer = await registeredWriter(database)
  await writer.write(batchOf(RECORDING))
  const first = await dump(database)
  for (const size of [2_000, 50]) {
    await database.pool.query('update booktape.journals set written_position = 0')
    for (const batch of inBatchesOf(size)) assert.equal((await writer.write(batch)).outcome, 'committed')
    assert.deepEqual(await dump(database), first)
  }
})

test('two writers on one journal: the second to write is told, and stores nothing', async (t) => {
  const { database } = await openStore(t)
  const [first, second] = [await registeredWriter(database), await registeredWriter(database)]
  await write(first, [trade(1n), trade(2n)])
  await assert.rejects(
    write(second, [trade(3n), trade(4n), trade(5n)]),
    (error) =>
      error instanceof StoreError && error.code === 'POSITION_MOVED' && /position 2.*from 0 to 3/.test(error.message),
  )
  assert.deepEqual(await rowsOfTable(database, 'select trade_id from booktape.trades order by 1'), [[1n], [2n]])
})

test('a journal that was never registered is told so', async (t) => {
  const { database } = await openStore(t)
  await assert.rejects(
    write(new Writer(database, origin('nowhere')), [trade(1n)]),
    (error) => error instanceof StoreError && error.code === 'POSITION_MOVED' && /has no position/.test(error.message),
  )
})

test('the first report of a trade stands, and one that says otherwise is given back', async (t) => {
  const { database } = await openStore(t)
  const writer = await registeredWriter(database)
  await write(writer, [trade(1n), trade(2n), trade(3n), trade(4n)])
  const result = await write(
    writer,
    [
      trade(1n, { source: 'v1', receivedTimeNs: LATER, eventTimeNs: AT }), // another report of the same trade
      trade(2n, { price: decimal('83948.71') }),
      trade(3n, { quantity: decimal('0.010000001') }),
      trade(4n, { takerSide: 'sell' }),
      trade(5n),
      trade(5n, { takerSide: 'unknown' }), // in conflict within its own batch
    ],
    4,
  )
  const stored = { price: '83948.7', quantity: '0.01', takerSide: 'buy' }
  assert.ok(result.outcome === 'committed')
  assert.equal(result.rows.trades, 1)
  assert.deepEqual(result.conflicts, [
    { symbol: 'btcusd', tradeId: 2n, stored, given: { ...stored, price: '83948.71' } },
    { symbol: 'btcusd', tradeId: 3n, stored, given: { ...stored, quantity: '0.010000001' } },
    { symbol: 'btcusd', tradeId: 4n, stored, given: { ...stored, takerSide: 'sell' } },
    { symbol: 'btcusd', tradeId: 5n, stored, given: { ...stored, takerSide: 'unknown' } },
  ])
  assert.deepEqual(
    await rowsOfTable(database, 'select distinct price, quantity, taker_side, source from booktape.trades'),
    [['83948.7', '0.01', 'buy', 'ws']],
  )
})

test('at most a hundred conflicts are given back', async (t) => {
  const { database } = await openStore(t)
  const writer = await registeredWriter(database)
  const ids = Array.from({ length: 150 }, (_, i) => BigInt(i))
  await write(
    writer,
    ids.map((id) => trade(id)),
  )
  const result = await write(
    writer,
    ids.map((id) => trade(id, { takerSide: 'sell' })),
    150,
  )
  assert.ok(result.outcome === 'committed')
  assert.equal(result.conflicts.length, 100)
})

test('a trade that is broken later is marked so, and never mended', async (t) => {
  const { database } = await openStore(t)
  const writer = await registeredWriter(database)
  await write(writer, [trade(1n), trade(2n)])
  await write(writer, [trade(1n, { broken: true, source: 'rest' })], 2)
  await write(writer, [trade(1n, { broken: false })], 3)
  assert.deepEqual(await rowsOfTable(database, 'select trade_id, broken, source from booktape.trades order by 1'), [
    [1n, true, 'ws'],
    [2n, false, 'ws'],
  ])
})

test('a row of a day without a partition goes to the default one', async (t) => {
  const { database } = await openStore(t)
  const writer = await registeredWriter(database)
  const nextDay = AT + 86_400_000_000_000n
  await write(writer, [bookMessage(1), bookMessage(2, { receivedTimeNs: nextDay })])
  assert.deepEqual(
    await rowsOfTable(
      database,
      'select c.relname, message_seq from booktape.book_messages m join pg_class c on c.oid = m.tableoid order by 2',
    ),
    [
      ['book_messages_20260729', 1n],
      ['book_messages_default', 2n],
    ],
  )
})

test('a batch of more rows than one statement takes is stored whole', async (t) => {
  const { database } = await openStore(t)
  const writer = await registeredWriter(database)
  const result = await write(
    writer,
    Array.from({ length: 70_000 }, (_, i) => trade(BigInt(i))),
  )
  assert.ok(result.outcome === 'committed')
  assert.equal(result.rows.trades, 70_000)
  assert.deepEqual(await rowsOfTable(database, 'select count(*), max(trade_id) from booktape.trades'), [
    [70_000n, 69_999n],
  ])
})

test('an epoch that outlived its journal ends with its last message when the next one of its line begins', async (t) => {
  const { database } = await openStore(t)
  const epoch = (epochId: string, symbol: string, receivedTimeNs: bigint): MarketRecord => ({
    kind: 'epoch_started',
    epochId,
    sessionId: SESSION,
    symbol,
    feed: 'ws',
    firstUpdateId: 1n,
    receivedTimeNs,
  })
  const [old, next, other] = [deriveId('old'), deriveId('next'), deriveId('other')] as const
  const lost = await registeredWriter(database, 'lost')
  await write(lost, [
    epoch(old, 'btcusd', AT),
    epoch(other, 'ethusd', AT),
    bookMessage(7, { epochId: old, receivedTimeNs: AT + 1_000n }),
  ])
  const anew = await registeredWriter(database, 'anew')
  await write(anew, [epoch(next, 'btcusd', LATER)])
  const otherLine = await registeredWriter(database, 'other line', 'b')
  await write(otherLine, [epoch(deriveId('line b'), 'btcusd', LATER + 1_000n)])
  const { rows } = await database.pool.query({
    text: `select epoch_id, end_reason, last_update_id, ended_at = timestamptz '2026-07-29T08:00:00.123457Z' as is_last
      from booktape.epochs where ended_at is not null`,
    rowMode: 'array',
  })
  assert.deepEqual(rows, [[old, 'restart', 7n, true]])
})

test('while shards are divided anew a symbol is on two of a line, and each ends its own epoch', async (t) => {
  const { database } = await openStore(t)
  const epoch = (epochId: string, receivedTimeNs: bigint): MarketRecord => ({
    kind: 'epoch_started',
    epochId,
    sessionId: SESSION,
    symbol: 'btcusd',
    feed: 'ws',
    firstUpdateId: 1n,
    receivedTimeNs,
  })
  const old = deriveId('old')
  const endOfOld = async () =>
    await rowsOfTable(database, `select end_reason from booktape.epochs where epoch_id = '${old}'`)
  const oldShard = await registeredWriter(database, 'shard 0')
  await write(oldShard, [epoch(old, AT)])
  const newShard = new Writer(database, { ...origin('shard 1'), shard: 1 })
  await newShard.readPosition()
  await write(newShard, [epoch(deriveId('moved'), LATER)])
  assert.deepEqual(await endOfOld(), [[null]])
  // A journal of another shard that has told nothing for an hour will not.
  const afterAnHour = AT + 3_700_000_000_000n
  await write(newShard, [epoch(deriveId('later'), afterAnHour)], 1)
  assert.deepEqual(await endOfOld(), [['restart']])
})

test('a lost journal leaves no hole undisclosed: its successor bridges the time between, and takes over its gaps', async (t) => {
  const { database } = await openStore(t)
  const epoch = (epochId: string, receivedTimeNs: bigint): MarketRecord => ({
    kind: 'epoch_started',
    epochId,
    sessionId: SESSION,
    symbol: 'btcusd',
    feed: 'ws',
    firstUpdateId: 90n,
    receivedTimeNs,
  })
  const gap = (name: string, stream: 'book' | 'trades', cause: 'restart' | 'disconnect', receivedTimeNs: bigint) =>
    ({
      kind: 'gap_opened',
      gapId: deriveId(name),
      symbol: 'btcusd',
      feed: 'ws',
      stream,
      fromId: cause === 'restart' ? null : 5n,
      cause,
      receivedTimeNs,
    }) as const satisfies MarketRecord
  const closed = (name: string, receivedTimeNs: bigint): MarketRecord => ({
    kind: 'gap_closed',
    gapId: deriveId(name),
    toId: null,
    receivedTimeNs,
  })
  const [old, next] = [deriveId('old'), deriveId('next')] as const
  const lost = await registeredWriter(database, 'lost')
  await write(lost, [
    gap('waits to be filled', 'trades', 'disconnect', AT - 9_000n),
    closed('waits to be filled', AT - 8_000n),
    epoch(old, AT),
    bookMessage(7, { epochId: old, receivedTimeNs: AT + 1_000n }),
    gap('never closed', 'trades', 'disconnect', AT + 1_000n),
  ])
  const line = await registeredWriter(database, 'other line', 'b')
  await write(line, [gap('of line b', 'trades', 'disconnect', AT)])
  const anew = await registeredWriter(database, 'anew')
  await write(anew, [gap('book', 'book', 'restart', AT + 5_000n), gap('trades', 'trades', 'restart', AT + 5_000n)])
  const settled: MarketRecord = {
    kind: 'gap_settled',
    gapId: deriveId('trades'),
    state: 'filled',
    receivedTimeNs: LATER,
  }
  const successor = [closed('trades', LATER), epoch(next, LATER), closed('book', LATER), settled]
  await write(anew, successor, 2)
  const sql = `select line, stream, from_id, cause, state,
      ((extract(epoch from started_at) - extract(epoch from timestamptz '2026-07-29T08:00:00.123456Z')) * 1e6)::int,
      ended_at is null from booktape.gaps order by line, stream, started_at`
  assert.deepEqual(await rowsOfTable(database, sql), [
    ['a', 'book', 7n, 'restart', 'closed', 1, false], // the bridge: from the last message on
    ['a', 'book', null, 'restart', 'closed', 5, false],
    ['a', 'trades', 5n, 'disconnect', 'filled', -9, false],
    ['a', 'trades', 5n, 'disconnect', 'filled', 1, false],
    ['a', 'trades', null, 'restart', 'filled', 5, false],
    ['b', 'trades', 5n, 'disconnect', 'open', 0, true],
  ])
})
