import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deriveId, type MarketRecord } from '@booktape/market'
import fc from 'fast-check'
import { Client } from 'pg'
import { type Database, openDatabase } from './database.ts'
import { anyMessages } from './settle.fixture.ts'
import { settle } from './settle.ts'
import { AT, batchOf, bookMessage, decimal, EPOCH, openStore, registeredWriter } from './writer.fixture.ts'

const CHANGES = `select c::text as row from market.book_changes c order by epoch_id, message_seq, change_index`
const never = new AbortController().signal

const settleAll = (database: Database, messagesATurn?: number) =>
  settle(database, '2031-01-01', never, {
    before: '2031-01-01',
    ...(messagesATurn === undefined ? {} : { messagesATurn }),
  })

async function rowsOf(database: Database): Promise<readonly string[]> {
  const { rows } = await database.pool.query<{ row: string }>(CHANGES)
  return rows.map(({ row }) => row)
}

async function countOf(database: Database, relation: string): Promise<bigint> {
  const { rows } = await database.pool.query<{ count: bigint }>(`select count(*) as count from booktape.${relation}`)
  return rows[0]?.count ?? 0n
}

test('random messages come back as they were, whatever they hold and however they are cut into chunks', async (t) => {
  const { database } = await openStore(t)
  const writer = await registeredWriter(database)
  let position = 0
  await fc.assert(
    fc.asyncProperty(anyMessages, fc.integer({ min: 1, max: 30 }), async (messages, turn) => {
      await database.pool.query('truncate booktape.book_messages, booktape.book_chunks')
      const written = await writer.write(batchOf(messages, position))
      assert.equal(written.outcome, 'committed')
      position += messages.length
      const fresh = await rowsOf(database)
      const settled = await settleAll(database, turn)
      assert.equal(settled.messages, BigInt(messages.length))
      assert.equal(await countOf(database, 'book_messages'), 0n)
      assert.deepEqual(await rowsOf(database), fresh)
      // Messages without changes show in no row above.
      const { rows } = await database.pool.query(
        `select message_seq, first_update_id, update_id, event_time_ns, received_time_ns from booktape.settled_messages order by message_seq`,
      )
      assert.deepEqual(
        rows,
        messages.map((one) => ({
          message_seq: BigInt(one.messageSeq),
          first_update_id: one.firstUpdateId,
          update_id: one.lastUpdateId,
          event_time_ns: one.eventTimeNs,
          received_time_ns: one.receivedTimeNs,
        })),
      )
    }),
    { numRuns: 60 },
  )
})

test('a value written in another way than the canonical one, or that is no finite number, is kept as it was', async (t) => {
  const { database } = await openStore(t)
  await database.pool.query(
    `insert into booktape.book_messages (received_time, received_time_ns, first_update_id, update_id, message_seq, epoch_id, symbol, feed, line, marks, prices, quantities, checksum)
     values ('2026-07-29 08:00+00', 1785312000000000000, 1, 1, 1, $1, 'btcusd', 'ws', 'a', 'uu', '{1.50,2}', '{NaN,0.10}', 0)`,
    [EPOCH],
  )
  const fresh = await rowsOf(database)
  await settleAll(database)
  assert.deepEqual(await rowsOf(database), fresh)
})

test('more changes than a chunk holds become several chunks, and a message that comes late one of its own', async (t) => {
  const { database } = await openStore(t)
  const writer = await registeredWriter(database)
  const many = Array.from({ length: 4_500 }, (_, i) => bookMessage(i + 1, { receivedTimeNs: AT + BigInt(i) }))
  await writer.write(batchOf(many))
  const { droppedPartitions, ...first } = await settleAll(database)
  assert.deepEqual(first, { messages: 4_500n, changes: 4_500n, chunks: 3n, omittedChunks: 0, thinnedBooks: 0 })
  // Other tests' transactions on this server may be older: the day goes when they have ended.
  let dropped = droppedPartitions
  while (dropped === 0) dropped += (await settleAll(database)).droppedPartitions
  assert.equal(dropped, 1)
  assert.deepEqual(await settleAll(database), {
    messages: 0n,
    changes: 0n,
    chunks: 0n,
    omittedChunks: 0,
    thinnedBooks: 0,
    droppedPartitions: 0,
  })
  await writer.write(batchOf([bookMessage(4_501)], many.length))
  assert.equal(await countOf(database, 'book_messages_default'), 1n, 'the partition of its day was dropped')
  const fresh = await rowsOf(database)
  assert.deepEqual(await settleAll(database), {
    messages: 1n,
    changes: 1n,
    chunks: 1n,
    omittedChunks: 0,
    thinnedBooks: 0,
    droppedPartitions: 0,
  })
  assert.deepEqual(await rowsOf(database), fresh)
})

test('a reader that began before sees every message once, during and after, and holds the partition', async (t) => {
  const { database, url } = await openStore(t)
  const writer = await registeredWriter(database)
  await writer.write(batchOf(Array.from({ length: 10 }, (_, i) => bookMessage(i + 1))))
  const expected = await rowsOf(database)
  const reader = new Client({ connectionString: url })
  await reader.connect()
  try {
    await reader.query('begin isolation level repeatable read; select from booktape.venue')
    const settled = await settleAll(database)
    assert.deepEqual([settled.messages, settled.droppedPartitions], [10n, 0])
    const { rows } = await reader.query<{ row: string }>(CHANGES)
    assert.deepEqual(
      rows.map(({ row }) => row),
      expected,
    )
    await reader.query('commit')
    assert.deepEqual(await rowsOf(database), expected)
    // Other tests' transactions on this server may be older, too: it goes when they have ended.
    while ((await settleAll(database)).droppedPartitions === 0) assert.deepEqual(await rowsOf(database), expected)
    assert.deepEqual(await rowsOf(database), expected)
  } finally {
    await reader.end()
  }
})

test('two that settle at once settle each message once', async (t) => {
  const { database, url } = await openStore(t)
  const writer = await registeredWriter(database)
  await writer.write(
    batchOf(Array.from({ length: 300 }, (_, i) => bookMessage(i + 1, { receivedTimeNs: AT + BigInt(i) * 1000n }))),
  )
  const expected = await rowsOf(database)
  const other = openDatabase(url, { applicationName: 'booktape test', max: 1 })
  t.after(() => other.close())
  const both = await Promise.all([settleAll(database, 20), settleAll(other, 20)])
  const left = await settleAll(database)
  assert.equal(both[0].messages + both[1].messages + left.messages, 300n)
  assert.deepEqual(await rowsOf(database), expected)
})

test('an hour waits for a journal that was there within a day, and not for one that is gone', async (t) => {
  const { database } = await openStore(t)
  const before = async (): Promise<unknown> => {
    const { rows } = await database.pool.query(`select booktape.settleable_before('2026-07-29 12:15+00') as before`)
    return rows[0]
  }
  const journal = (name: string, until: string) =>
    database.pool.query(
      `insert into booktape.journals (journal_id, line, shard, recorded_until, checksum) values ($1, 'a', 0, $2, 0)`,
      [deriveId('journal', name), until],
    )
  assert.deepEqual(await before(), { before: '2026-07-29 12:00:00+00' })
  await journal('gone', '2026-07-28 12:00+00')
  await journal('live', '2026-07-29 12:14+00')
  assert.deepEqual(await before(), { before: '2026-07-29 12:00:00+00' })
  await journal('behind', '2026-07-29 09:59+00')
  assert.deepEqual(await before(), { before: '2026-07-29 09:00:00+00' })
})

test('a stop is not kept waiting', async (t) => {
  const { database } = await openStore(t)
  const writer = await registeredWriter(database)
  await writer.write(batchOf([bookMessage(1)]))
  const settled = await settle(database, '2031-01-01', AbortSignal.abort(), { before: '2031-01-01' })
  assert.equal(settled.messages, 0n)
  assert.equal(await countOf(database, 'book_messages'), 1n)
})

test('of the whole books as many stay as bound the changes between them, the first and the last of an epoch always', async (t) => {
  const { database } = await openStore(t)
  const writer = await registeredWriter(database)
  const book = (messageSeq: number, reason: 'initial' | 'interval' | 'epoch_end'): MarketRecord => ({
    kind: 'book_snapshot',
    epochId: EPOCH,
    symbol: 'btcusd',
    feed: 'ws',
    messageSeq,
    updateId: BigInt(messageSeq),
    eventTimeNs: null,
    receivedTimeNs: AT + BigInt(messageSeq) * 1_000_000n,
    reason,
    bidPrices: [decimal('1')],
    bidQuantities: [decimal('2')],
    askPrices: [],
    askQuantities: [],
    digest: 'ab'.repeat(32),
  })
  const records: MarketRecord[] = [book(0, 'initial')]
  for (let seq = 1; seq <= 24_000; seq++) {
    records.push(bookMessage(seq, { receivedTimeNs: AT + BigInt(seq) * 1_000_000n }))
    if (seq % 2_000 === 0) records.push(book(seq, seq === 24_000 ? 'epoch_end' : 'interval'))
  }
  await writer.write(batchOf(records))
  const kept = async (): Promise<readonly unknown[]> =>
    (
      await database.pool.query<Readonly<Record<string, unknown>>>(
        'select message_seq, reason from booktape.book_snapshots order by message_seq',
      )
    ).rows
  assert.equal((await kept()).length, 13)
  assert.equal((await settleAll(database)).thinnedBooks, 9)
  const expected = [
    { message_seq: 0n, reason: 'initial' },
    { message_seq: 10_000n, reason: 'interval' },
    { message_seq: 20_000n, reason: 'interval' },
    { message_seq: 24_000n, reason: 'epoch_end' },
  ]
  assert.deepEqual(await kept(), expected)
  await writer.write(batchOf([bookMessage(24_001)], records.length))
  assert.equal((await settleAll(database)).thinnedBooks, 0)
  assert.deepEqual(await kept(), expected)
})
