import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { deriveId } from '@booktape/market'
import { ACCOUNT_TABLES, type AccountRow, noAccountRows } from './account-tables.ts'
import { type AccountBatch, AccountWriter } from './account-writer.ts'
import type { Database } from './database.ts'
import { StoreError } from './store-error.ts'
import { timestampText } from './timestamp.ts'
import { AT, openStore } from './writer.fixture.ts'

const NONE = Object.fromEntries(ACCOUNT_TABLES.map((table) => [table, 0]))
const JOURNAL = deriveId('journal', 'account')

async function open(t: TestContext): Promise<{ database: Database; writer: AccountWriter }> {
  const { database } = await openStore(t)
  const writer = new AccountWriter(database, JOURNAL)
  assert.deepEqual(await writer.readPosition({ runs: 0 }), { position: 0, state: { runs: 0 } })
  return { database, writer }
}

function quote(position: number): AccountRow<'instant_quotes'> {
  return {
    position,
    key_fingerprint: '0123456789abcdef',
    symbol: 'btcusd',
    side: 'buy',
    requested_time: timestampText(AT - 1_000_000n),
    requested_time_ns: String(AT - 1_000_000n),
    received_time: timestampText(AT),
    received_time_ns: String(AT),
    quote_id: '9223372036854775807',
    max_age_ms: '60000',
    pair: 'BTCUSD',
    price: '6445.07',
    price_currency: 'USD',
    quantity: '0.01505181',
    quantity_currency: 'BTC',
    fee: '2.9900309233',
    fee_currency: 'USD',
    deposit_fee: '0',
    deposit_fee_currency: 'USD',
    total_spend: '100',
    total_spend_currency: 'USD',
  }
}

function batch(toPosition: number, fromPosition = 0, state: unknown = { runs: 1 }): AccountBatch {
  const rows = { ...noAccountRows(), instant_quotes: [quote(toPosition)] }
  return { fromPosition, toPosition, recordedUntilNs: AT, state, rows }
}

async function stored(database: Database): Promise<unknown> {
  const { rows } = await database.pool.query(
    `select position, quote_id, price, fee, received_time_ns, received_time::text, book_state from account.instant_quotes order by 1`,
  )
  return rows
}

test('rows, state and position are stored at once, exactly, and a batch given again is not stored again', async (t) => {
  const { database, writer } = await open(t)
  const first = await writer.write(batch(3))
  assert.deepEqual(first, { outcome: 'committed', rows: { ...NONE, instant_quotes: 1 } })
  assert.deepEqual(await writer.write(batch(3)), { outcome: 'already' })
  assert.deepEqual(await writer.readPosition({ runs: 9 }), { position: 3, state: { runs: 1 } })
  assert.deepEqual(await stored(database), [
    {
      position: 3n,
      quote_id: 9_223_372_036_854_775_807n,
      price: '6445.07',
      fee: '2.9900309233',
      received_time_ns: AT,
      received_time: '2026-07-29 08:00:00.123456+00',
      book_state: 'pending',
    },
  ])
})

test('a second process on the journal stores nothing and is told so', async (t) => {
  const { database, writer } = await open(t)
  await writer.write(batch(3))
  await assert.rejects(
    new AccountWriter(database, JOURNAL).write(batch(7, 1)),
    (error: unknown) => error instanceof StoreError && error.code === 'POSITION_MOVED',
  )
  assert.equal(((await stored(database)) as unknown[]).length, 1)
})

test('a batch that fails halfway leaves nothing, and can be given again', async (t) => {
  const { database, writer } = await open(t)
  await database.pool.query(`alter table account.quarantine add constraint never check (reason <> 'poison')`)
  const poisoned = {
    ...batch(3),
    rows: {
      ...batch(3).rows,
      quarantine: [
        {
          position: 2,
          received_time: timestampText(AT),
          source: 'instant_quote',
          reason: 'poison',
          payload: '\\x00ff',
        },
      ],
    },
  }
  await assert.rejects(
    writer.write(poisoned),
    (error: unknown) => error instanceof StoreError && error.code === 'UNSTORABLE',
  )
  assert.deepEqual(await stored(database), [])
  await database.pool.query('alter table account.quarantine drop constraint never')
  assert.equal((await writer.write(poisoned)).outcome, 'committed')
  const { rows } = await database.pool.query('select payload from account.quarantine')
  assert.deepEqual(rows, [{ payload: Buffer.from([0, 255]) }])
})

test('a database that is away is a value, and the batch is stored when it is back', async (t) => {
  const { database, writer } = await open(t)
  await database.pool.query('alter table account.journals rename to hidden')
  await assert.rejects(
    writer.write(batch(3)),
    (error: unknown) => error instanceof StoreError && error.code === 'SCHEMA',
  )
  await database.pool.query('alter table account.hidden rename to journals')
  const away = database.pool.query(
    'select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname = current_database()',
  )
  await away
  const result = await writer.write(batch(3))
  const again = result.outcome === 'retry' ? await writer.write(batch(3)) : result
  assert.equal(again.outcome, 'committed')
})
