import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type EmbeddedPostgres, startEmbedded } from '@booktape/embedded'
import { migrate } from '@booktape/store'
import { ToxicProxy } from './chaos/toxic-proxy.ts'
import { startRecorder } from './spawned-command.ts'
import { connected, promote, startStandby, stopFollowing } from './standby.ts'
import { assertStoredTruth } from './stored-truth.ts'
import { environment, SYMBOLS, startExchange } from './surroundings.ts'
import { assertWhole } from './whole.ts'

// Two real clusters, the second an asynchronous standby of the first, behind one address that moves from one to the other.

/** Messages that the standby lacks when it takes over: some dozen batches. */
const LOST = 500
const MESSAGES = 1_000

test('a standby that takes over without the last commits is given them from the journal, while recording goes on', async (t) => {
  const { primary, standby, exchange, command, get, moveTo } = await recordedPair(t)
  await stopFollowing(standby)
  const kept = await messages(standby)
  await command.until('rows that the standby lacks', async () => (await messages(primary)) > kept + LOST)

  process.kill(primary.pid(), 'SIGQUIT')
  await primary.stop()
  moveTo(standby)
  await command.line(/"class":"read_only"/) // it has not taken over yet: waited for, like any other absence
  assert.equal(await messages(standby), kept)
  await promote(standby)
  const moved = await command.line(/"class":"position_moved"/)
  assert.match(
    moved,
    /journal [-0-9a-f]{36} has position \d+ in the database, where a batch from \d+ to \d+ was to be stored/,
  )
  await command.until('what was lost, and more', async () => (await messages(standby)) > kept + LOST + MESSAGES)
  await command.until('readiness', async () => (await get('/readyz')).status === 200)

  const { code, stderr } = await command.stop()
  assert.deepEqual([code, stderr], [0, ''])
  await connected(standby.url, async (client) => {
    assert.ok((await assertStoredTruth(client, exchange.exchange)) > MESSAGES)
    await assertNothingMissing(client)
  })
  await assertWhole(standby.url)
})

test('with two primaries at once each has an unbroken part of the journal, and the one that is settled on has all', async (t) => {
  const { primary, standby, exchange, command, moveTo } = await recordedPair(t)
  await promote(standby) // and the first one goes on accepting
  for (const turn of [standby, primary, standby, primary, standby]) {
    const before = await messages(turn)
    moveTo(turn)
    await command.until('rows', async () => (await messages(turn)) > before + LOST)
  }
  const { code, stderr } = await command.stop()
  assert.deepEqual([code, stderr], [0, ''])
  assert.ok(command.count(/"class":"position_moved"/) >= 4)

  await connected(standby.url, async (client) => {
    assert.ok((await assertStoredTruth(client, exchange.exchange)) > MESSAGES)
    await assertNothingMissing(client)
  })
  // The abandoned one ends earlier and knows of no stop, but of what it has nothing is missing or doubled.
  await connected(primary.url, async (client) => {
    assert.ok((await assertStoredTruth(client, exchange.exchange)) > LOST)
    assert.deepEqual((await client.query('select from market.gaps')).rowCount, 0)
  })
  for (const { url } of [primary, standby]) await assertWhole(url)
  const [all, part] = [await storedTexts(standby), await storedTexts(primary)]
  assert.ok(part.size < all.size)
  assert.deepEqual(
    [...part].filter((row) => !all.has(row)),
    [],
  )
})

/** A primary, a standby that follows it, and a recorder that writes into the one its address leads to. */
async function recordedPair(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'booktape-failover-'))
  const servers: EmbeddedPostgres[] = []
  let target: URL | null = null
  const proxy = await ToxicProxy.listen(() => ({ host: target?.hostname ?? '', port: Number(target?.port) }))
  t.after(async () => {
    await proxy.close()
    for (const server of servers) await server.stop()
    rmSync(directory, { recursive: true, force: true })
  })
  const first = join(directory, 'first')
  const primary = await startEmbedded({ directory: first, keepAlive: false, durable: false })
  servers.push(primary)
  await migrate(primary.url)
  const standby = await startStandby({ url: primary.url, directory: first }, join(directory, 'second'), {
    durable: false,
  })
  servers.push(standby)
  target = new URL(primary.url)

  const exchange = await startExchange(t)
  const url = new URL(primary.url)
  url.hostname = proxy.address.host
  url.port = `${proxy.address.port}`
  const { command, get } = await startRecorder(t, { ...environment(t, exchange), DATABASE_URL: url.href })
  await command.until('rows on the standby too', async () => (await messages(standby)) > 0)
  const moveTo = (server: EmbeddedPostgres): void => {
    target = new URL(server.url)
    proxy.cut()
  }
  return { primary, standby, exchange, command, get, moveTo }
}

async function messages(server: EmbeddedPostgres): Promise<number> {
  return await connected(server.url, async (client) => {
    const { rows } = await client.query<{ count: number }>('select count(*)::int as count from booktape.book_messages')
    return rows[0]?.count ?? 0
  })
}

/** No gap but that of the stop, and no epoch but those that began with the recording. */
async function assertNothingMissing(client: Parameters<typeof assertStoredTruth>[0]): Promise<void> {
  const { rows: gaps } = await client.query(`select distinct concat_ws(' ', cause, state) as gap from market.gaps`)
  assert.deepEqual(gaps, [{ gap: 'stopped open' }])
  const { rows: epochs } = await client.query('select count(*)::int as count from market.epochs')
  assert.deepEqual(epochs, [{ count: SYMBOLS.length * 2 }])
}

/** Messages, quotes and trades, each as Postgres writes it. */
async function storedTexts(server: EmbeddedPostgres): Promise<Set<string>> {
  return await connected(server.url, async (client) => {
    const { rows } = await client.query<{ row: string }>(
      `select m::text as row from booktape.book_messages m union all select q::text from booktape.quotes q
       union all select t::text from booktape.trades t union all select s::text from booktape.book_snapshots s`,
    )
    return new Set(rows.map(({ row }) => row))
  })
}
