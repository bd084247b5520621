import assert from 'node:assert/strict'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { temporaryDatabase } from '@booktape/testkit'
import { type Database, openDatabase } from './database.ts'
import { StoreError } from './store-error.ts'
import {
  AT,
  batchOf,
  bookMessage,
  dump,
  instrument,
  openStore,
  origin,
  registeredWriter,
  trade,
  until,
} from './writer.fixture.ts'
import { type WriteResult, Writer } from './writer.ts'

const BATCH = batchOf([bookMessage(1), bookMessage(2), trade(1n), trade(2n)])

function outcome(result: WriteResult): string {
  return result.outcome === 'retry' ? `retry: ${result.class}` : result.outcome
}

/** A way to the database that cuts its connections at a COMMIT: before the server has it, or before its reply is through. */
async function cuttingProxy(
  t: TestContext,
  url: string,
  cut: 'commit' | 'reply',
): Promise<{ url: string; cuts: () => number }> {
  const target = new URL(url)
  const [host, port] = [target.hostname, Number(target.port)]
  let cuts = 0
  const server: Server = createServer((near: Socket) => {
    const far = connect(port, host)
    let committing = false
    near.on('error', () => far.destroy())
    far.on('error', () => near.destroy())
    near.on('close', () => far.destroy())
    far.on('close', () => near.destroy())
    const cutNow = () => {
      cuts++
      near.destroy()
      far.destroy()
    }
    near.on('data', (bytes) => {
      committing = cuts === 0 && bytes.includes('commit\0') // only the first one
      if (committing && cut === 'commit') return cutNow()
      far.write(bytes)
    })
    far.on('data', (bytes) => (committing ? cutNow() : near.write(bytes)))
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  t.after(() => server.close())
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  target.port = address.port.toString()
  return { url: target.href, cuts: () => cuts }
}

for (const [name, cut, expected] of [
  ['a COMMIT that never arrived is made again', 'commit', ['retry: connection_lost', 'committed', 'already']],
  ['a COMMIT whose reply was lost is found', 'reply', ['retry: connection_lost', 'already', 'already']],
] as const) {
  test(name, async (t) => {
    const { url, database } = await openStore(t)
    await registeredWriter(database)
    const proxy = await cuttingProxy(t, url, cut)
    const through = openDatabase(proxy.url, { applicationName: 'booktape test', max: 2 })
    t.after(() => through.close())
    const writer = new Writer(through, origin('first'))
    const outcomes = [await writer.write(BATCH), await writer.write(BATCH), await writer.write(BATCH)].map(outcome)
    assert.deepEqual(outcomes, expected)
    assert.equal(proxy.cuts(), 1)
    const stored = await dump(database)
    assert.deepEqual([stored['book_messages']?.length, stored['trades']?.length], [2, 2])
    assert.equal(await writer.readPosition(), 4)
  })
}

/** Starts the write, waits until it is held up by a lock of another connection on the table, and ends its backend. */
async function endInMidTransaction(
  t: TestContext,
  database: Database,
  table: string,
  write: () => Promise<WriteResult>,
) {
  const other = await database.pool.connect()
  t.after(() => other.release(true))
  await other.query(`begin; lock table booktape.${table} in exclusive mode`)
  const written = write()
  const waiting = `pid <> pg_backend_pid() and wait_event_type = 'Lock' and datname = current_database()`
  await until(database, `exists (select from pg_stat_activity where ${waiting})`)
  await database.pool.query(`select pg_terminate_backend(pid) from pg_stat_activity where ${waiting}`)
  const result = await written
  await other.query('rollback')
  return result
}

const MANY_MESSAGES = Array.from({ length: 1_000 }, (_, i) => bookMessage(i + 1))

for (const [name, table, records, messages, trades] of [
  ['at the trades', 'trades', BATCH.records, 2, 2],
  ['at a few messages', 'book_messages', BATCH.records, 2, 2],
  ['at a thousand messages, which are copied', 'book_messages', MANY_MESSAGES, 1_000, 0],
] as const) {
  test(`a backend that is ended in mid-transaction ${name} leaves nothing, and the batch is stored once when given again`, async (t) => {
    const { database } = await openStore(t)
    const writer = await registeredWriter(database)
    const before = await dump(database)
    const batch = batchOf(records)
    const ended = await endInMidTransaction(t, database, table, () => writer.write(batch))
    assert.equal(outcome(ended), 'retry: shutting_down')
    assert.deepEqual(await dump(database), before)
    assert.equal(outcome(await writer.write(batch)), 'committed')
    const stored = await dump(database)
    assert.deepEqual([stored['book_messages']?.length, stored['trades']?.length], [messages, trades])
  })
}

test('a connection that is ended while idle is replaced without a word but to the listener', async (t) => {
  const { url, database } = await openStore(t)
  const lost: string[] = []
  let heard: () => void
  const told = new Promise<void>((resolve) => {
    heard = resolve
  })
  const idle = openDatabase(url, {
    applicationName: 'booktape idle',
    max: 1,
    onConnectionLost: (error) => {
      lost.push(error.message)
      heard()
    },
  })
  t.after(() => idle.close())
  const writer = new Writer(idle, origin('first'))
  await writer.readPosition()
  await database.pool.query(
    `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'booktape idle' and datname = current_database()`,
  )
  await told
  assert.match(lost[0] ?? '', /terminating connection/)
  assert.equal(outcome(await writer.write(BATCH)), 'committed')
})

test('two lines that write the same trades crosswise never wait for each other in a circle', async (t) => {
  const { database } = await openStore(t)
  const lines = [await registeredWriter(database, 'first', 'a'), await registeredWriter(database, 'second', 'b')]
  const ROUNDS = 20
  const TRADES = 400
  for (let round = 0; round < ROUNDS; round++) {
    const ids = Array.from({ length: TRADES }, (_, i) => BigInt(round * TRADES + i))
    const results = await Promise.all(
      lines.map((writer, i) => {
        const ordered = i === 0 ? ids : ids.toReversed()
        const records = [
          ...ordered.map((id) => trade(id)),
          {
            kind: 'instrument' as const,
            instrument: instrument({ status: `round ${round}` }),
            receivedTimeNs: AT + BigInt(round) * 1_000_000n,
          },
        ]
        return writer.write(batchOf(records, round * records.length))
      }),
    )
    assert.deepEqual(results.map(outcome), ['committed', 'committed'])
    assert.deepEqual(
      results.map((result) => (result.outcome === 'committed' ? result.conflicts : null)),
      [[], []],
    )
  }
  const stored = await dump(database)
  assert.deepEqual([stored['trades']?.length, stored['instruments']?.length], [ROUNDS * TRADES, ROUNDS])
})

test('two lines that see the same changes of an instrument at once write one history', async (t) => {
  const { database } = await openStore(t)
  const lines = [await registeredWriter(database, 'first', 'a'), await registeredWriter(database, 'second', 'b')]
  const ROUNDS = 40
  for (let round = 0; round < ROUNDS; round++) {
    const results = await Promise.all(
      lines.map((writer, i) => {
        const receivedTimeNs = AT + BigInt(round) * 1_000_000n + BigInt(i) * 1_000n
        return writer.write(
          batchOf(
            [{ kind: 'instrument', instrument: instrument({ status: `round ${round}` }), receivedTimeNs }],
            round,
          ),
        )
      }),
    )
    assert.deepEqual(results.map(outcome), ['committed', 'committed'])
  }
  const { rows } = await database.pool.query<{ history: bigint; open: bigint; whole: boolean }>(
    `select count(*) as history, count(*) filter (where valid_to is null) as open, bool_and(valid_to is not distinct from next) as whole
       from (select valid_to, lead(valid_from) over (order by valid_from) as next from booktape.instruments) rows`,
  )
  assert.deepEqual(rows, [{ history: BigInt(ROUNDS), open: 1n, whole: true }])
})

test('a database that is read-only is waited for', async (t) => {
  const { url, database } = await openStore(t)
  await registeredWriter(database)
  const name = new URL(url).pathname.slice(1)
  await database.pool.query(`alter database ${name} set default_transaction_read_only = on`)
  const reopened = openDatabase(url, { applicationName: 'booktape test', max: 1 })
  t.after(() => reopened.close())
  const writer = new Writer(reopened, origin('first'))
  assert.equal(outcome(await writer.write(BATCH)), 'retry: read_only')
  await assert.rejects(writer.readPosition(), (error) => error instanceof StoreError && error.code === 'AWAY')
})

test('a database that is not there is waited for', async (t) => {
  const closed = createServer()
  await new Promise<void>((listening) => closed.listen(0, '127.0.0.1', listening))
  const address = closed.address()
  assert.ok(address !== null && typeof address === 'object')
  await new Promise<unknown>((done) => closed.close(done))
  const database = openDatabase(`postgres://ann:secret@127.0.0.1:${address.port}/tape`, {
    applicationName: 'booktape test',
    max: 1,
  })
  t.after(() => database.close())
  const writer = new Writer(database, origin('first'))
  assert.equal(outcome(await writer.write(BATCH)), 'retry: unreachable')
  await assert.rejects(writer.readPosition(), (error) => error instanceof StoreError && error.code === 'AWAY')
})

test('a database without our tables says what to run', async (t) => {
  const { url, close } = await temporaryDatabase()
  const database = openDatabase(url, { applicationName: 'booktape test', max: 1 })
  t.after(async () => {
    await database.close()
    await close()
  })
  const writer = new Writer(database, origin('first'))
  const isSchema = (error: unknown) =>
    error instanceof StoreError && error.code === 'SCHEMA' && error.message.includes('run booktape migrate')
  await assert.rejects(writer.readPosition(), isSchema)
  await assert.rejects(writer.write(BATCH), isSchema)
})

test('a refused password is not tried for ever, and is not told', async (t) => {
  const { url } = await openStore(t)
  const wrong = new URL(url)
  wrong.password = 'not-this-one'
  const database = openDatabase(wrong.href, { applicationName: 'booktape test', max: 1 })
  t.after(() => database.close())
  await assert.rejects(
    new Writer(database, origin('first')).write(BATCH),
    (error) => error instanceof StoreError && error.code === 'REFUSED' && !error.message.includes('not-this-one'),
  )
})
