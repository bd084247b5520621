import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Client } from 'pg'
import { openDatabase } from './database.ts'
import { defaultPartitionRows } from './partitions.ts'
import { StoreError } from './store-error.ts'
import { AT, batchOf, bookMessage, dump, openStore, origin, registeredWriter, trade, until } from './writer.fixture.ts'
import { Writer } from './writer.ts'

// A database that changes under a writer: another takes its place, its tables change, its partitions are gone.

test('a database that takes over without the last commits is found out, and given them again from the journal', async (t) => {
  const { url, database } = await openStore(t)
  const batches = [
    batchOf([bookMessage(1), trade(1n)]),
    batchOf([bookMessage(3), trade(3n)], 2),
    batchOf([trade(5n)], 4),
  ]
  const [first, second, third] = batches
  assert.ok(first !== undefined && second !== undefined && third !== undefined)
  const writer = await registeredWriter(database)
  assert.equal((await writer.write(first)).outcome, 'committed')

  const replica = await copyOf(url)
  t.after(() => replica.drop())
  assert.equal((await writer.write(second)).outcome, 'committed') // the copy does not have it
  const promoted = openDatabase(replica.url, { applicationName: 'booktape test', max: 2 })
  t.after(() => promoted.close())

  const moved = new Writer(promoted, origin('first'))
  await assert.rejects(
    moved.write(third),
    (error) => error instanceof StoreError && error.code === 'POSITION_MOVED' && error.message.includes('position 2'),
  )
  assert.equal(await moved.readPosition(), 2)
  for (const batch of [second, third]) assert.equal((await moved.write(batch)).outcome, 'committed')
  assert.equal((await writer.write(third)).outcome, 'committed')
  assert.deepEqual(await dump(promoted), await dump(database))
})

test('a migration that holds a table is waited out, and the batch lands in the changed table', async (t) => {
  const { database } = await openStore(t)
  const writer = await registeredWriter(database)
  const migration = await database.pool.connect()
  t.after(() => migration.release(true))
  await migration.query('begin; alter table booktape.book_messages add column later text')
  const written = writer.write(batchOf([bookMessage(1), trade(1n)]))
  await until(
    database,
    `exists (select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database())`,
  )
  await migration.query('commit')
  assert.equal((await written).outcome, 'committed')
  const { rows } = await database.pool.query('select message_seq, later from booktape.book_messages')
  assert.deepEqual(rows, [{ message_seq: 1n, later: null }])
})

test('rows of a partition that is gone are stored all the same, and counted as an alarm', async (t) => {
  const { database } = await openStore(t)
  const writer = await registeredWriter(database)
  await database.pool.query('alter table booktape.book_messages detach partition booktape.book_messages_20260729')
  assert.equal((await writer.write(batchOf([bookMessage(1)]))).outcome, 'committed')
  assert.deepEqual(await defaultPartitionRows(database), {
    book_messages: 1n,
    book_chunks: 0n,
    book_snapshots: 0n,
    quotes: 0n,
  })
})

test('an exchange time of any year names no partition: the receive time does', async (t) => {
  const { database } = await openStore(t)
  const writer = await registeredWriter(database)
  const times = [0n, 1n, AT / 1_000_000n, AT + 400n * 86_400_000_000_000n, 2n ** 63n - 1n, null]
  const records = times.map((eventTimeNs, i) => bookMessage(i + 1, { eventTimeNs }))
  assert.equal((await writer.write(batchOf(records))).outcome, 'committed')
  const { rows } = await database.pool.query<{ table: string; rows: bigint }>(
    'select tableoid::regclass::text as table, count(*) as rows from booktape.book_messages group by 1',
  )
  assert.deepEqual(
    rows.map((row) => [row.table.replace('booktape.', ''), row.rows]),
    [['book_messages_20260729', 6n]],
  )
})

/** A second database with everything the first has committed by now, as a replica that no longer follows has it. */
async function copyOf(url: string): Promise<{ url: string; drop: () => Promise<void> }> {
  const name = new URL(url).pathname.slice(1)
  const copy = new URL(url)
  copy.pathname = `/${name}_copy`
  const server = new URL(url)
  server.pathname = '/postgres'
  const run = async (statement: string): Promise<void> => {
    const client = new Client({ connectionString: server.href })
    await client.connect()
    try {
      // A database is copied only while nobody is connected to it; the pool takes new connections afterwards.
      await client.query(`select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`)
      await client.query(statement)
    } finally {
      await client.end()
    }
  }
  await run(`create database ${name}_copy template ${name}`)
  return { url: copy.href, drop: () => run(`drop database ${name}_copy with (force)`) }
}
