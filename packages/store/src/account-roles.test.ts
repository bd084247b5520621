import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import { deriveId } from '@booktape/market'
import { type TemporaryDatabase, temporaryDatabase } from '@booktape/testkit'
import { Client, DatabaseError } from 'pg'
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
    const quarantine = [{ position: 1, received_time: 'now', source: 'test', reason: 'test', payload: '\\x00' }]
    const rows = { ...noAccountRows(), quarantine }
    const written = await writer.write({ fromPosition: 0, toPosition: 1, recordedUntilNs: AT, state: {}, rows })
    assert.equal(written.outcome, 'committed')
    assert.equal(await answerQuotes(account), 0)
    await account.pool.query('select * from market.trades')
  })

  for (const statement of [
    'update account.instant_quotes set price = 1',
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
    for (const table of [...ACCOUNT_TABLES, 'journals']) {
      test(`${role} may not read account.${table}`, async () => {
        await admin.query(`set role ${role}`)
        try {
          await assert.rejects(admin.query(`select * from account.${table}`), isRefused)
        } finally {
          await admin.query('reset role')
        }
      })
    }
  }
})

const isRefused = (error: unknown): boolean => error instanceof DatabaseError && error.code === '42501'
