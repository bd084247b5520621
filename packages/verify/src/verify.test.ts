import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Database, dropPartition, oldPartitions, settle } from '@booktape/store'
import { verified } from './damage.fixture.ts'
import { storedRecording } from './recording.fixture.ts'

const never = new AbortController().signal

test('a recording that nobody has touched is whole: rows, chunks, and what another line keeps', async (t) => {
  const { database } = await storedRecording(t)
  const { rows } = await database.pool.query(
    `select (select count(*) > 0 from booktape.book_messages) as rows, (select count(*) > 0 from booktape.book_chunks) as chunks,
       (select count(*) from booktape.omitted_runs)::int as runs`,
  )
  assert.deepEqual(rows, [{ rows: true, chunks: true, runs: 1 }])
  const { sentences, report } = await verified(database)
  assert.deepEqual(sentences, [])
  // Four messages of line b follow the omitted run, and the next whole book comes after them.
  assert.deepEqual(
    { ...report, bytes: 0 },
    { rows: 420, changes: 620, books: 10, unbuilt: 4, bytes: 0, epochs: 5, findings: 0 },
  )
})

test('an hour, a symbol, a feed or a line is verified by itself', async (t) => {
  const { database } = await storedRecording(t)
  const rowsOf = async (span: Parameters<typeof verified>[1]): Promise<number> => {
    const { sentences, report } = await verified(database, span)
    assert.deepEqual(sentences, [])
    return report.rows
  }
  const all = await rowsOf({})
  const lines = [await rowsOf({ line: 'a' }), await rowsOf({ line: 'b' })]
  assert.equal((lines[0] ?? 0) + (lines[1] ?? 0), all)
  assert.ok((await rowsOf({ symbols: ['ethusd'], feed: 'v1' })) > 80)
  assert.equal(await rowsOf({ symbols: ['ethusd'], feed: 'ws' }), 1, 'a message in quarantine that is of no symbol')
  const hours: number[] = []
  for (let hour = 8; hour <= 11; hour++) {
    hours.push(await rowsOf({ fromTime: `2026-07-29 ${hour}:00+00`, toTime: `2026-07-29 ${hour + 1}:00+00` }))
  }
  assert.ok(hours.every((rows) => rows > 0 && rows < all))
})

test('what settles after it was changed is found in its chunk', async (t) => {
  const { database } = await storedRecording(t)
  const { rowCount } = await database.pool.query(
    `update booktape.book_messages set quantities[1] = quantities[1] + 1
     where (epoch_id, message_seq) = (select epoch_id, message_seq from booktape.book_messages where cardinality(prices) > 0 limit 1)`,
  )
  assert.equal(rowCount, 1)
  await settle(database, '2026-07-29', never, { before: '2026-07-30', messagesATurn: 7 })
  const { sentences } = await verified(database)
  assert.equal(sentences.length, 1)
  assert.match(
    sentences[0] ?? '',
    /^book_chunks: the chunk of messages \d+ to \d+ of epoch .*: one of them or more is not what was written$/,
  )
})

test('days that retention dropped are not missed', async (t) => {
  const { database } = await storedRecording(t)
  await settle(database, '2026-07-29', never, { before: '2026-07-30' })
  for (const partition of await oldPartitions(database, '2026-07-30', false)) await dropPartition(database, partition)
  assert.equal(await countOf(database, 'book_chunks'), 0n)
  assert.deepEqual((await verified(database)).sentences, [])
})

async function countOf(database: Database, table: string): Promise<bigint> {
  const { rows } = await database.pool.query<{ count: bigint }>(`select count(*) as count from booktape.${table}`)
  return rows[0]?.count ?? 0n
}
