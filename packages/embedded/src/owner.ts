import { Socket } from 'node:net'
import pg from 'pg'
import { type Cluster, ROLE } from './cluster.ts'

/**
 * Who may stop this Postgres. Ownership is a lock that a connection holds in the database itself: it ends with the
 * process that held it, however that ends, and no file is left to be believed wrongly.
 */
export type Ownership = Readonly<{
  /** Resolves when the connection is lost, and the ownership with it. */
  lost: Promise<void>
  createDatabase(name: string): Promise<void>
  /** From now on this connection is no reason to keep the process alive. */
  rest(): void
  release(): Promise<void>
}>

/** `null`: not yet ready for connections. A text: who owns it. */
export type OwnAttempt = Ownership | string | null

/** Any number no one else locks: the bytes of "booktape". */
const OWNER_KEY = '7093010445436547173'

const CONNECT_TIMEOUT_MS = 5000

/** A server that starts, stops or recovers answers so; everything else is final. */
const NOT_YET = new Set(['57P03', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', '53300'])

export async function tryOwn(cluster: Cluster, port: number): Promise<OwnAttempt> {
  const socket = new Socket()
  const client = new pg.Client({
    host: '127.0.0.1',
    port,
    user: ROLE,
    password: cluster.password,
    database: 'postgres',
    application_name: `booktape process ${process.pid}`,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    stream: () => socket,
    ssl: false,
  })
  const lost = new Promise<void>((resolve) => {
    client.once('end', () => resolve())
    client.on('error', () => resolve())
  })
  try {
    await client.connect()
    const own = await client.query<{ owned: boolean }>('select pg_try_advisory_lock($1::bigint) as owned', [OWNER_KEY])
    if (own.rows[0]?.owned !== true) {
      const owner = await ownerOf(client)
      await client.end()
      return owner
    }
  } catch (error) {
    await client.end().catch(() => undefined) // it may never have been connected
    if (isNotYet(error)) return null
    throw error
  }
  return {
    lost,
    createDatabase: (name) => createDatabase(client, name),
    rest: () => void socket.unref(),
    release: () => {
      socket.ref()
      return client.end().catch(() => undefined)
    },
  }
}

async function ownerOf(client: pg.Client): Promise<string> {
  const found = await client.query<{ owner: string }>(
    `select application_name as owner from pg_locks join pg_stat_activity using (pid)
     where locktype = 'advisory' and granted and (classid::bigint << 32) + objid::bigint = $1::bigint`,
    [OWNER_KEY],
  )
  return found.rows[0]?.owner ?? 'another process'
}

async function createDatabase(client: pg.Client, name: string): Promise<void> {
  const found = await client.query('select 1 from pg_database where datname = $1', [name])
  if (found.rows.length === 0) await client.query(`create database ${client.escapeIdentifier(name)}`)
}

function isNotYet(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if ('code' in error && typeof error.code === 'string') return NOT_YET.has(error.code)
  return /terminated|timeout/i.test(error.message) // pg's own errors of a connection that broke carry no code
}
