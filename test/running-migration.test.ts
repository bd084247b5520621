import assert from 'node:assert/strict'
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { migrate } from '@booktape/store'
import { Client } from 'pg'
import { startRecorder } from './spawned-command.ts'
import { assertStoredTruth } from './stored-truth.ts'
import { environment, SYMBOLS, startDatabase, startExchange } from './surroundings.ts'

// The next version's migration is made while this version's recorder writes.

const MESSAGES = 1_000
/** The test holds it for as long as the migration is to hold its tables. */
const HELD = 4711
const NEXT = '9999_next_version.sql'

/** A column more, an index more, a view more, and the tables locked against everybody until the lock is free. */
const MIGRATION = `set local lock_timeout = 0;
alter table booktape.book_messages add column next_version text;
alter table booktape.trades add column next_version integer not null default 7;
create index on booktape.trades (source, trade_id);
create view market.next_version as select next_version from booktape.trades;
select pg_advisory_xact_lock(${HELD});`

test('a migration that holds the tables longer than the writer waits costs no row', async (t) => {
  const exchange = await startExchange(t)
  const database = await startDatabase(t)
  const { client } = database
  const { command, get } = await startRecorder(t, { ...environment(t, exchange), DATABASE_URL: database.url.href })
  await command.until('rows', async () => (await messages(client)) > 0)

  const holder = new Client({ connectionString: database.url.href })
  holder.on('error', () => undefined) // when the test ends early, its database goes
  await holder.connect()
  await holder.query('select pg_advisory_lock($1)', [HELD])
  const migrated = migrate(database.url.href, await nextVersion(t))
  await command.line(/"class":"lock_timeout"/)
  assert.equal((await get('/livez')).status, 200)
  assert.equal((await get('/metrics')).body.match(/^booktape_book_live\{.*\} 1$/gm)?.length, SYMBOLS.length * 2)
  await holder.end() // and the lock with it
  assert.deepEqual(await migrated, [NEXT])

  const before = await messages(client)
  await command.until('many rows', async () => (await messages(client)) > before + MESSAGES)
  const { code, stderr } = await command.stop()
  assert.deepEqual([code, stderr], [0, ''])
  assert.ok((await assertStoredTruth(client, exchange.exchange)) > MESSAGES)
  const { rows: gaps } = await client.query(`select distinct concat_ws(' ', cause, state) as gap from market.gaps`)
  assert.deepEqual(gaps, [{ gap: 'stopped open' }])
  const { rows: trades } = await client.query('select distinct next_version from market.next_version')
  assert.deepEqual(trades, [{ next_version: 7 }])
})

test('a recorder that finds a later version\u2019s database writes everything down and says what to run', async (t) => {
  const exchange = await startExchange(t)
  const database = await startDatabase(t)
  const folder = await nextVersion(t, 'select 1')
  assert.deepEqual(await migrate(database.url.href, folder), [NEXT])
  const { command, get } = await startRecorder(t, { ...environment(t, exchange), DATABASE_URL: database.url.href })
  await command.line(
    /"class":"schema","reason":"the database has migration 9999_next_version\.sql, which this version of booktape does not know: run the version that applied it, or a newer one; until then the journal keeps everything"/,
  )
  await command.until('live books', async () =>
    (await get('/metrics')).body.includes('booktape_book_live{feed="ws",symbol="btcusd"} 1'),
  )
  assert.equal(await messages(database.client), 0)
  assert.equal((await command.stop()).code, 0)
})

/** All migrations and one more. */
async function nextVersion(t: TestContext, sql = MIGRATION): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'booktape-migrations-'))
  t.after(() => rm(folder, { recursive: true }))
  await cp(fileURLToPath(new URL('../migrations', import.meta.url)), folder, { recursive: true })
  await writeFile(join(folder, NEXT), sql)
  return folder
}

async function messages(client: Client): Promise<number> {
  const { rows } = await client.query<{ count: number }>('select count(*)::int as count from booktape.book_messages')
  return rows[0]?.count ?? 0
}
