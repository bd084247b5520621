import { Socket } from 'node:net'
import { Kysely, PostgresDialect } from 'kysely'
import { Pool, types } from 'pg'
import { readDatabaseUrl, redactDatabaseUrl } from './database-url.ts'
import type { Tables } from './tables.ts'

export type Database = Readonly<{
  /** For statements written out, such as the writer's. Connections come and go in it; errors of idle ones are listened to. */
  pool: Pool
  /** For typed queries; the same connections. */
  queries: Kysely<Tables>
  /** The URL without its password. */
  name: string
  close(): Promise<void>
  /** Cuts every connection: what waits for an answer fails at once. For a stop that cannot wait. */
  abandon(): void
}>

export type DatabaseOptions = Readonly<{
  /** Shown in pg_stat_activity. */
  applicationName: string
  /** The most connections at once. */
  max: number
  /** Told when a connection ends that nobody was waiting on. Nothing needs doing: the next query takes another. */
  onConnectionLost?: (error: Error) => void
  /** Default `ANSWER_TIMEOUT_MS`; null where long reads are expected, such as exports. */
  answerTimeoutMs?: number | null
}>

/** A healthy server answers a dial within milliseconds; 5 s covers a slow link and a busy one. */
export const CONNECT_TIMEOUT_MS = 5_000

/**
 * How long any one answer may take before the connection is given up: only a dead network reaches it, as
 * statements have their own limit below it (transaction.ts). Migrations go by URL, not by this pool.
 */
export const ANSWER_TIMEOUT_MS = 45_000

/** Idle connections are probed so that a firewall's silent drop is found before the next batch needs one. */
export const KEEP_ALIVE_AFTER_MS = 10_000

/**
 * Opens no connection yet; the first query does. Nothing is set on a connection that outlives a transaction, and no
 * startup parameter but the application's name is sent, because PgBouncer in transaction mode gives each transaction
 * another connection and refuses startup parameters it does not know. Timeouts are set in each transaction.
 *
 * Values come exactly: `int8` (so `count(*)` too) as bigint, `numeric` as text, times and dates as Postgres writes
 * them, so that microseconds stay.
 *
 * @throws StoreError `BAD_URL`
 */
export function openDatabase(url: string, options: DatabaseOptions): Database {
  const lost = options.onConnectionLost ?? (() => undefined)
  const { answerTimeoutMs = ANSWER_TIMEOUT_MS } = options
  const sockets = new Set<Socket>()
  const openSocket = (): Socket => {
    const socket = new Socket()
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    return socket
  }
  const pool = new Pool({
    ...readDatabaseUrl(url),
    application_name: options.applicationName,
    max: options.max,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    ...(answerTimeoutMs === null ? {} : { query_timeout: answerTimeoutMs }),
    stream: openSocket,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_AFTER_MS,
    types: { getTypeParser: exactTypeParser },
  })
  // Without these, a connection that Postgres ends between two queries ends the process: idle ones tell the pool,
  // those in use tell themselves.
  pool.on('error', lost)
  pool.on('connect', (client) => client.on('error', lost))
  const queries = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) })
  return {
    pool,
    queries,
    name: redactDatabaseUrl(url),
    close: async () => {
      await queries.destroy()
      if (!pool.ending) await pool.end() // Kysely ends only a pool that it has used
    },
    abandon: () => sockets.forEach((socket) => socket.destroy()),
  }
}

type TypeParser = (text: string) => unknown

const parserOfPg: (oid: number, format?: 'text' | 'binary') => TypeParser = types.getTypeParser
const textElements = parserOfPg(1009) as (text: string) => (string | null)[] // text[]
const asText: TypeParser = (text) => text

/** By type oid (pg_type); everything else as pg reads it. */
const EXACT_PARSERS: ReadonlyMap<number, TypeParser> = new Map<number, TypeParser>([
  [20, BigInt], // int8
  [1016, (text) => textElements(text).map((element) => (element === null ? null : BigInt(element)))], // int8[]
  [1700, asText], // numeric
  [1231, textElements], // numeric[]; pg would read floats
  [1082, asText], // date
  [1114, asText], // timestamp
  [1184, asText], // timestamptz
  [1185, textElements], // timestamptz[]
])

function exactTypeParser(oid: number, format?: 'text' | 'binary'): TypeParser {
  const exact = format === 'binary' ? undefined : EXACT_PARSERS.get(oid)
  return exact ?? parserOfPg(oid, format)
}
