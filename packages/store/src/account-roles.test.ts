import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import { deriveId } from '@booktape/market'
import { type TemporaryDatabase, temporaryDatabase } from '@booktape/testkit'
import { Client, DatabaseError } from 'pg'
import { unfilledGaps } from './account-gaps.ts'
import { ACCOUNT_TABLES, noAccountRows } from './account-tables.ts'
import { AccountWriter } from './account-writer.ts'
import { answerQuotes } from './answer-quotes.ts'
import { type Database, openDatabase } from './database.ts'
import { migrate, pendingMigrations } from './migrate.ts'
import { claimVenue } from './venue-stamp.ts'
import { AT } from './writer.fixture.ts'

const ROLES = await readFile(new URL('../../../deploy/postgres/roles.sql', import.meta.url), 'utf8')

describe('the roles around schema account', () => {
  let temporary: TemporaryDatabase
  let admin: Client
  let account: Database

  before(async () => {
    temporary = await temporaryDatabase()
    admin = new Client({ connectionString: temporary.url })
    await admin.connect()
    await migrate(temporary.url)
    await admin.query(ROLES)
    const url = new URL(temporary.url)
    url.username = 'booktape_account'
    url.password = randomBytes(12).toString('hex')
    await admin.query(`alter role booktape_account password '${url.password}'`)
    account = openDatabase(url.href, { applicationName: 'booktape test', max: 2 })
  })
  after(async () => {
    await account.close()
    await admin.end()
    await temporary.close()
  })

  test('its own role knows the migrations, claims the venue, writes batches and answers quotes', async () => {
    assert.deepEqual(await pendingMigrations(account.pool), [])
    assert.equal(await claimVenue(account, 'simulated'), 'claimed')
    const writer = new AccountWriter(account, deriveId('journal', 'roles'))
    await writer.readPosition({})
    const gap = { position: 1, key_fingerprint: 'f', feed: 'v1', from_sequence: null, to_sequence: null, cause: 'test' }
    const gaps = [{ ...gap, started_at: null, told_at: 'now' }]
    const quarantine = [{ position: 1, received_time: 'now', source: 'test', reason: 'test', payload: '\\x00' }]
    const order = {
      order_id: '1',
      symbol: 'btcusd',
      side: 'buy',
      position: 1,
      key_fingerprint: 'f',
      client_order_id: null,
    }
    const times = { received_time: 'now', received_time_ns: '1', venue_time: 'now', venue_time_ns: '1' }
    const fills = [
      {
        ...order,
        ...times,
        trade_id: '1',
        source: 'ws',
        price: '1',
        quantity: '1',
        fee: null,
        fee_currency: null,
        liquidity: null,
      },
    ]
    const [first] = fills
    const told = {
      event_index: 0,
      feed: 'v1',
      socket_sequence: '1',
      event_type: 'fill',
      event_id: '1',
      order_type: null,
      reason: null,
    }
    const amounts = {
      price: '1',
      stop_price: null,
      original_quantity: '1',
      remaining_quantity: '0',
      executed_quantity: '1',
      trade_id: '1',
    }
    const rows = {
      ...noAccountRows(),
      quarantine,
      gaps,
      gap_ends: [{ position: 1, feed: 'v1', ended_at: 'now' }],
      gap_fills: [{ gap_journal_id: deriveId('journal', 'roles'), position: 1, feed: 'v1' }],
      fills: [
        ...fills,
        ...(first === undefined ? [] : [{ ...first, fee: '1', fee_currency: 'USD', liquidity: 'maker' }]),
      ],
      order_events: [{ ...order, ...times, ...told, ...amounts }],
    }
    const written = await writer.write({ fromPosition: 0, toPosition: 1, recordedUntilNs: AT, state: {}, rows })
    assert.equal(written.outcome, 'committed')
    assert.equal(await answerQuotes(account), 0)
    assert.equal(await unfilledGaps(account, 'f', 0n), null)
    await account.pool.query('select * from market.trades')
  })

  for (const statement of [
    'update account.instant_quotes set price = 1',
    'update account.fills set price = 1',
    'update account.order_events set price = 1',
    'delete from account.gaps',
    'delete from account.instant_quotes',
    'truncate account.quarantine',
    'drop table account.quarantine',
    'create table account.mine (id bigint)',
    'create temporary table mine (id bigint)',
    'insert into booktape.trades select * from booktape.trades',
    'update booktape.gaps set state = $$filled$$',
    'delete from booktape.gaps',
    'set role booktape_migrator',
    'set role booktape_recorder',
    "select booktape.drop_emptied('2026-01-01')",
  ]) {
    test(`its own role may not ${statement}`, async () => {
      await assert.rejects(account.pool.query(statement), isRefused)
    })
  }

  for (const role of ['booktape_reader', 'booktape_recorder']) {
    test(`${role} may read no relation of schema account, and call no function of it`, async () => {
      const { rows } = await admin.query<{ name: string }>(
        `select c.oid::regclass::text as name from pg_class c where c.relnamespace = 'account'::regnamespace and c.relkind in ('r', 'v')`,
      )
      assert.ok(rows.length >= ACCOUNT_TABLES.length)
      await admin.query(`set role ${role}`)
      try {
        for (const { name } of rows) {
          await assert.rejects(admin.query(`select * from ${name}`), {
            code: '42501',
            message: 'permission denied for schema account',
          })
        }
        await assert.rejects(admin.query('select account.refresh_orders(array[1])'), isRefused)
      } finally {
        await admin.query('reset role')
      }
    })
  }
})

const isRefused = (error: unknown): boolean => error instanceof DatabaseError && error.code === '42501'
