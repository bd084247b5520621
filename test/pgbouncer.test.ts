import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasPgBouncer, PgBouncer, SERVER_CONNECTIONS } from './pgbouncer.ts'
import { runCommand, startRecorder } from './spawned-command.ts'
import { assertStoredTruth } from './stored-truth.ts'
import { environment, SYMBOLS, startDatabase, startExchange } from './surroundings.ts'

// A real PgBouncer in transaction mode between everything of ours and Postgres: each transaction gets another server
// connection, so that nothing set or locked for a session would hold.

const CHANGES = 2_000
/** Each in the middle of a busy second, so in the middle of a batch more often than not. */
const CRASHES = 5

const isThere = hasPgBouncer()
const skip = isThere ? false : 'PgBouncer is not installed: apt-get install pgbouncer'

test('CI has a PgBouncer', { skip: process.env['CI'] === undefined ? 'this is not CI' : false }, () => {
  assert.ok(isThere, 'PgBouncer is not installed, and .ci/run should have installed it')
})

test('behind PgBouncer in transaction mode a database is migrated, recorded into and asked, and its crashes lose nothing', {
  skip,
}, async (t) => {
  const exchange = await startExchange(t)
  const database = await startDatabase(t, { isMigrated: false })
  const bouncer = await PgBouncer.start(t, database.url)
  const DATABASE_URL = bouncer.url.href

  // Two at once: the lock that lets one go first is the transaction's.
  const migrations = await Promise.all([
    runCommand(t, ['migrate'], { DATABASE_URL }),
    runCommand(t, ['migrate'], { DATABASE_URL }),
  ])
  assert.deepEqual(
    migrations.map(({ code, stderr }) => [code, stderr]),
    [
      [0, ''],
      [0, ''],
    ],
  )
  const { rows: applied } = await database.client.query<{ once: boolean }>(
    'select count(*) > 0 and count(*) = count(distinct name) as once from public.booktape_migrations',
  )
  assert.deepEqual(applied, [{ once: true }])

  const { command, get } = await startRecorder(t, { ...environment(t, exchange), DATABASE_URL })
  await command.until('readiness', async () => (await get('/readyz')).status === 200)
  const pools = await bouncer.show('pools')
  assert.deepEqual(
    pools.filter(({ database: name }) => name === database.url.pathname.slice(1)).map(({ pool_mode }) => pool_mode),
    ['transaction'],
  )
  const { rows: servers } = await database.client.query<{ count: number }>(
    'select count(*)::int as count from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
  )
  assert.ok((servers[0]?.count ?? 0) <= SERVER_CONNECTIONS)

  for (let crash = 1; crash <= CRASHES; crash++) {
    const before = await messages()
    await command.until('more rows', async () => (await messages()) > before)
    await bouncer.kill(crash % 2 === 0 ? 'SIGTERM' : 'SIGKILL')
    const warnings = command.count(/"msg":"the database takes no rows now/)
    await command.until(
      'a batch that found nobody',
      () => command.count(/"msg":"the database takes no rows now/) > warnings,
    )
    await bouncer.start()
  }
  // The server's side is cut behind PgBouncer's back, and PgBouncer tells it in its own words.
  await database.client.query(
    `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`,
  )
  await command.until('readiness again', async () => (await get('/readyz')).status === 200)
  const before = await messages()
  await command.until('many rows', async () => (await messages()) > before + CHANGES)

  const status = await runCommand(t, ['status'], { DATABASE_URL })
  assert.deepEqual([status.code, status.stderr], [0, ''])
  assert.match(status.stdout, /^btcusd {7}ws {4}live on a /m)

  const { code, stderr } = await command.stop()
  assert.deepEqual([code, stderr], [0, ''])
  assert.ok((await assertStoredTruth(database.client, exchange.exchange)) >= CHANGES)
  const { rows: gaps } = await database.client.query<{ gap: string }>(
    `select distinct concat_ws(' ', cause, state) as gap from market.gaps`,
  )
  assert.deepEqual(gaps, [{ gap: 'stopped open' }])
  const { rows: epochs } = await database.client.query<{ count: number }>(
    'select count(*)::int as count from market.epochs',
  )
  assert.equal(epochs[0]?.count, SYMBOLS.length * 2)

  async function messages(): Promise<number> {
    const { rows } = await database.client.query<{ count: number }>(
      'select count(*)::int as count from booktape.book_messages',
    )
    return rows[0]?.count ?? 0
  }
})

test('what PgBouncer refuses is waited for and named, and a recorder goes on when it is mended', {
  skip,
}, async (t) => {
  const exchange = await startExchange(t)
  const database = await startDatabase(t)
  const bouncer = await PgBouncer.start(t, database.url)
  const wrong = new URL(bouncer.url)
  wrong.password = 'not-this-one'
  const asked = await runCommand(t, ['status'], { DATABASE_URL: wrong.href })
  assert.equal(asked.code, 1)
  assert.match(asked.stderr, /SASL authentication failed \(08P01\): check user and password of DATABASE_URL/)
  assert.doesNotMatch(asked.stderr, /not-this-one/)
  const { command } = await startRecorder(t, { ...environment(t, exchange), DATABASE_URL: wrong.href })
  await command.line(/"class":"refused".*SASL authentication failed/)
  assert.equal((await command.stop()).code, 0)
})
