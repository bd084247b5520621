import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deriveId, type MarketRecord } from '@booktape/market'
import type { Database } from './database.ts'
import { MAX_POISON_ROWS, MAX_POISON_ROWS_OF_BATCH } from './poison-rows.ts'
import { StoreError } from './store-error.ts'
import { AT, batchOf, bookMessage, dump, instrument, openStore, registeredWriter, trade } from './writer.fixture.ts'
import type { WriteResult } from './writer.ts'

// Postgres refuses a row, by a constraint or a trigger that stands in for a mistake of ours: the row is set aside and what is
// missing without it is said, and everything else is stored as if nothing had happened.

const MS = 1_000_000n
const epochId = (n: number): string => deriveId('poison epoch', n)
const uuid = (n: number): string => deriveId('poison', n)

/** Three records of each table, and the constraint that refuses the second. */
const KINDS: Readonly<Record<string, readonly [records: (n: number) => MarketRecord, refuses: string, gap: string[]]>> =
  {
    sessions: [
      (n) => ({ kind: 'session_opened', sessionId: uuid(n), feed: 'ws', url: `wss://${n}.test`, receivedTimeNs: AT }),
      "url <> 'wss://2.test'",
      [],
    ],
    epochs: [
      (n) => ({
        kind: 'epoch_started',
        epochId: epochId(n),
        sessionId: uuid(1),
        symbol: 'btcusd',
        feed: 'ws',
        firstUpdateId: BigInt(n * 10),
        receivedTimeNs: AT + BigInt(n) * MS,
      }),
      'first_update_id <> 20',
      [
        'book ws 10 null 08:00:00.124456 08:00:00.125455 restart closed', // nobody ended the first one
        'book ws 20 null 08:00:00.125455 null unstorable open',
      ],
    ],
    gaps: [
      (n) => ({
        kind: 'gap_opened',
        gapId: uuid(n),
        symbol: 'btcusd',
        feed: 'ws',
        stream: 'book',
        fromId: BigInt(n),
        cause: 'sequence',
        receivedTimeNs: AT,
      }),
      'from_id <> 2',
      [
        'book ws 1 null 08:00:00.123456 null sequence open',
        'book ws 3 null 08:00:00.123456 null sequence open',
        'book ws null null 08:00:00.123456 null unstorable open',
      ],
    ],
    book_messages: [
      (n) => bookMessage(n, { firstUpdateId: BigInt(n * 10), lastUpdateId: BigInt(n * 10 + 5) }),
      'message_seq <> 2',
      ['book ws 20 null 08:00:00.123455 null unstorable open'],
    ],
    book_snapshots: [
      (n) => snapshot(n, { reason: 'initial', epochId: epochId(n), receivedTimeNs: AT + BigInt(n) * MS }),
      'message_seq <> 2',
      ['book ws 2 3 08:00:00.125455 08:00:00.126456 unstorable closed'],
    ],
    quotes: [
      (n) => ({
        kind: 'quote',
        epochId: null,
        sessionId: uuid(1),
        symbol: 'btcusd',
        feed: 'v1',
        messageSeq: n,
        updateId: BigInt(n),
        eventTimeNs: null,
        receivedTimeNs: AT,
        top: { bidPrice: null, bidQuantity: null, askPrice: null, askQuantity: null },
      }),
      'message_seq <> 2',
      [],
    ],
    trades: [
      (n) => trade(BigInt(n), { source: n === 2 ? 'v1' : 'rest' }),
      'trade_id <> 2',
      ['trades v1 1 2 08:00:00.118456 08:00:00.118456 unstorable closed'],
    ],
    instruments: [
      (n) => ({ kind: 'instrument', instrument: instrument({ symbol: `s${n}usd` }), receivedTimeNs: AT }),
      "symbol <> 's2usd'",
      [],
    ],
    audits: [
      (n) => ({
        kind: 'audit',
        symbol: 'btcusd',
        feed: 'ws',
        method: 'depth',
        updateId: BigInt(n),
        levelsCompared: 1,
        levelsDifferent: 0,
        result: 'equal',
        receivedTimeNs: AT + BigInt(n) * MS,
      }),
      'update_id <> 2',
      [],
    ],
    quarantine: [
      (n) => ({
        kind: 'quarantine',
        sessionId: uuid(1),
        messageSeq: n,
        feed: 'ws',
        symbol: 'btcusd',
        reason: 'MALFORMED: no',
        payload: Buffer.from('{'),
        receivedTimeNs: AT,
      }),
      'message_seq <> 2',
      [],
    ],
  }

function snapshot(
  seq: number,
  changed: Partial<Extract<MarketRecord, { kind: 'book_snapshot' }>> = {},
): Extract<MarketRecord, { kind: 'book_snapshot' }> {
  return {
    kind: 'book_snapshot',
    epochId: epochId(1),
    symbol: 'btcusd',
    feed: 'ws',
    messageSeq: seq,
    updateId: BigInt(seq),
    eventTimeNs: null,
    receivedTimeNs: AT,
    reason: 'interval',
    bidPrices: [],
    bidQuantities: [],
    askPrices: [],
    askQuantities: [],
    digest: '00'.repeat(32),
    ...changed,
  }
}

for (const [table, [record, refuses, gaps]] of Object.entries(KINDS)) {
  test(`of three rows of ${table} the one that is refused goes to quarantine, and what it takes with it is told`, async (t) => {
    const { database } = await openStore(t)
    const writer = await registeredWriter(database)
    await refuse(database, table, refuses)
    const records = [record(1), record(2), record(3), trade(100n, { symbol: 'ethusd' })]
    const result = await writer.write(batchOf(records))
    assert.deepEqual(poisonOf(result), [table])
    const isReplaced = table === 'gaps' || table === 'quarantine' // the substitute stands in the same table
    assert.equal(
      await countOf(
        database,
        `select 1 from booktape.${table} where ${table === 'trades' ? "symbol = 'btcusd'" : 'true'}`,
      ),
      isReplaced ? 3 : 2,
    )
    assert.equal(await countOf(database, "select 1 from booktape.trades where symbol = 'ethusd'"), 1)
    assert.deepEqual(await gapLines(database), gaps)
    const kept = await database.pool.query<{ reason: string; payload: Buffer; at: string }>(
      `select reason, payload, to_char(received_time at time zone 'UTC', 'HH24:MI') as at from market.quarantine where reason like 'unstorable%'`,
    )
    const [row] = kept.rows
    assert.ok(row !== undefined && kept.rows.length === 1)
    assert.match(
      row.reason,
      new RegExp(`^unstorable row of ${table}, 23514: new row for relation .* violates check constraint "poison"$`),
    )
    assert.equal((JSON.parse(row.payload.toString()) as { table: string }).table, table)
    assert.equal(row.at, '08:00')

    // Given again, as after a failover to a copy: nothing is there twice.
    const before = await dump(database)
    await database.pool.query('update booktape.journals set written_position = 0')
    assert.deepEqual(poisonOf(await writer.write(batchOf(records))), [table])
    assert.deepEqual(await dump(database), before)
  })
}

test('a trigger that refuses three of a thousand copied rows costs those three and no other', async (t) => {
  const { database } = await openStore(t)
  const writer = await registeredWriter(database)
  await database.pool.query(`create function public.refuse() returns trigger language plpgsql as
    $$ begin if new.message_seq in (1, 500, 1000) then raise exception using errcode = '22000', message = 'not this one'; end if; return new; end $$;
    create trigger refuse before insert on booktape.book_messages for each row execute function public.refuse()`)
  const records = Array.from({ length: 1_000 }, (_, i) => bookMessage(i + 1))
  const result = await writer.write(batchOf([...records, bookMessage(2, { epochId: epochId(9), symbol: 'ethusd' })]))
  assert.equal(result.outcome, 'committed')
  assert.deepEqual([result.rows.book_messages, result.rows.gaps, result.rows.quarantine], [998, 3, 3])
  assert.deepEqual(
    result.poison.map(({ reason, symbol, gap }) => [reason, symbol, gap?.feed, gap?.stream]),
    Array.from({ length: 3 }, () => ['unstorable row of book_messages, 22000: not this one', 'btcusd', 'ws', 'book']),
  )
})

test('an id that no column holds is left out of its gap', async (t) => {
  const { database } = await openStore(t)
  const writer = await registeredWriter(database)
  const result = await writer.write(batchOf([trade(1n), trade(2n ** 63n), trade(3n)]))
  assert.deepEqual(poisonOf(result), ['trades'])
  assert.deepEqual(await gapLines(database), ['trades ws null null 08:00:00.118456 08:00:00.118456 unstorable closed'])
  assert.equal(await countOf(database, 'select 1 from market.trades'), 2)
  const { rows } = await database.pool.query('select payload from market.quarantine')
  assert.match(String((rows[0] as { payload: Buffer }).payload), /"trade_id":"9223372036854775808"/)
})

test('a gap that was refused is closed as any other, under the same id', async (t) => {
  const { database } = await openStore(t)
  const writer = await registeredWriter(database)
  await refuse(database, 'gaps', "cause <> 'sequence'")
  const closed: MarketRecord = { kind: 'gap_closed', gapId: uuid(2), toId: 9n, receivedTimeNs: AT + MS }
  const [opened] = KINDS['gaps'] ?? []
  assert.ok(opened !== undefined)
  assert.deepEqual(poisonOf(await writer.write(batchOf([opened(2), closed]))), ['gaps'])
  assert.deepEqual(await gapLines(database), ['book ws null 9 08:00:00.123456 08:00:00.124456 unstorable closed'])
})

test('a payload is kept to its first 4 KiB', async (t) => {
  const { database } = await openStore(t)
  const writer = await registeredWriter(database)
  await refuse(database, 'book_messages', 'message_seq <> 1')
  const changes = Array.from({ length: 5_000 }, () => bookMessage(1).changes).flat()
  await writer.write(batchOf([bookMessage(1, { changes })]))
  const { rows } = await database.pool.query<{ bytes: number }>(
    'select length(payload) as bytes from market.quarantine',
  )
  assert.deepEqual(rows, [{ bytes: 4_096 }])
})

test(`${MAX_POISON_ROWS_OF_BATCH} rows of a batch are set aside, of one more nothing is stored and a sentence says why`, async (t) => {
  const { database } = await openStore(t)
  const writer = await registeredWriter(database)
  await refuse(database, 'trades', 'price < 0')
  const trades = Array.from({ length: MAX_POISON_ROWS_OF_BATCH + 1 }, (_, i) => trade(BigInt(i + 1)))
  const before = await dump(database)
  await assert.rejects(writer.write(batchOf([bookMessage(1), ...trades])), isMisconfigured)
  assert.deepEqual(await dump(database), before)
  const result = await writer.write(batchOf([bookMessage(1), ...trades.slice(1)]))
  assert.equal(poisonOf(result).length, MAX_POISON_ROWS_OF_BATCH)
  assert.equal(await countOf(database, 'select 1 from market.quarantine'), MAX_POISON_ROWS_OF_BATCH)
})

test(`a schema that refuses all of a kind is found out after ${MAX_POISON_ROWS} rows, however small the batches`, async (t) => {
  const { database } = await openStore(t)
  const writer = await registeredWriter(database)
  await refuse(database, 'trades', 'price < 0')
  let position = 0
  const ids = Array.from({ length: MAX_POISON_ROWS_OF_BATCH }, (_, i) => BigInt(i + 1))
  for (let round = 0; round < MAX_POISON_ROWS / ids.length; round++) {
    const batch = batchOf(
      ids.map((id) => trade(id + BigInt(position))),
      position,
    )
    assert.equal(poisonOf(await writer.write(batch)).length, ids.length)
    position = batch.toPosition
  }
  await assert.rejects(writer.write(batchOf([trade(9_999n)], position)), isMisconfigured)
  assert.equal(await countOf(database, 'select 1 from market.quarantine'), MAX_POISON_ROWS)
})

test('a change that is refused stops the writer: without it storage would claim what is not so', async (t) => {
  const { database } = await openStore(t)
  const writer = await registeredWriter(database)
  const [opened] = KINDS['epochs'] ?? []
  assert.ok(opened !== undefined)
  await writer.write(batchOf([opened(1)]))
  await refuse(database, 'epochs', 'ended_at is null')
  const ended: MarketRecord = {
    kind: 'epoch_ended',
    epochId: epochId(1),
    lastUpdateId: 11n,
    reason: 'disconnect',
    receivedTimeNs: AT + MS,
  }
  const before = await dump(database)
  await assert.rejects(
    writer.write(batchOf([ended], 1)),
    (error) => error instanceof StoreError && error.code === 'UNSTORABLE' && /23514/.test(error.message),
  )
  assert.deepEqual(await dump(database), before)
})

test('rows that have no partition, not even the default one, wait and are no poison', async (t) => {
  const { database } = await openStore(t)
  const writer = await registeredWriter(database)
  await database.pool.query(`alter table booktape.quotes detach partition booktape.quotes_default;
    alter table booktape.quotes detach partition booktape.quotes_20260729`)
  const [quote] = KINDS['quotes'] ?? []
  assert.ok(quote !== undefined)
  const batch = batchOf([quote(1), trade(1n)])
  await assert.rejects(
    writer.write(batch),
    (error) => error instanceof StoreError && error.code === 'SCHEMA' && error.message.includes('default partition'),
  )
  await database.pool.query('alter table booktape.quotes attach partition booktape.quotes_default default')
  assert.deepEqual(poisonOf(await writer.write(batch)), [])
})

/** From now on the table takes no row for which the condition is false. */
async function refuse(database: Database, table: string, condition: string): Promise<void> {
  await database.pool.query(`alter table booktape.${table} add constraint poison check (${condition}) not valid`)
}

function poisonOf(result: WriteResult): string[] {
  assert.equal(result.outcome, 'committed')
  return result.poison.map(({ table }) => table)
}

async function countOf(database: Database, query: string): Promise<number> {
  return (await database.pool.query(query)).rowCount ?? 0
}

const CLOCK = (column: string): string => `coalesce(to_char(${column} at time zone 'UTC', 'HH24:MI:SS.US'), 'null')`

async function gapLines(database: Database): Promise<string[]> {
  const { rows } = await database.pool.query<{ line: string }>(
    `select concat_ws(' ', stream, feed, coalesce(from_id::text, 'null'), coalesce(to_id::text, 'null'),
       ${CLOCK('started_at')}, ${CLOCK('ended_at')}, cause, state) as line from market.gaps order by 1`,
  )
  return rows.map(({ line }) => line)
}

function isMisconfigured(error: unknown): boolean {
  return (
    error instanceof StoreError &&
    error.code === 'UNSTORABLE' &&
    /^Postgres refuses more rows than may be set aside .* trades, 23514: .*: the schema is not the one of the migrations; /.test(
      error.message,
    )
  )
}
