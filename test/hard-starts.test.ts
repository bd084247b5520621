import assert from 'node:assert/strict'
import { test } from 'node:test'
import { claimVenue, openDatabase } from '@booktape/store'
import type { Client } from 'pg'
import { lateServer } from './late-server.ts'
import { type Address, silentListener } from './listeners.ts'
import { type Get, runCommand, SpawnedCommand, startRecorder } from './spawned-command.ts'
import { assertStoredTruth } from './stored-truth.ts'
import { environment, SYMBOLS, startDatabase, startExchange } from './surroundings.ts'

// A recorder, started as a user starts it, where something it needs is not there yet, refuses, or goes away.

/** Level changes of the old feed stored before a run is ended: two seconds of a busy market. */
const CHANGES = 2_000

test('a database that comes late: it records, says what is missing, and then stores everything', async (t) => {
  const exchange = await startExchange(t)
  const database = await startDatabase(t)
  const late = await lateServer({ host: database.url.hostname, port: Number(database.url.port) })
  t.after(() => late.close())
  const env = { ...environment(t, exchange), DATABASE_URL: at(database.url, late), BOOKTAPE_STATUS_PAGE: 'true' }
  const { command, get } = await startRecorder(t, env)

  await command.until('four live books', async () => (await liveBooks(get)) === 4)
  assert.deepEqual(await get('/livez'), { status: 200, body: 'alive\n' })
  assert.deepEqual(await get('/readyz'), { status: 503, body: 'nothing was committed to the database yet\n' })
  const shown = JSON.parse((await get('/?overview')).body) as {
    missing: string[]
    symbols: { symbol: string; books: { liveSinceMs: number | null }[] }[]
  }
  assert.deepEqual(shown.missing, ['nothing was committed to the database yet'])
  assert.ok(shown.symbols.every(({ books }) => books.every(({ liveSinceMs }) => liveSinceMs !== null)))
  await command.until('the page saying why it has no coverage', async () => {
    const { trouble } = JSON.parse((await get('/?coverage')).body) as { trouble: { reason: string } | null }
    return trouble !== null
  })
  const before = await journalBytes(get)
  await command.until('a longer journal', async () => (await journalBytes(get)) > before)

  const second = await runCommand(t, ['record'], { ...env, BOOKTAPE_HTTP_PORT: '0' })
  assert.equal(second.code, 1)
  assert.match(
    second.stderr,
    /^\S+\/journal is in use by the process with pid \d+; stop it, or give this one another data directory\n$/,
  )

  await late.open()
  await command.until('readiness', async () => (await get('/readyz')).status === 200)
  await command.until('many rows', () => hasManyChanges(database.client))
  const { code, stdout, stderr } = await command.stop()
  assert.deepEqual([code, stderr], [0, ''])
  assert.match(stdout, /"msg":"SIGTERM: stopping"/)
  assert.match(stdout, /"msg":"stopped"\}\n$/)
  assert.ok((await assertStoredTruth(database.client, exchange.exchange)) >= CHANGES)
  assert.deepEqual(await gapsOf(database.client), STOPPED_GAPS)
})

test('a database without tables: it says "booktape migrate", and goes on when that was done', async (t) => {
  const exchange = await startExchange(t)
  const database = await startDatabase(t, { isMigrated: false })
  const env = { ...environment(t, exchange), DATABASE_URL: database.url.href }
  const { command, get } = await startRecorder(t, env)

  const warning = await command.line(/booktape migrate/)
  assert.match(warning, /"level":"warn".*the database lacks 0001_storage\.sql, /)
  await command.until('four live books', async () => (await liveBooks(get)) === 4)
  assert.equal((await get('/readyz')).status, 503)
  assert.equal((await get('/')).status, 404)

  const migrated = await runCommand(t, ['migrate'], { DATABASE_URL: database.url.href })
  assert.deepEqual([migrated.code, migrated.stderr], [0, ''])
  assert.match(migrated.stdout, / now has 0001_storage\.sql, /)
  await command.until('readiness', async () => (await get('/readyz')).status === 200)
  await command.until('many rows', () => hasManyChanges(database.client))
  const { code, stdout } = await command.stop('SIGINT')
  assert.equal(code, 0)
  assert.match(stdout, /"msg":"stopped"\}\n$/)
  assert.ok((await assertStoredTruth(database.client, exchange.exchange)) >= CHANGES)
  assert.deepEqual(await gapsOf(database.client), STOPPED_GAPS)

  const status = await runCommand(t, ['status'], { DATABASE_URL: database.url.href })
  assert.equal(status.code, 0)
  assert.match(status.stdout, /^btcusd {7}v1 {4}not live /m)
})

test('a database of another venue: one sentence, and 78', async (t) => {
  const exchange = await startExchange(t)
  const database = await startDatabase(t)
  const owner = openDatabase(database.url.href, { applicationName: 'test', max: 1 })
  assert.equal(await claimVenue(owner, 'gemini'), 'claimed')
  await owner.close()
  const { code, stderr } = await runCommand(t, ['record'], {
    ...environment(t, exchange),
    BOOKTAPE_HTTP_PORT: '0',
    DATABASE_URL: database.url.href,
  })
  assert.equal(
    stderr,
    'the database holds data of "gemini" and this recorder is at "simulated": set DATABASE_URL to a database of its own\n',
  )
  assert.equal(code, 78)
})

test('refused connections and an unlisted symbol: it waits, the listed one is live, the other is named', async (t) => {
  const exchange = await startExchange(t)
  const { faults } = exchange.exchange
  faults.inject({ fault: 'refuse_upgrade', feed: 'v1', symbol: 'ethgusdperp', status: 429, retryAfterS: 1 })
  faults.inject({ fault: 'refuse_upgrade', feed: 'ws', status: 503 })
  const database = await startDatabase(t)
  const { command, get } = await startRecorder(t, {
    ...environment(t, exchange),
    BOOKTAPE_SYMBOLS: 'ethgusdperp,nosuchusd',
    DATABASE_URL: database.url.href,
  })
  const missing = 'the v1 book of nosuchusd is not live\nthe ws book of nosuchusd is not live\n'
  await command.until('only the unlisted symbol missing', async () => (await get('/readyz')).body === missing)
  assert.equal((await get('/readyz')).status, 503)
  const listed = "symbol = 'ethgusdperp' and cause <> 'stopped'"
  await command.until('ended gaps', async () => !(await gapsOf(database.client, listed)).join().includes('open'))
  assert.deepEqual([faults.counts.refuse_upgrade, await liveBooks(get)], [2, 2])

  const { code, stdout, stderr } = await command.stop()
  assert.deepEqual([code, stderr], [0, ''])
  assert.match(stdout, /"reason":"the venue answered 429, to be asked again after 1 s: /)
  assert.match(stdout, /"reason":"the venue answered 503: /)
  assert.match(stdout, /"symbol":"nosuchusd","feed":"ws",.*"the venue refuses a symbol/)
  assert.deepEqual(await gapsOf(database.client, listed), [
    'ethgusdperp v1 book connect ended',
    'ethgusdperp ws book connect ended',
    'ethgusdperp ws trades connect ended',
  ])
  await assertStoredTruth(database.client, exchange.exchange)
})

test('kill -9 and a new start: nothing twice, and the absence is a closed gap', async (t) => {
  const exchange = await startExchange(t)
  const database = await startDatabase(t)
  const env = { ...environment(t, exchange), DATABASE_URL: database.url.href }
  const first = await startRecorder(t, env)
  await first.command.until('many rows', () => hasManyChanges(database.client))
  assert.equal((await first.command.stop('SIGKILL')).signal, 'SIGKILL')

  const second = await startRecorder(t, env)
  await second.command.until('readiness', async () => (await second.get('/readyz')).status === 200)
  await second.command.until('ended gaps', async () => !(await gapsOf(database.client)).join().includes('open'))
  assert.equal((await second.command.stop()).code, 0)

  assert.ok((await assertStoredTruth(database.client, exchange.exchange)) >= CHANGES)
  const restarts = SYMBOLS.flatMap((symbol) => [
    `${symbol} v1 book restart ended`,
    `${symbol} ws book restart ended`,
    `${symbol} ws trades restart ended`,
  ])
  assert.deepEqual(await gapsOf(database.client, "cause <> 'stopped'"), restarts)
  const { rows } = await database.client.query<{ again: string }>(
    `select count(*)::text as again from (
       select epoch_id, message_seq from booktape.book_messages group by 1, 2 having count(*) > 1
       union all select session_id, message_seq from booktape.quotes group by 1, 2 having count(*) > 1
     ) twice`,
  )
  assert.deepEqual(rows, [{ again: '0' }])
})

test('SIGTERM while the database is away ends with 0, and so does a second one while it is silent', async (t) => {
  const exchange = await startExchange(t)
  const database = await startDatabase(t)
  const away = await lateServer({ host: database.url.hostname, port: Number(database.url.port) })
  const env = environment(t, exchange)
  const first = await startRecorder(t, { ...env, DATABASE_URL: at(database.url, away) })
  await first.command.line(/the database takes no rows now/)
  const ended = await first.command.stop()
  assert.equal(ended.code, 0)
  assert.match(ended.stdout, /not everything is in the database: the next start stores the rest from the journal/)
  assert.match(ended.stdout, /"msg":"stopped"\}\n$/)

  const silent = await silentListener(t)
  const second = await startRecorder(t, { ...env, DATABASE_URL: at(database.url, silent) })
  second.command.kill('SIGTERM')
  await second.command.line(/"SIGTERM: stopping"/)
  const again = setInterval(() => second.command.kill('SIGTERM'), 100) // an echo within half a second is no second request
  await second.command.line(/"SIGTERM again: hurrying"/).finally(() => clearInterval(again))
  const hurried = await second.command.end('the second SIGTERM to end it')
  assert.deepEqual([hurried.code, hurried.stderr], [0, ''])
  assert.match(hurried.stdout, /"msg":"stopped"\}\n$/)
})

test('a database that falls silent in mid-run holds a stop up no longer than the second SIGTERM', async (t) => {
  const exchange = await startExchange(t)
  const database = await startDatabase(t)
  const between = await lateServer({ host: database.url.hostname, port: Number(database.url.port) })
  t.after(() => between.close())
  await between.open()
  const { command } = await startRecorder(t, { ...environment(t, exchange), DATABASE_URL: at(database.url, between) })
  await command.until('many rows', () => hasManyChanges(database.client))
  between.fallSilent()
  command.kill('SIGTERM')
  await command.line(/"SIGTERM: stopping"/)
  const again = setInterval(() => command.kill('SIGTERM'), 100)
  await command.line(/"SIGTERM again: hurrying"/).finally(() => clearInterval(again))
  const ended = await command.end('the second SIGTERM to end it')
  assert.deepEqual([ended.code, ended.stderr], [0, ''])
})

test('a stop before anything was heard of the venue ends with 0', async (t) => {
  const silent = await silentListener(t)
  const env = environment(t, { v1Url: url('ws', silent), wsUrl: url('ws', silent), restUrl: url('http', silent) })
  const command = new SpawnedCommand(t, ['record'], {
    ...env,
    BOOKTAPE_SYMBOLS: '*',
    BOOKTAPE_HTTP_PORT: '0',
    DATABASE_URL: `postgres://u@${silent.host}:${silent.port}/db`,
  })
  await silent.visited
  const { code, stdout } = await command.stop()
  assert.equal(code, 0)
  assert.match(stdout, /"msg":"stopped"\}\n$/)
})

/** What a stop of a run without faults leaves: one open gap a book, and one for the trades that ride outside a sequence. */
const STOPPED_GAPS = SYMBOLS.flatMap((symbol) => [
  `${symbol} v1 book stopped open`,
  `${symbol} ws book stopped open`,
  `${symbol} ws trades stopped open`,
])

async function gapsOf(client: Client, where = 'true'): Promise<string[]> {
  const { rows } = await client.query<{ line: string }>(
    `select concat_ws(' ', symbol, feed, stream, cause,
                      case when state = 'open' then 'open' else 'ended' end) as line from market.gaps where ${where} order by 1`,
  )
  return rows.map(({ line }) => line)
}

async function hasManyChanges(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ count: string }>(
    "select coalesce(sum(cardinality(prices)), 0)::text as count from booktape.book_messages where feed = 'v1'",
  )
  return BigInt(rows[0]?.count ?? 0) >= CHANGES
}

async function liveBooks(get: Get): Promise<number> {
  return (await get('/metrics')).body.match(/^booktape_book_live\{.*\} 1$/gm)?.length ?? 0
}

async function journalBytes(get: Get): Promise<number> {
  return Number(/^booktape_journal_bytes (\d+)$/m.exec((await get('/metrics')).body)?.[1])
}

const url = (scheme: string, { host, port }: Address): string => `${scheme}://${host}:${port}`

function at(database: URL, { host, port }: Address): string {
  const moved = new URL(database)
  moved.hostname = host
  moved.port = `${port}`
  return moved.href
}
