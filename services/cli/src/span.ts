import { canonicalSymbol } from '@booktape/gemini'
import type { Feed } from '@booktape/market'
import { ConfigError } from '@booktape/runtime'
import type { Command } from 'commander'

/** What every command that reads a recording is asked for: `[symbols...] --symbols --from --to --feed`. */
export type SpanOptions = Readonly<{ symbols?: string; from?: string; to?: string; feed?: string }>

/** A part of a recording, half-open [fromNs, toNs) by receive time, in nanoseconds since 1970 UTC. */
export type Span = Readonly<{
  symbols: readonly string[] // lower case, each once, in the order given; none: not said
  fromNs: bigint | null // null: not said
  toNs: bigint
  feed: Feed | null // null: for each symbol the one that is known first
}>

/** A span that says all that a replay needs. */
export type BoundedSpan = Span & Readonly<{ fromNs: bigint }>

export function addSpanOptions(command: Command): Command {
  return command
    .argument('[symbols...]', 'such as btcusd ethusd')
    .option('--symbols <list>', 'the same, comma separated')
    .option('--from <time>', 'such as 2026-03-01, 2026-03-01T10:00:00Z, or 24h: that long ago')
    .option('--to <time>', 'the end, not included; now if not given')
    .option('--feed <feed>', 'v1 or ws; if not given, for each symbol the one that is known first')
}

/** @throws ConfigError that names every problem at once. */
export function readSpan(given: readonly string[], options: SpanOptions, nowNs: bigint): Span {
  const problems: string[] = []
  const symbols = readSymbols([...given, ...(options.symbols?.split(',') ?? [])], problems)
  const fromNs = readTime('--from', options.from, nowNs, problems)
  const toNs = readTime('--to', options.to, nowNs, problems) ?? nowNs
  const { feed = null } = options
  if (feed !== null && feed !== 'v1' && feed !== 'ws')
    problems.push(`--feed is ${quote(feed)}; the feeds are v1 and ws.`)
  if (problems.length === 0 && fromNs !== null && fromNs >= toNs)
    problems.push(`--from ${options.from ?? ''} is not before --to ${options.to ?? 'now'}.`)
  if (problems.length > 0) throw new ConfigError(problems)
  return { symbols, fromNs, toNs, feed: feed as Feed | null }
}

/** For a command that cannot do without symbols. @throws ConfigError */
export function requireSymbols(span: Span): Span {
  if (span.symbols.length === 0) throw new ConfigError([NO_SYMBOL])
  return span
}

const NO_SYMBOL = 'No symbol is given: name some, such as btcusd ethusd.'

/** For a command that cannot do without symbols and a beginning. @throws ConfigError */
export function requireBounds(span: Span): BoundedSpan {
  const problems: string[] = []
  if (span.symbols.length === 0) problems.push(NO_SYMBOL)
  if (span.fromNs === null)
    problems.push('--from is not given: say when to begin, such as --from 2026-03-01 or --from 24h.')
  if (span.fromNs === null || problems.length > 0) throw new ConfigError(problems)
  return { ...span, fromNs: span.fromNs }
}

function readSymbols(texts: readonly string[], problems: string[]): readonly string[] {
  const symbols = texts.map((text) => {
    const symbol = canonicalSymbol(text.trim())
    if (symbol === null) problems.push(`${quote(text)} is no symbol: symbols look like btcusd.`)
    return symbol ?? ''
  })
  return [...new Set(symbols)]
}

const DURATION_NS: ReadonlyMap<string, bigint> = new Map([
  ['s', 1_000_000_000n],
  ['m', 60_000_000_000n],
  ['h', 3_600_000_000_000n],
  ['d', 86_400_000_000_000n],
])

function readTime(option: string, text: string | undefined, nowNs: bigint, problems: string[]): bigint | null {
  if (text === undefined) return null
  const timeNs = readInstant(text, nowNs)
  if (timeNs === null) {
    problems.push(
      `${option} is ${quote(text)}, which is no time: write 2026-03-01, 2026-03-01T10:00:00Z, now, or 24h for that long ago.`,
    )
  }
  return timeNs
}

/**
 * Nanoseconds since 1970 UTC, exactly; null for what is no instant. Without a zone it is UTC.
 *
 *   2026-03-01                      2026-03-01 10:00          2026-03-01T10:00:00.123456789Z
 *   2026-03-01T10:00:00+02:00       1790732600000000000       90m, 24h, 7d (before now)        now
 */
export function readInstant(text: string, nowNs: bigint): bigint | null {
  if (text === 'now') return nowNs
  if (/^\d{16,19}$/.test(text)) return BigInt(text)
  const [, count, unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? []
  if (count !== undefined) return nowNs - BigInt(count) * (DURATION_NS.get(unit) ?? 0n)
  const [, date, time = '00:00', seconds = ':00', fraction = '', zone = 'Z'] = ISO_INSTANT.exec(text) ?? []
  if (date === undefined) return null
  const milliseconds = Date.parse(`${date}T${time}${seconds}${zone}`)
  if (Number.isNaN(milliseconds)) return null
  // Date.parse takes the 31st of February for a day in March.
  if (!new Date(`${date}T00:00Z`).toISOString().startsWith(date)) return null
  return BigInt(milliseconds) * 1_000_000n + BigInt(fraction.padEnd(9, '0'))
}

const ISO_INSTANT = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d)?(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)?)?$/

/** Long enough to recognise, short enough for one line. */
const QUOTED_CHARACTERS = 40

function quote(text: string): string {
  return JSON.stringify(text.length > QUOTED_CHARACTERS ? `${text.slice(0, QUOTED_CHARACTERS)}…` : text)
}
