import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deriveId, type MarketRecord } from '@booktape/market'
import { DatabaseError } from 'pg'
import type { Database } from './database.ts'
import { settle } from './settle.ts'
import { AT, batchOf, bookMessage, decimal, openStore, registeredWriter } from './writer.fixture.ts'

const MS = 1_000_000n
const MESSAGES = 9_000
/** Of line b after a has ended: with a whole book among them. */
const ALONE = 3_500
const EPOCHS = { a: deriveId('epoch', 'a'), b: deriveId('epoch', 'b') }

/** The quantity of the one level that a message with this id sets: tells books of different ids apart. */
const quantityAt = (id: number): string => `${(id % 997) + 1}`

/**
 * The messages of ids (from, to] as a line saw them: line b a millisecond later than a, and counted otherwise. With a whole book before them and
 * after every 3,000.
 */
function seenBy(line: 'a' | 'b', from: number, to: number): MarketRecord[] {
  const epochId = EPOCHS[line]
  const receivedAt = (id: number): bigint => AT + BigInt(id) * 10n * MS + (line === 'a' ? 0n : MS)
  const seqOf = (id: number): number => (line === 'a' ? id : 2 * id)
  const place = { symbol: 'btcusd', feed: 'ws' } as const
  const book = (id: number, reason: 'initial' | 'interval'): MarketRecord => ({
    kind: 'book_snapshot',
    epochId,
    messageSeq: seqOf(id),
    updateId: BigInt(id),
    eventTimeNs: null,
    receivedTimeNs: receivedAt(id),
    reason,
    bidPrices: [decimal('1')],
    bidQuantities: [decimal(quantityAt(id))],
    askPrices: [],
    askQuantities: [],
    digest: 'ab'.repeat(32),
    ...place,
  })
  const records: MarketRecord[] = [
    {
      kind: 'epoch_started',
      epochId,
      sessionId: epochId,
      firstUpdateId: BigInt(from),
      receivedTimeNs: receivedAt(from),
      ...place,
    },
    book(from, 'initial'),
  ]
  for (let id = from + 1; id <= to; id++) {
    const changes = [{ side: 'bid' as const, price: decimal('1'), quantity: decimal(quantityAt(id)), reason: null }]
    const ids = { firstUpdateId: BigInt(id), lastUpdateId: BigInt(id), messageSeq: seqOf(id) }
    records.push(bookMessage(id, { epochId, changes, receivedTimeNs: receivedAt(id), ...ids }))
    if (id % 3_000 === 0) records.push(book(id, 'interval'))
  }
  return records
}

async function record(database: Database, line: 'a' | 'b', from: number, to: number): Promise<void> {
  const writer = await registeredWriter(database, line, line)
  const batch = batchOf(seenBy(line, from, to))
  const written = await writer.write({ ...batch, recordedUntilNs: AT + BigInt(to) * 10n * MS + 2n * MS })
  assert.equal(written.outcome, 'committed')
}

const settleAll = (database: Database) =>
  settle(database, '2020-01-01', new AbortController().signal, { before: '2031-01-01' })

async function changesOf(database: Database): Promise<Record<string, number>> {
  const { rows } = await database.pool.query<{ line: string; changes: number }>(
    'select line, count(*)::int as changes from market.book_changes where not is_snapshot group by line',
  )
  return Object.fromEntries(rows.map(({ line, changes }) => [line, changes]))
}

/** Best bid's quantity a third of a gap after each message asked for; `null` where not known. */
async function topsOf(database: Database): Promise<readonly unknown[]> {
  const { rows } = await database.pool.query<Readonly<Record<string, unknown>>>(
    `select n, (select bid_quantity from market.top_of_book_at('btcusd', booktape.instant($1::bigint + n::bigint * 10000000 + 3000000))) as quantity
     from generate_series(0, $2::int, 100) n order by n`,
    [AT, MESSAGES + ALONE],
  )
  return rows
}

const COVERAGE = `select from_time, to_time, state from market.coverage('btcusd', 'ws', booktape.instant($1::bigint), booktape.instant($1::bigint + 125000000000))`

test('what both lines saw is kept once, and every question is answered as before', async (t) => {
  const { database } = await openStore(t)
  await record(database, 'a', 0, MESSAGES)
  await record(database, 'b', 500, MESSAGES + ALONE) // began later, and goes on alone
  const tops = await topsOf(database)
  const coverage = (await database.pool.query(COVERAGE, [AT])).rows
  assert.deepEqual(await changesOf(database), { a: MESSAGES, b: MESSAGES + ALONE - 500 })

  assert.ok((await settleAll(database)).omittedChunks >= 3)
  const left = await changesOf(database)
  assert.equal(left['a'], MESSAGES)
  assert.ok((left['b'] ?? 0) < MESSAGES, `line b still has ${left['b']}`)
  assert.deepEqual(await topsOf(database), tops)
  assert.deepEqual((await database.pool.query(COVERAGE, [AT])).rows, coverage)

  // A stream that is to begin with line b where its changes are gone begins with a's, and ends with b's, every change there once.
  const { rows: stream } = await database.pool.query<{ line: string; update_id: bigint; is_snapshot: boolean }>(
    `select line, update_id, is_snapshot from market.changes_between('btcusd', booktape.instant($1::bigint), booktape.instant($1::bigint + 125003000000), 'ws')`,
    [AT],
  )
  const ids = stream.filter((row) => !row.is_snapshot).map((row) => Number(row.update_id))
  assert.deepEqual(
    ids,
    Array.from({ length: MESSAGES + ALONE }, (_, i) => i + 1),
  )
  assert.deepEqual([stream[0]?.line, stream.at(-1)?.line], ['a', 'b'])

  const again = await settleAll(database)
  assert.equal(again.omittedChunks, 0)
})

test('a book by update id within what was not kept names the epoch that has it', async (t) => {
  const { database } = await openStore(t)
  await record(database, 'a', 0, MESSAGES)
  await record(database, 'b', 0, MESSAGES + ALONE)
  await settleAll(database)
  const bookAfter = (line: 'a' | 'b', id: number) =>
    database.pool.query(`select quantity from market.book_at_update('btcusd', $1, $2)`, [EPOCHS[line], id])
  await assert.rejects(bookAfter('b', 4_000), (error) => {
    assert.ok(error instanceof DatabaseError)
    assert.equal(error.code, 'BT001')
    assert.equal(
      error.message,
      `the book of btcusd after update 4000 is not kept in epoch ${EPOCHS.b}: the same is in epoch ${EPOCHS.a} of line a`,
    )
    return true
  })
  for (const [line, id] of [
    ['a', 4_000],
    ['b', 0],
    ['b', MESSAGES],
    ['b', MESSAGES + 400],
  ] as const) {
    assert.deepEqual((await bookAfter(line, id)).rows, [{ quantity: quantityAt(id) }])
  }
})

test('nothing is taken from a line whose ids no other has, or where the other lacks a message', async (t) => {
  const { database } = await openStore(t)
  await record(database, 'a', 0, MESSAGES)
  await record(database, 'b', MESSAGES, 2 * MESSAGES)
  assert.equal((await settleAll(database)).omittedChunks, 0)

  const { database: doubtful } = await openStore(t)
  await record(doubtful, 'a', 0, MESSAGES)
  await record(doubtful, 'b', 0, MESSAGES)
  await doubtful.pool.query(
    `insert into booktape.gaps (gap_id, journal_id, line, symbol, feed, stream, started_at, ended_at, cause, state, epoch_id, message_seq, checksum)
     values ($1, $1, 'a', 'btcusd', 'ws', 'book', booktape.instant($2), booktape.instant($2), 'unstorable', 'closed', $1, 700, 0)`,
    [EPOCHS.a, AT],
  )
  assert.equal((await settleAll(doubtful)).omittedChunks, 0)
})
