import type { Feed } from '@booktape/market'
import { TABLES, type TableName } from './tables.ts'

/**
 * What is written, verified and published as one. `books`: a symbol's day on one feed, by receive time. `trades`: a symbol's day, by the
 * venue's time, whichever feed saw them. `day`: what was known of a day as a whole, published last.
 */
export type Unit =
  | Readonly<{ kind: 'books'; date: string; symbol: string; feed: Feed }>
  | Readonly<{ kind: 'trades'; date: string; symbol: string }>
  | Readonly<{ kind: 'day'; date: string }>

/** Engines leave out what begins with an underscore. */
const MANIFESTS = '_manifests'

/**
 * Where a unit's file of a table lies, below the archive's root; a folder a table, as engines with one schema a table want it:
 *
 *   book_changes/feed=ws/symbol=btcusd/date=2026-03-01/book_changes.parquet
 *   trades/symbol=btcusd/date=2026-03-01/trades.parquet
 *   gaps/date=2026-03-01/gaps.parquet
 */
export function tablePath(table: TableName, unit: Unit): string {
  return `${table}/${partition(unit)}/${table}.parquet`
}

/** `_manifests/books/feed=ws/symbol=btcusd/date=2026-03-01/manifest.json`: a unit is published when this file is there. */
export function manifestPath(unit: Unit): string {
  return `${manifestFolder(unit.kind)}${partition(unit)}/manifest.json`
}

export function manifestFolder(kind: Unit['kind']): string {
  return `${MANIFESTS}/${kind}/`
}

function partition(unit: Unit): string {
  const feed = unit.kind === 'books' ? `feed=${unit.feed}/` : ''
  const symbol = unit.kind === 'day' ? '' : `symbol=${unit.symbol}/`
  return `${feed}${symbol}date=${unit.date}`
}

/** The unit whose manifest lies there; null for any other path. */
export function unitOfManifest(path: string): Unit | null {
  const [, kind, feed, symbol, date = ''] =
    /^_manifests\/(books|trades|day)\/(?:feed=(v1|ws)\/)?(?:symbol=([^/]+)\/)?date=(\d{4}-\d\d-\d\d)\/manifest\.json$/.exec(
      path,
    ) ?? []
  if (kind === 'books' && feed !== undefined && symbol !== undefined) return { kind, date, symbol, feed: feed as Feed }
  if (kind === 'trades' && feed === undefined && symbol !== undefined) return { kind, date, symbol }
  return kind === 'day' && feed === undefined && symbol === undefined ? { kind, date } : null
}

/** What a path says of itself: of which table's file or of which kind of manifest it is, and of what. */
export type Placed = Readonly<{ date: string; symbol: string | null; feed: string | null }>

/** Null for a path that is of no day. */
export function placeOf(path: string): Placed | null {
  const partOf = (name: string): string | null => new RegExp(`/${name}=([^/]+)/`).exec(path)?.[1] ?? null
  const date = partOf('date')
  const isDay = date !== null && /^\d{4}-\d\d-\d\d$/.test(date) && !Number.isNaN(Date.parse(date))
  return !isDay ? null : { date, symbol: partOf('symbol'), feed: partOf('feed') }
}

/** Whether readers of the archive look there: in the folders of tables and of manifests, but for names that begin with a dot or an underscore. */
export function isOfArchive(path: string): boolean {
  const [folder = '', ...names] = path.split('/')
  const isTable = (TABLES as readonly string[]).includes(folder)
  return (isTable || folder === MANIFESTS) && !names.some((name) => /^[._]/.test(name))
}

/** For messages: `btcusd ws 2026-03-01`. */
export function nameOf(unit: Unit): string {
  switch (unit.kind) {
    case 'books':
      return `${unit.symbol} ${unit.feed} ${unit.date}`
    case 'trades':
      return `${unit.symbol} trades ${unit.date}`
    case 'day':
      return unit.date
  }
}

export const NS_PER_DAY = 86_400_000_000_000n

/** The first nanosecond of a day, and of the next. */
export function spanOf(date: string): Readonly<{ fromNs: bigint; toNs: bigint }> {
  const fromNs = BigInt(Date.parse(`${date}T00:00:00Z`)) * 1_000_000n
  return { fromNs, toNs: fromNs + NS_PER_DAY }
}

/** The day in UTC in which an instant lies, `YYYY-MM-DD`. */
export function dateOf(timeNs: bigint): string {
  return new Date(Number(timeNs / 1_000_000n)).toISOString().slice(0, 10) // milliseconds: far below 2^53
}
