import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EmbeddedError, type EmbeddedPostgres, startEmbedded } from '@booktape/embedded'
import pg from 'pg'

/** A fresh, empty database. `close` drops it, ending whatever is still connected. */
export type TemporaryDatabase = Readonly<{ url: string; close(): Promise<void> }>

/** The server that the test runner started for all test processes; without it each process starts one. */
export const SHARED_SERVER_VARIABLE = 'BOOKTAPE_TEST_POSTGRES_URL'
/** The `bin` folder of another Postgres to test against, such as the oldest one supported. */
export const OTHER_POSTGRES_VARIABLE = 'BOOKTAPE_TEST_PG_BIN'

export async function temporaryDatabase(): Promise<TemporaryDatabase> {
  const server = process.env[SHARED_SERVER_VARIABLE] ?? (await ownServer()).url
  const name = `test_${randomBytes(8).toString('hex')}`
  await run(server, `create database ${name}`)
  const url = new URL(server)
  url.pathname = `/${name}`
  return { url: url.href, close: () => run(server, `drop database if exists ${name} with (force)`) }
}

export type TemporaryServer = EmbeddedPostgres & Readonly<{ directory: string; remove(): Promise<void> }>

/** A Postgres in a directory of its own under the system's temporary one; `remove` stops it and removes the directory. */
export async function temporaryServer(): Promise<TemporaryServer> {
  await removeLeftOvers()
  const directory = await mkdtemp(join(tmpdir(), `booktape-test-${process.pid}-`))
  const binaries = process.env[OTHER_POSTGRES_VARIABLE]
  const server = await startEmbedded({ directory, durable: false, ...(binaries === undefined ? {} : { binaries }) })
  return {
    ...server,
    directory,
    remove: async () => {
      await server.stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** Servers of test processes that were killed: taken over, as any start would, to be stopped. */
async function removeLeftOvers(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const pid = Number(/^booktape-test-(\d+)-/.exec(name)?.[1] ?? 0)
    if (pid === 0 || isAlive(pid)) continue
    const directory = join(tmpdir(), name)
    try {
      const server = await startEmbedded({ directory, durable: false, keepAlive: false, ownerWaitMs: 0 })
      await server.stop()
    } catch (error) {
      if (!(error instanceof EmbeddedError)) throw error
      if (error.code === 'IN_USE') continue // another test process is just removing it
    }
    await rm(directory, { recursive: true, force: true })
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

let own: Promise<TemporaryServer> | undefined

/** One for this process, started at first use, stopped when nothing else keeps the process alive. */
function ownServer(): Promise<TemporaryServer> {
  own ??= temporaryServer().then((server) => {
    let removed = false
    process.once('beforeExit', () => {
      void server.remove().then(() => {
        removed = true
      })
    })
    // An exit that does not wait: stop without ceremony.
    process.once('exit', () => {
      if (removed) return
      try {
        process.kill(server.pid(), 'SIGQUIT')
      } catch {
        // already gone
      }
      rmSync(server.directory, { recursive: true, force: true, maxRetries: 5 })
    })
    return server
  })
  return own
}

async function run(server: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: server })
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}
