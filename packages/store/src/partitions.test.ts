import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultPartitionRows, ensurePartitions } from './partitions.ts'
import { AT, batchOf, bookMessage, openStore, registeredWriter } from './writer.fixture.ts'

const partitionsOf = `select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
  where i.inhparent = 'booktape.quotes'::regclass order by 1`

test('today and seven days ahead have partitions, and a second call finds them made', async (t) => {
  const { database } = await openStore(t)
  assert.equal(await ensurePartitions(database, '2026-12-28'), 32)
  assert.equal(await ensurePartitions(database, '2026-12-28'), 0)
  assert.equal(await ensurePartitions(database, '2026-12-29'), 4)
  const { rows } = await database.pool.query<{ relname: string }>(partitionsOf)
  assert.deepEqual(
    rows.map((row) => row.relname),
    [
      'quotes_20260729',
      'quotes_20261228',
      'quotes_20261229',
      'quotes_20261230',
      'quotes_20261231',
      'quotes_20270101',
      'quotes_20270102',
      'quotes_20270103',
      'quotes_20270104',
      'quotes_20270105',
      'quotes_default',
    ],
  )
})

test('two callers at once make each partition once', async (t) => {
  const { database } = await openStore(t)
  const made = await Promise.all([1, 2, 3].map(() => ensurePartitions(database, '2026-08-10', 0)))
  assert.deepEqual(
    made.sort((a, b) => a - b),
    [0, 0, 4],
  )
})

test('rows of a day without a partition are counted', async (t) => {
  const { database } = await openStore(t)
  assert.deepEqual(await defaultPartitionRows(database), {
    book_messages: 0n,
    book_chunks: 0n,
    book_snapshots: 0n,
    quotes: 0n,
  })
  const writer = await registeredWriter(database)
  await writer.write(batchOf([bookMessage(1), bookMessage(2, { receivedTimeNs: AT + 86_400_000_000_000n })]))
  assert.deepEqual(await defaultPartitionRows(database), {
    book_messages: 1n,
    book_chunks: 0n,
    book_snapshots: 0n,
    quotes: 0n,
  })
})

test('a default partition with rows of a day does not stop the partitions of other days', async (t) => {
  const { database } = await openStore(t)
  const writer = await registeredWriter(database)
  await writer.write(batchOf([bookMessage(1, { receivedTimeNs: AT + 86_400_000_000_000n })]))
  assert.equal(await ensurePartitions(database, '2026-08-10', 0), 4)
})
