import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { EmbeddedError } from './errors.ts'
import { isAlive } from './postmaster.ts'
import { type EmbeddedPostgres, startEmbedded } from './start-embedded.ts'

type Owner = Readonly<{ process: ChildProcess; url: string; pid: number }>

let directory: string

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'booktape-embedded-'))
})
after(() => rm(directory, { recursive: true, force: true }))

test('rows written before a stop are there after the next start, at the same url', async () => {
  const first = await start()
  await query(first.url, 'create table kept (word text)')
  await query(first.url, "insert into kept values ('first')")
  await first.stop()
  const second = await start()
  assert.equal(second.url, first.url)
  assert.deepEqual(await words(second.url), ['first'])
  await second.stop()
})

test('after a stop no process is left', async () => {
  const server = await start()
  const pid = server.pid()
  assert.equal(await isAlive(pid), true)
  await server.stop()
  assert.equal(await isAlive(pid), false)
  await server.stop() // a second stop has nothing to do
})

test('settings that keep rows exact and safe are in force', async () => {
  const server = await start()
  const rows = await query(
    server.url,
    `select name, setting from pg_settings where name in
     ('synchronous_commit', 'TimeZone', 'data_checksums', 'server_encoding', 'listen_addresses', 'max_wal_size', 'password_encryption')
     order by name collate "C"`,
  )
  assert.deepEqual(rows, [
    { name: 'TimeZone', setting: 'UTC' },
    { name: 'data_checksums', setting: 'on' },
    { name: 'listen_addresses', setting: '127.0.0.1' },
    { name: 'max_wal_size', setting: '2048' },
    { name: 'password_encryption', setting: 'scram-sha-256' },
    { name: 'server_encoding', setting: 'UTF8' },
    { name: 'synchronous_commit', setting: 'on' },
  ])
  await server.stop()
})

test('nobody gets in without the password, which only its owner can read', async () => {
  const server = await start()
  const wrong = new URL(server.url)
  wrong.password = 'guess'
  await assert.rejects(query(wrong.href, 'select 1'), { code: '28P01' })
  assert.equal((await stat(join(directory, 'cluster', 'booktape.password'))).mode & 0o777, 0o600)
  assert.equal((await stat(directory)).mode & 0o777, 0o700)
  await server.stop()
})

test('a second starter is refused in a sentence that names the first', async () => {
  const server = await start()
  await assert.rejects(start(), (error: unknown) => {
    assert.ok(error instanceof EmbeddedError)
    assert.equal(error.code, 'IN_USE')
    assert.match(
      error.message,
      new RegExp(`is in use by booktape process ${process.pid}: stop that one, or set BOOKTAPE_DATA_DIR`),
    )
    return true
  })
  assert.deepEqual(await words(server.url), ['first'])
  await server.stop()
})

test('a second starter waits for the first to stop', async () => {
  const first = await start()
  const second = startEmbedded({ directory, durable: false, ownerWaitMs: 60_000 })
  await first.stop()
  const server = await second
  assert.notEqual(server.pid(), first.pid())
  assert.deepEqual(await words(server.url), ['first'])
  await server.stop()
})

test('of two that start at once on a new directory one owns it and the other is refused', async () => {
  const fresh = await mkdtemp(join(tmpdir(), 'booktape-embedded-'))
  const starts = await Promise.allSettled([spawnOwner(fresh), spawnOwner(fresh)])
  const [winner, ...others] = starts.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  const refusals = starts.flatMap((result) => (result.status === 'rejected' ? [String(result.reason)] : []))
  assert.ok(winner)
  assert.equal(others.length, 0)
  assert.match(refusals.join(), /is in use by booktape process \d+/)
  await endOwner(winner)
  assert.equal(await isAlive(winner.pid), false)
  await rm(fresh, { recursive: true })
})

test('kill -9 of Postgres alone: it runs again at the same url with its rows', async () => {
  const restarted = Promise.withResolvers<string>()
  const server = await startEmbedded({
    directory,
    durable: false,
    log: (sentence) => {
      if (sentence.includes('it runs again')) restarted.resolve(sentence)
    },
  })
  const killed = server.pid()
  await query(server.url, "insert into kept values ('second')")
  process.kill(killed, 'SIGKILL')
  await restarted.promise
  assert.notEqual(server.pid(), killed)
  assert.deepEqual(await words(server.url), ['first', 'second'])
  await server.stop()
})

test('kill -9 of the owner alone: the next start takes over the Postgres that lived on', async () => {
  const owner = await spawnOwner(directory)
  await killHard(owner.process)
  assert.equal(await isAlive(owner.pid), true)
  const server = await start({ ownerWaitMs: 60_000 }) // its connection takes a moment to end
  assert.equal(server.pid(), owner.pid)
  assert.equal(server.url, owner.url)
  await server.stop()
  assert.equal(await isAlive(owner.pid), false)
})

for (const [order, kill] of [
  ['owner, then Postgres', [killOwner, killPostgres]],
  ['Postgres, then owner', [killPostgres, killOwner]],
] as const) {
  test(`kill -9 of both (${order}): the next start recovers the rows`, async () => {
    const owner = await spawnOwner(directory)
    await query(owner.url, `insert into kept values ('${order}')`)
    for (const one of kill) await one(owner)
    const server = await start({ ownerWaitMs: 60_000 })
    assert.ok((await words(server.url)).includes(order))
    await server.stop()
    assert.equal(await isAlive(owner.pid), false)
  })
}

test('a lock file whose number now belongs to another program does not stop the start', async () => {
  const lockFile = join(directory, 'cluster', 'postmaster.pid')
  await writeFile(lockFile, `${process.pid}\n${join(directory, 'cluster')}\n1700000000\n5432\n\n127.0.0.1\n\nready\n`)
  const server = await start()
  assert.equal((await readFile(lockFile, 'utf8')).split('\n')[0], String(server.pid()))
  await server.stop()
})

for (const [name, options, code, sentence] of [
  ['a directory that is a file', { directory: fileURLToPath(import.meta.url) }, 'DIRECTORY', /set BOOKTAPE_DATA_DIR/],
  [
    'a folder without Postgres',
    { directory: tmpdir(), binaries: '/nowhere' },
    'UNSUPPORTED_PLATFORM',
    /holds no initdb/,
  ],
] as const) {
  test(`${name} is refused in a sentence with a next step`, async () => {
    await assert.rejects(startEmbedded(options), (error: unknown) => {
      assert.ok(error instanceof EmbeddedError)
      assert.equal(error.code, code)
      assert.match(error.message, sentence)
      return true
    })
  })
}

function start(options: Readonly<{ ownerWaitMs?: number }> = {}): Promise<EmbeddedPostgres> {
  return startEmbedded({ directory, durable: false, ownerWaitMs: 0, ...options })
}

/** A process of its own that owns the Postgres in `folder`; rejects with what it said when it could not. */
async function spawnOwner(folder: string): Promise<Owner> {
  const script = fileURLToPath(new URL('./owner-process.ts', import.meta.url))
  const child = spawn(process.execPath, [script, folder], { stdio: ['pipe', 'pipe', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  const line = await new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).once('line', resolve)
    child.once('close', () => reject(new Error(said)))
  })
  const { url, pid } = JSON.parse(line) as { url: string; pid: number }
  return { process: child, url, pid }
}

async function endOwner(owner: Owner): Promise<void> {
  owner.process.stdin?.end()
  await once(owner.process, 'exit')
}

async function killOwner(owner: Owner): Promise<void> {
  await killHard(owner.process)
}

/** No waiting: what follows must find the zombie, the half-dead backends or the beginning restart. */
function killPostgres(owner: Owner): void {
  process.kill(owner.pid, 'SIGKILL')
}

async function killHard(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL')
  await once(child, 'exit')
}

async function words(url: string): Promise<readonly string[]> {
  const rows = await query(url, 'select word from kept order by ctid')
  return rows.map((row) => String(row['word']))
}

async function query(url: string, sql: string): Promise<readonly Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const result = await client.query<Record<string, unknown>>(sql)
    return result.rows
  } finally {
    await client.end()
  }
}
