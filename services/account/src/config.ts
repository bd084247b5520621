import {
  Credentials,
  canonicalSymbol,
  isMasterKey,
  NONCE_KINDS,
  type NonceKind,
  readVenueSettings,
  type VenueSettings,
} from '@booktape/gemini'
import { type DecimalText, isZero, readDecimal } from '@booktape/market'
import { type Environment, LOG_LEVELS, type LogLevel, readSettings, type SettingsReader } from '@booktape/runtime'
import { readDatabaseSetting } from '@booktape/store'
import { PRIVATE_PER_MINUTE } from '@booktape/transport'
import { ACCOUNT_FEEDS, type AccountFeed } from './event.ts'

/** What is asked for again and again: the price of buying for, or selling, one amount. */
export type QuoteAsk = Readonly<{
  symbol: string
  side: 'buy' | 'sell'
  totalSpend: DecimalText // in the quote currency for a buy, in the base currency for a sell
}>

/** Everything the account's service is told, read once from the environment (docs/configuration.md). */
export type AccountConfig = Readonly<{
  credentials: Credentials
  secrets: readonly string[] // what no line of a log may hold
  feeds: readonly AccountFeed[]
  nonceKind: NonceKind
  nonceDir: string
  quotes: readonly QuoteAsk[]
  quoteIntervalMs: number
  databaseUrl: string
  dataDir: string
  httpHost: string
  httpPort: number
  journalLimitBytes: number
  journalRetentionMs: number
  logLevel: LogLevel
}> &
  VenueSettings

const GIB = 2 ** 30
const HOUR_MS = 3_600_000
const MS_PER_MINUTE = 60_000
/** Each is a request of its own at every turn. */
export const MAX_QUOTES = 100
const QUOTE_INTERVAL_MS = { min: 1_000, max: 24 * HOUR_MS }
const MIN_JOURNAL_BYTES = 256 * 2 ** 20

/** @throws ConfigError that names every problem at once, and no secret. */
export function readAccountConfig(env: Environment): AccountConfig {
  return readSettings(env, (read) => {
    const key = secret(read, 'BOOKTAPE_GEMINI_API_KEY')
    const apiSecret = secret(read, 'BOOKTAPE_GEMINI_API_SECRET')
    const dataDir = read.text('BOOKTAPE_DATA_DIR', { default: '.booktape' })
    const nonceKind = read.choice('BOOKTAPE_GEMINI_NONCE', NONCE_KINDS, { default: 'monotonic' })
    const quotes = quoteAsks(read)
    const journalLimitBytes = read.bytes('BOOKTAPE_JOURNAL_LIMIT', { default: GIB })
    if (!read.hasProblem('BOOKTAPE_JOURNAL_LIMIT') && journalLimitBytes < MIN_JOURNAL_BYTES)
      read.problem('BOOKTAPE_JOURNAL_LIMIT must be at least 256MiB.')
    return {
      credentials: new Credentials({ key, secret: apiSecret, account: account(read, key) }),
      secrets: [key, apiSecret],
      feeds: accountFeeds(read, nonceKind, key),
      nonceKind,
      nonceDir: read.text('BOOKTAPE_NONCE_DIR', { default: `${dataDir}/nonces` }),
      quotes,
      quoteIntervalMs: quoteInterval(read, quotes.length),
      databaseUrl: databaseUrl(read),
      dataDir,
      httpHost: read.text('BOOKTAPE_HTTP_HOST', { default: '127.0.0.1' }),
      httpPort: read.integer('BOOKTAPE_HTTP_PORT', { default: 9466, min: 0, max: 65_535 }),
      journalLimitBytes,
      journalRetentionMs: read.duration('BOOKTAPE_JOURNAL_RETENTION', { default: 24 * HOUR_MS }),
      logLevel: read.choice('BOOKTAPE_LOG_LEVEL', LOG_LEVELS, { default: 'info' }),
      ...readVenueSettings(read),
    }
  })
}

/** What stands for a secret that is missing, so that the other problems are found too; nothing is ever signed with it. */
const MISSING = 'missing'

function secret(read: SettingsReader, name: string): string {
  const text = read.secret(name)
  if (text === null) {
    if (!read.hasProblem(name))
      read.problem(`${name} is not set: give it, or name a file that holds it by ${name}_FILE.`)
    return MISSING
  }
  // It goes into a header, where anything else would end the request or begin another header.
  if (/^[\x21-\x7e]{1,200}$/.test(text)) return text
  read.problem(`${name} holds a blank, a line end or a letter that no key of Gemini has: copy it again.`)
  return MISSING
}

function account(read: SettingsReader, key: string): string | null {
  const name = read.text('BOOKTAPE_GEMINI_ACCOUNT', { default: null })
  if (isMasterKey(key)) {
    if (name === null)
      read.problem('BOOKTAPE_GEMINI_ACCOUNT is not set: a master key must say which account it is about.')
    return name ?? MISSING
  }
  if (name !== null && key !== MISSING)
    read.problem('BOOKTAPE_GEMINI_ACCOUNT is for a master key only, and this key belongs to one account: remove it.')
  return null
}

function accountFeeds(read: SettingsReader, nonceKind: NonceKind, key: string): readonly AccountFeed[] {
  const name = 'BOOKTAPE_ACCOUNT_FEEDS'
  const given = read.list(name, { default: [] as readonly string[] })
  const stranger = given.find((text) => !ACCOUNT_FEEDS.some((feed) => feed === text))
  if (stranger !== undefined)
    read.problem(`${name} holds ${JSON.stringify(stranger.slice(0, 60))}; the feeds are ${ACCOUNT_FEEDS.join(', ')}.`)
  if (given.includes('ws') && isMasterKey(key))
    read.problem(`${name} holds ws, which takes no master key: use a key of the account itself, or v1 alone.`)
  else if (given.includes('ws') && nonceKind !== 'time')
    read.problem(
      `${name} holds ws, which takes only keys made with a time based nonce: use such a key and set BOOKTAPE_GEMINI_NONCE=time, or v1 alone.`,
    )
  return ACCOUNT_FEEDS.filter((feed) => given.includes(feed))
}

function quoteAsks(read: SettingsReader): readonly QuoteAsk[] {
  const name = 'BOOKTAPE_INSTANT_QUOTES'
  const given = read.list(name, { default: [] as readonly string[] })
  const asks = given.flatMap((text): QuoteAsk[] => {
    const [symbolText = '', side, amount = '', ...rest] = text.split(':')
    const symbol = canonicalSymbol(symbolText)
    const totalSpend = readDecimal(amount)
    const isSide = side === 'buy' || side === 'sell'
    if (symbol !== null && isSide && totalSpend !== null && !isZero(totalSpend) && rest.length === 0)
      return [{ symbol, side, totalSpend }]
    read.problem(
      `${name} holds ${JSON.stringify(text.slice(0, 60))}: write symbol:side:amount, such as btcusd:buy:100 (dollars spent) or btcusd:sell:0.01 (bitcoin sold).`,
    )
    return []
  })
  if (asks.length > MAX_QUOTES) read.problem(`${name} holds ${asks.length} quotes; one process takes ${MAX_QUOTES}.`)
  return asks
}

function quoteInterval(read: SettingsReader, quotes: number): number {
  const name = 'BOOKTAPE_INSTANT_QUOTE_INTERVAL'
  const ms = read.duration(name, { default: MS_PER_MINUTE })
  if (read.hasProblem(name)) return ms
  if (ms < QUOTE_INTERVAL_MS.min || ms > QUOTE_INTERVAL_MS.max) read.problem(`${name} must be from 1s to 24h.`)
  else if (quotes * (MS_PER_MINUTE / ms) > PRIVATE_PER_MINUTE) {
    const least = Math.ceil((quotes * MS_PER_MINUTE) / PRIVATE_PER_MINUTE / 1_000)
    read.problem(
      `${name}: ${quotes} quotes that often are more than ${PRIVATE_PER_MINUTE} requests a minute, which is all that Gemini advises: make it ${least}s or longer.`,
    )
  }
  return ms
}

function databaseUrl(read: SettingsReader): string {
  const url = readDatabaseSetting(read)
  if (url === null && !read.hasProblem('DATABASE_URL'))
    read.problem(
      'DATABASE_URL is not set: name the database that the recorder writes to, such as postgres://user:password@host:5432/booktape.',
    )
  return url ?? ''
}
