import { canonicalSymbol, readRestSettings, readVenueSettings } from '@booktape/gemini'
import type { Feed } from '@booktape/market'
import { type Environment, LOG_LEVELS, type LogLevel, readSettings, type SettingsReader } from '@booktape/runtime'
import { readDatabaseSetting } from '@booktape/store'

/** Everything a recorder is told, read once from the environment (contract, section 2). */
export type RecorderConfig = Readonly<{
  symbols: readonly string[] | 'all' // canonical, before sharding
  feeds: readonly Feed[]
  databaseUrl: string | null // null: the embedded Postgres in dataDir
  dataDir: string
  line: string
  shard: number
  shards: number
  httpHost: string
  httpPort: number
  statusPage: boolean
  v1Url: string
  wsUrl: string
  restUrl: string
  venue: 'gemini' | 'gemini-sandbox' | 'simulated'
  dialsPerMinute: number
  snapshotIntervalMs: number
  rotateAfterMs: number | null // null: never
  journalLimitBytes: number
  journalRetentionMs: number
  logLevel: LogLevel
}>

const GIB = 2 ** 30
const HOUR_MS = 3_600_000
/** A line's name is stored with every row and labels metrics: short and plain. */
const LINE_NAME = /^[a-z0-9][a-z0-9-]{0,15}$/
/** More than the venue has, few enough that a mistake does not make a thousand sockets. */
export const MAX_SYMBOLS = 1_000
/** A snapshot a second of every book is already most of the disk; a day without one makes `book_at` slow. */
const SNAPSHOT_INTERVAL_MS = { min: 1_000, max: 24 * HOUR_MS }
/** Two connections overlap for up to a minute: oftener than this a recorder would hardly do anything else. */
const ROTATE_AFTER_MS = { min: 120_000, max: 30 * 24 * HOUR_MS }
/** The reserve, some segments and the unsynced part must fit. */
const MIN_JOURNAL_BYTES = 256 * 2 ** 20

/** @throws ConfigError that names every problem at once. */
export function readRecorderConfig(env: Environment): RecorderConfig {
  return readSettings(env, (read) => {
    const shards = read.integer('BOOKTAPE_SHARDS', { default: 1, min: 1, max: 256 })
    const shard = read.integer('BOOKTAPE_SHARD', { default: 0, min: 0, max: 255 })
    if (shard >= shards)
      read.problem(`BOOKTAPE_SHARD is ${shard}, but shards count from 0 to ${shards - 1} (BOOKTAPE_SHARDS).`)
    const line = read.text('BOOKTAPE_LINE', { default: 'a' })
    if (!LINE_NAME.test(line)) read.problem('BOOKTAPE_LINE must be a short lowercase name such as a or b.')
    const snapshotIntervalMs = read.duration('BOOKTAPE_SNAPSHOT_INTERVAL', { default: 60_000 })
    const isOutside = snapshotIntervalMs < SNAPSHOT_INTERVAL_MS.min || snapshotIntervalMs > SNAPSHOT_INTERVAL_MS.max
    if (isOutside && !read.hasProblem('BOOKTAPE_SNAPSHOT_INTERVAL')) {
      read.problem('BOOKTAPE_SNAPSHOT_INTERVAL must be from 1s to 24h.')
    }
    const rotateAfterMs =
      read.text('BOOKTAPE_ROTATE_AFTER', { default: '23h' }) === 'never'
        ? null
        : read.duration('BOOKTAPE_ROTATE_AFTER', { default: 23 * HOUR_MS })
    const isRefused =
      rotateAfterMs !== null && (rotateAfterMs < ROTATE_AFTER_MS.min || rotateAfterMs > ROTATE_AFTER_MS.max)
    if (isRefused && !read.hasProblem('BOOKTAPE_ROTATE_AFTER')) {
      read.problem('BOOKTAPE_ROTATE_AFTER must be from 2m to 720h, or never.')
    }
    const journalLimitBytes = read.bytes('BOOKTAPE_JOURNAL_LIMIT', { default: 20 * GIB })
    if (!read.hasProblem('BOOKTAPE_JOURNAL_LIMIT') && journalLimitBytes < MIN_JOURNAL_BYTES)
      read.problem('BOOKTAPE_JOURNAL_LIMIT must be at least 256MiB.')
    return {
      symbols: symbols(read),
      feeds: feeds(read),
      databaseUrl: readDatabaseSetting(read),
      dataDir: read.text('BOOKTAPE_DATA_DIR', { default: '.booktape' }),
      line,
      shard,
      shards,
      httpHost: read.text('BOOKTAPE_HTTP_HOST', { default: '127.0.0.1' }),
      httpPort: read.integer('BOOKTAPE_HTTP_PORT', { default: 9464, min: 0, max: 65_535 }),
      statusPage: read.boolean('BOOKTAPE_STATUS_PAGE', { default: false }),
      ...readVenueSettings(read),
      dialsPerMinute: read.integer('BOOKTAPE_DIALS_PER_MINUTE', { default: 60, min: 1, max: 60 }),
      snapshotIntervalMs,
      rotateAfterMs,
      journalLimitBytes,
      journalRetentionMs: read.duration('BOOKTAPE_JOURNAL_RETENTION', { default: 24 * HOUR_MS }),
      logLevel: read.choice('BOOKTAPE_LOG_LEVEL', LOG_LEVELS, { default: 'info' }),
    }
  })
}

/** What asks the venue's REST alone is told. @throws ConfigError that names every problem at once. */
export function readRestConfig(env: Environment): Pick<RecorderConfig, 'restUrl' | 'venue'> {
  return readSettings(env, (read) => readRestSettings(read))
}

function symbols(read: SettingsReader): readonly string[] | 'all' {
  const given = read.list('BOOKTAPE_SYMBOLS')
  if (given.length === 1 && given[0] === '*') return 'all'
  const canonical = given.map((text) => {
    const symbol = canonicalSymbol(text)
    if (symbol === null) {
      read.problem(
        `BOOKTAPE_SYMBOLS holds ${JSON.stringify(text.slice(0, 40))}, which is no symbol: symbols look like btcusd.`,
      )
    }
    return symbol ?? ''
  })
  if (canonical.length > MAX_SYMBOLS) {
    read.problem(
      `BOOKTAPE_SYMBOLS holds ${canonical.length} symbols; one recorder takes ${MAX_SYMBOLS}: use BOOKTAPE_SHARDS.`,
    )
  }
  return [...new Set(canonical)]
}

function feeds(read: SettingsReader): readonly Feed[] {
  const given = read.list('BOOKTAPE_FEEDS', { default: ['v1', 'ws'] as const })
  return given.flatMap((text): Feed[] => {
    if (text === 'v1' || text === 'ws') return [text]
    read.problem(`BOOKTAPE_FEEDS holds ${JSON.stringify(text.slice(0, 40))}; the feeds are v1 and ws.`)
    return []
  })
}
