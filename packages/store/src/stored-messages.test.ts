import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type BookMessage, deriveId } from '@booktape/market'
import fc from 'fast-check'
import type { PoolClient } from 'pg'
import type { Database } from './database.ts'
import { anyMessages } from './settle.fixture.ts'
import { settle } from './settle.ts'
import { storedMessages } from './stored-messages.ts'
import { batchOf, bookMessage, EPOCH, openStore, registeredWriter } from './writer.fixture.ts'

async function read(
  database: Database,
  epochId: string,
  afterSeq = 0n,
  lastSeq = 2n ** 53n,
): Promise<readonly BookMessage[]> {
  const client: PoolClient = await database.pool.connect()
  try {
    await client.query('begin isolation level repeatable read')
    const messages: BookMessage[] = []
    const range = { epochId, line: 'a', afterSeq, lastSeq, fromTime: '-infinity', untilTime: 'infinity' }
    for await (const page of storedMessages(client, range)) {
      for (const { line, ...message } of page) {
        assert.equal(line, 'a')
        messages.push(message)
      }
    }
    return messages
  } finally {
    client.release(true)
  }
}

test('random messages are read as they were written: as rows, as chunks and as some of each', async (t) => {
  const { database } = await openStore(t)
  const writer = await registeredWriter(database)
  let position = 0
  await fc.assert(
    fc.asyncProperty(anyMessages, fc.integer({ min: 1, max: 30 }), fc.nat(40), async (messages, turn, settledShare) => {
      await database.pool.query('truncate booktape.book_messages, booktape.book_chunks')
      assert.equal((await writer.write(batchOf(messages, position))).outcome, 'committed')
      position += messages.length
      const epochs = ['one', 'two'].map((name) => deriveId('epoch', name))
      const expected = epochs.map((epochId) => messages.filter((message) => message.epochId === epochId))
      const all = () => Promise.all(epochs.map((epochId) => read(database, epochId)))
      assert.deepEqual(await all(), expected)

      const before = messages[settledShare % messages.length]?.receivedTimeNs ?? 0n
      await settle(database, '2031-01-01', new AbortController().signal, {
        before: new Date(Number(before / 1_000_000n)).toISOString(),
        messagesATurn: turn,
      })
      assert.deepEqual(await all(), expected)
    }),
    { numRuns: 60 },
  )
})

test('a range is what lies after its first seq and up to its last, also within a chunk', async (t) => {
  const { database } = await openStore(t)
  const writer = await registeredWriter(database)
  const messages = [1, 2, 3, 4, 5, 6].map((seq) => bookMessage(seq))
  await writer.write(batchOf(messages))
  for (const isSettled of [false, true]) {
    if (isSettled) await settle(database, '2031-01-01', new AbortController().signal, { before: '2031-01-01' })
    assert.deepEqual(await read(database, EPOCH, 2n, 4n), messages.slice(2, 4))
    assert.deepEqual(await read(database, EPOCH, 6n, 9n), [])
  }
})
