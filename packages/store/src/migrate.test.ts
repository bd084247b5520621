import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { type TemporaryDatabase, temporaryDatabase } from '@booktape/testkit'
import { Client, Pool } from 'pg'
import { MIGRATIONS_FOLDER, MigrationError, type MigrationProblem, migrate, pendingMigrations } from './migrate.ts'

const ALL = [
  '0001_storage.sql',
  '0002_views.sql',
  '0003_known.sql',
  '0004_books.sql',
  '0005_prices_at.sql',
  '0006_changes_between.sql',
  '0007_bars_and_coverage.sql',
  '0008_quotes.sql',
  '0009_book_between.sql',
  '0010_settling.sql',
  '0011_thinning.sql',
  '0012_reader.sql',
  '0013_archived_days.sql',
  '0014_trade_reads.sql',
  '0015_archived_manifests.sql',
  '0016_account.sql',
  '0017_first_book.sql',
  '0018_narrow_reads.sql',
]
/** The newest; 9999 stands for the next one. */
const NEWEST = ALL.at(-1) ?? ''

describe('migrate', () => {
  let database: TemporaryDatabase
  let folder: string

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'booktape-migrations-'))
  })
  beforeEach(async () => {
    database = await temporaryDatabase()
    await rm(folder, { recursive: true })
    await cp(MIGRATIONS_FOLDER, folder, { recursive: true })
  })
  after(() => rm(folder, { recursive: true }))

  const query = async (sql: string) => {
    const client = new Client({ connectionString: database.url })
    await client.connect()
    try {
      return (await client.query<Record<string, unknown>>(sql)).rows
    } finally {
      await client.end()
    }
  }
  const problem = async (code: MigrationProblem, message: RegExp) => {
    await assert.rejects(migrate(database.url, folder), (error: unknown) => {
      assert(error instanceof MigrationError)
      assert.equal(error.code, code)
      assert.match(error.message, message)
      return true
    })
  }

  test('applies every file in order, once, and records them', async () => {
    assert.deepEqual(await pendingMigrations(database.url), ALL)
    assert.deepEqual(await migrate(database.url), ALL)
    assert.deepEqual(await migrate(database.url), [])
    assert.deepEqual(await pendingMigrations(database.url), [])
    const ledger = await query('select name, length(sha256) as digits from public.booktape_migrations order by name')
    assert.deepEqual(
      ledger,
      ALL.map((name) => ({ name, digits: 64 })),
    )
    await database.close()
  })

  test('works through a pool, which is left usable', async () => {
    const pool = listenedTo(new Pool({ connectionString: database.url, max: 1 }))
    assert.deepEqual(await migrate(pool), ALL)
    assert.equal((await pool.query('select * from market.trades')).rowCount, 0)
    await pool.end()
    await database.close()
  })

  test('two starters at once share the work', async () => {
    const both = await Promise.all([migrate(database.url), migrate(database.url)])
    assert.deepEqual(both.flat().sort(), ALL)
    await database.close()
  })

  test('a later file is applied alone', async () => {
    await migrate(database.url, folder)
    await writeFile(join(folder, '9999_more.sql'), 'create table booktape.more (id bigint)')
    assert.deepEqual(await pendingMigrations(database.url, folder), ['9999_more.sql'])
    assert.deepEqual(await migrate(database.url, folder), ['9999_more.sql'])
    await database.close()
  })

  test('a file that fails leaves nothing behind, those before it stay', async () => {
    await writeFile(join(folder, '9999_more.sql'), 'create table booktape.more (id bigint); select nonsense')
    await problem(
      'FAILED',
      /^migration 9999_more\.sql failed at character 48: column "nonsense" does not exist \(SQLSTATE 42703\)/,
    )
    assert.deepEqual(await query(`select to_regclass('booktape.more') as more`), [{ more: null }])
    assert.deepEqual(await pendingMigrations(database.url, folder), ['9999_more.sql'])
    await database.close()
  })

  test('refuses a file that was changed after it was applied', async () => {
    await migrate(database.url, folder)
    await writeFile(join(folder, NEWEST), 'select 1')
    await problem(
      'CHANGED',
      new RegExp(
        `^migration ${NEWEST} was changed after it was applied: put the file back .*, or begin with an empty database$`,
      ),
    )
    await database.close()
  })

  test('refuses a database that is newer than the program', async () => {
    await migrate(database.url, folder)
    await rm(join(folder, NEWEST))
    await problem(
      'NEWER_DATABASE',
      new RegExp(`^the database has migration ${NEWEST}, which this version of booktape does not know`),
    )
    await database.close()
  })

  test('refuses a file put before ones already applied', async () => {
    for (const name of ALL.slice(2)) await rm(join(folder, name))
    await writeFile(join(folder, '0005_late.sql'), 'select 1')
    await migrate(database.url, folder)
    await writeFile(join(folder, '0003_early.sql'), 'select 1')
    await problem(
      'OUT_OF_ORDER',
      /^migration 0003_early\.sql sorts before ones already applied: give it a number after 0005_late\.sql/,
    )
    await database.close()
  })

  test('refuses names without a number, and a number twice', async () => {
    await writeFile(join(folder, '0002_again.sql'), 'select 1')
    await problem('BAD_NAME', /^0002_views\.sql in .* must be named like 0007_words\.sql, each number once/)
    await rm(join(folder, '0002_again.sql'))
    await writeFile(join(folder, 'more.sql'), 'select 1')
    await problem('BAD_NAME', /^more\.sql in /)
    await database.close()
  })

  test('an owner without the right to create roles can migrate', async () => {
    const owner = `owner_${randomBytes(6).toString('hex')}`
    const name = new URL(database.url).pathname.slice(1)
    await query(
      `create role ${owner}; grant create on schema public to ${owner}; grant create on database ${name} to ${owner}`,
    )
    const pool = listenedTo(new Pool({ connectionString: database.url, options: `-c role=${owner}`, max: 1 }))
    assert.deepEqual(await migrate(pool), ALL)
    await pool.end()
    assert.deepEqual(
      await query(`select viewowner from pg_views where schemaname = 'market' and viewname = 'trades'`),
      [{ viewowner: owner }],
    )
    await query(`drop owned by ${owner} cascade; drop role ${owner}`)
    await database.close()
  })
})

/** A pool says that it has ended before its connections have; one that the dropped database cuts in between has nobody to tell. */
function listenedTo(pool: Pool): Pool {
  return pool.on('error', () => undefined)
}
