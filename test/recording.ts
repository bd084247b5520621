import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Corridor, readRecorderConfig, record, type Scribe } from '@booktape/recorder'
import { createLogger, type Environment, type LogDestination, systemClock } from '@booktape/runtime'
import { migrate } from '@booktape/store'
import { temporaryDatabase } from '@booktape/testkit'
import { Client } from 'pg'

/** A real recorder in this process, on a database and a directory of its own. */
export type Recording = Readonly<{
  databaseUrl: string
  dataDir: string
  httpUrl: string
  corridor: Corridor
  scribe: Scribe
  /** What was logged, a JSON text a line. */
  log: readonly string[]
  query<Row extends object>(text: string, values?: readonly unknown[]): Promise<Row[]>
  /** Resolves when the condition, asked again and again, is true. Rejects when the recorder fails meanwhile. */
  until(condition: () => boolean | Promise<boolean>): Promise<void>
  /** Stops the recorder as SIGTERM would; what it stored can still be queried. */
  stop(): Promise<void>
  /** Stops it, and removes the database and the directory. */
  close(): Promise<void>
}>

const POLL_MS = 20

export type RecordingOptions = Readonly<{
  env: Environment
  database?: { url: string; close(): Promise<void> }
  dataDir?: string
  version?: string
}>

export async function startRecording(options: RecordingOptions): Promise<Recording> {
  const database = options.database ?? (await temporaryDatabase())
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'booktape-test-')))
  await migrate(database.url)
  const stopping = new AbortController()
  const log: string[] = []
  const destination: LogDestination = { write: (line) => void log.push(line) }
  const config = readRecorderConfig({ BOOKTAPE_HTTP_PORT: '0', BOOKTAPE_DATA_DIR: dataDir, ...options.env })
  const started = Promise.withResolvers<{ httpUrl: string; corridor: Corridor; scribe: Scribe }>()
  const running = record({
    config,
    databaseUrl: database.url,
    journalDirectory: join(dataDir, 'journal'),
    clock: systemClock(),
    log: createLogger({ level: 'info', name: 'recorder', destination }),
    version: options.version ?? 'test',
    stopping: stopping.signal,
    onStarted: started.resolve,
  })
  running.catch((error: unknown) => started.reject(error))
  const { httpUrl, corridor, scribe } = await started.promise
  const client = new Client({ connectionString: database.url })
  await client.connect()
  let failed: unknown = null
  running.catch((error: unknown) => {
    failed = error
  })

  const stop = async (): Promise<void> => {
    stopping.abort()
    await running
  }
  return {
    databaseUrl: database.url,
    dataDir,
    httpUrl,
    corridor,
    scribe,
    log,
    query: async <Row extends object>(text: string, values: readonly unknown[] = []) =>
      (await client.query<Row>(text, [...values])).rows,
    until: async (condition) => {
      while (!(await condition())) {
        if (failed !== null) throw failed
        await new Promise((resolve) => setTimeout(resolve, POLL_MS))
      }
    },
    stop,
    close: async () => {
      await stop().catch(() => undefined)
      await client.end()
      if (options.database === undefined) await database.close()
      if (options.dataDir === undefined) await rm(dataDir, { recursive: true, force: true })
    },
  }
}
