import assert from 'node:assert/strict'
import { test } from 'node:test'
import { noteArchivedDay } from './archived-days.ts'
import type { Database } from './database.ts'
import { ensurePartitions } from './partitions.ts'
import { dropPartition, oldPartitions } from './retention.ts'
import { settle } from './settle.ts'
import { AT, batchOf, bookMessage, DAY, openStore, registeredWriter } from './writer.fixture.ts'

const TABLES = ['book_chunks', 'book_messages', 'book_snapshots', 'quotes']
const partitionsOf = (day: string) => TABLES.map((table) => `${table}_${day}`)

async function names(database: Database, firstKeptDay: string, isArchived = false) {
  return (await oldPartitions(database, firstKeptDay, isArchived)).map(({ partition, kept }) => [partition, kept])
}

test('days before the first one to keep are dropped, with all their tables, and no other', async (t) => {
  const { database } = await openStore(t)
  await ensurePartitions(database, '2026-07-30', 0)
  const writer = await registeredWriter(database)
  const nextDay = bookMessage(2, { receivedTimeNs: AT + 86_400_000_000_000n })
  await writer.write(batchOf([bookMessage(1), nextDay]))
  await settle(database, DAY, new AbortController().signal, { before: '2031-01-01' })
  assert.deepEqual(await names(database, DAY), [])
  const old = await oldPartitions(database, '2026-07-30', false)
  assert.deepEqual(
    old.map(({ day, partition }) => [day, partition]),
    partitionsOf('20260729').map((partition) => [DAY, partition]),
  )
  assert.ok(old.every(({ bytes }) => bytes > 0n))
  for (const partition of old) await dropPartition(database, partition)
  for (const partition of old) await dropPartition(database, partition) // a second operator at the same time
  assert.deepEqual(await names(database, '2026-07-30'), [])
  const { rows } = await database.pool.query('select message_seq from market.book_changes')
  assert.deepEqual(rows, [{ message_seq: 2n }])
})

test('with an archive, a day goes only when it and the next were archived', async (t) => {
  const { database } = await openStore(t)
  await ensurePartitions(database, '2026-07-30', 0)
  const days = async () =>
    Object.fromEntries((await oldPartitions(database, '2026-07-31', true)).map(({ day, kept }) => [day, kept]))
  const archive = (day: string) => noteArchivedDay(database, { day, place: '/a', manifest: 'a'.repeat(64) })
  assert.deepEqual(await days(), { '2026-07-29': 'not archived', '2026-07-30': 'not archived' })
  await archive('2026-07-29')
  assert.deepEqual(await days(), { '2026-07-29': 'not archived', '2026-07-30': 'not archived' })
  await archive('2026-07-30')
  assert.deepEqual(await days(), { '2026-07-29': null, '2026-07-30': 'not archived' })
  assert.equal((await names(database, '2026-07-31')).length, 8)
  // A note that somebody altered, or made, is none.
  await database.pool.query(`update booktape.archived_days set place = '/b' where day = '2026-07-30'`)
  assert.deepEqual(await days(), { '2026-07-29': 'not archived', '2026-07-30': 'not archived' })
  await archive('2026-07-30')
  assert.deepEqual(await days(), { '2026-07-29': null, '2026-07-30': 'not archived' })
})
