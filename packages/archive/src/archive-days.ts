import type { Tape } from '@booktape/client'
import {
  type BooksOfDay,
  booksOfDay,
  closedDays,
  type Database,
  noteArchivedDay,
  storedDay,
  storedDigests,
  storedQuotesOfDay,
  storedTradesOfDay,
  type TradesOfDay,
  tradesOfDay,
} from '@booktape/store'
import { NS_PER_MICROSECOND } from './instants.ts'
import { manifestFolder, manifestPath, spanOf, type Unit } from './layout.ts'
import {
  type DayManifest,
  type Manifest,
  type NamedManifest,
  readManifest,
  sha256,
  type TradesSource,
} from './manifest.ts'
import { type Published, publishUnit, type Written } from './publish-unit.ts'
import type { ArchiveStorage } from './storage.ts'
import { digestKey, writeBooks } from './write-books.ts'
import { writeDay, writeTrades } from './write-rows.ts'

export type ArchiveOptions = Readonly<{
  database: Database
  tape: Tape // of the same database
  storage: ArchiveStorage
  software: string // `booktape 0.1.0`
  /** Days `YYYY-MM-DD`; null: all. */
  only: Readonly<{ fromDay: string | null; toDay: string | null }> // `toDay` is included
  /** Writes also what is there: where a file was damaged. */
  again?: boolean
  stopping: AbortSignal
  /** Before each unit, and after the last. */
  onUnit?: (progress: ArchiveProgress) => void
}>

export type ArchiveProgress = Readonly<{ unit: Unit | null; done: number; total: number; changes: number }>

/** What a run did. `days`: those that stand in the archive whole. */
export type ArchiveRun = Readonly<{
  days: readonly string[]
  published: readonly Published[]
  unchanged: number // units
  isStopped: boolean
}>

/**
 * Writes every day that is over and not in the archive yet: each unit to a stage, read back there and compared, its files then put in
 * their places and read again, its manifest last. What is there stays; trades and what was known of a day are written again
 * where the database has more of them by now. May be stopped and killed at any point, and run again. One at a time.
 *
 * Throws `ArchiveError`, `StoreError`.
 */
export async function archiveDays(options: ArchiveOptions): Promise<ArchiveRun> {
  const { database, storage, only, again = false, stopping, onUnit = () => undefined } = options
  const published: Published[] = []
  const days: string[] = []
  let unchanged = 0
  const there = again ? new Set<string>() : await publishedManifests(storage)
  const closed = (await closedDays(database)).filter(
    (day) => (only.fromDay === null || day >= only.fromDay) && (only.toDay === null || day <= only.toDay),
  )
  const plans = await Promise.all(closed.map((day) => planOf(options, day)))
  const total = plans.reduce((sum, { units }) => sum + units.length + 1, 0)
  let done = 0
  let changes = 0
  for (const { day, units, books, trades } of plans) {
    const named: NamedManifest[] = []
    const count = (unit: Unit, { sha256: digest, published: written }: Written): void => {
      done++
      if (unit.kind !== 'day') named.push({ path: manifestPath(unit), sha256: digest })
      if (written === null) unchanged++
      else {
        published.push(written)
        changes += written.changes
      }
    }
    for (const unit of units) {
      if (stopping.aborted) return { days, published, unchanged, isStopped: true }
      onUnit({ unit, done, total, changes })
      count(
        unit,
        unit.kind === 'books'
          ? await archiveBooks(options, unit, books, there)
          : await archiveTrades(options, unit, trades, there),
      )
    }
    if (stopping.aborted) return { days, published, unchanged, isStopped: true }
    const unit = { kind: 'day', date: day } as const
    onUnit({ unit, done, total, changes })
    const written = await archiveDay(options, unit, named, there)
    count(unit, written)
    await noteArchivedDay(database, { day, place: storage.name, manifest: written.sha256 })
    days.push(day)
  }
  onUnit({ unit: null, done, total, changes })
  return { days, published, unchanged, isStopped: false }
}

type Plan = Readonly<{
  day: string
  units: readonly Exclude<Unit, { kind: 'day' }>[]
  books: ReadonlyMap<string, BooksOfDay> // by `bookKey`
  trades: ReadonlyMap<string, TradesOfDay>
}>

const bookKey = ({ symbol, feed }: Pick<BooksOfDay, 'symbol' | 'feed'>): string => `${symbol} ${feed}`

async function planOf({ database }: ArchiveOptions, day: string): Promise<Plan> {
  const books = await booksOfDay(database, day)
  const trades = await tradesOfDay(database, day)
  return {
    day,
    units: [
      ...books.map(({ symbol, feed }) => ({ kind: 'books', date: day, symbol, feed }) as const),
      ...trades.map(({ symbol }) => ({ kind: 'trades', date: day, symbol }) as const),
    ],
    books: new Map(books.map((of) => [bookKey(of), of])),
    trades: new Map(trades.map((of) => [of.symbol, of])),
  }
}

async function publishedManifests(storage: ArchiveStorage): Promise<ReadonlySet<string>> {
  const lists = await Promise.all(
    (['books', 'trades', 'day'] as const).map((kind) => storage.list(manifestFolder(kind))),
  )
  return new Set(lists.flat())
}

/** What was received on a day that is over only grows where a recorder was far behind. */
async function archiveBooks(
  options: ArchiveOptions,
  unit: Extract<Unit, { kind: 'books' }>,
  books: ReadonlyMap<string, BooksOfDay>,
  there: ReadonlySet<string>,
): Promise<Written> {
  const { database, tape, storage, software } = options
  const known = books.get(bookKey(unit))?.known ?? ''
  const before = await manifestThere(storage, unit, there)
  if (before?.manifest.known === known) return before
  const { symbol, feed, date } = unit
  const { fromNs, toNs } = spanOf(date)
  const stored = await storedDigests(database, symbol, feed, date)
  return await publishUnit(options, unit, (files) =>
    writeBooks(
      unit,
      {
        // The book that the day begins with stood before it: changes of its very first microsecond are of the day.
        pages: tape.pages({ symbols: [symbol], feed, from: fromNs - NS_PER_MICROSECOND, to: toNs, only: 'books' }),
        quotes: storedQuotesOfDay(database, symbol, feed, date),
        known,
        storedDigests: new Map(
          stored.map(({ epochId, messageSeq, digest }) => [digestKey(epochId, messageSeq), digest]),
        ),
      },
      files,
      software,
    ),
  )
}

async function archiveTrades(
  options: ArchiveOptions,
  unit: Extract<Unit, { kind: 'trades' }>,
  counts: ReadonlyMap<string, TradesOfDay>,
  there: ReadonlySet<string>,
): Promise<Written> {
  const { database, storage, software } = options
  const of = counts.get(unit.symbol)
  const source: TradesSource = {
    count: String(of?.count ?? 0n),
    broken: String(of?.broken ?? 0n),
    lastReceivedNs: String(of?.lastReceivedNs ?? 0n),
  }
  const before = await manifestThere(storage, unit, there)
  if (before !== null && JSON.stringify(before.manifest.source) === JSON.stringify(source)) return before
  return await publishUnit(options, unit, (files) =>
    writeTrades(unit, storedTradesOfDay(database, unit.symbol, unit.date), source, files, software),
  )
}

async function archiveDay(
  options: ArchiveOptions,
  unit: Extract<Unit, { kind: 'day' }>,
  units: readonly NamedManifest[],
  there: ReadonlySet<string>,
): Promise<Written> {
  const { database, storage, software } = options
  const known = await storedDay(database, unit.date)
  const before = await manifestThere(storage, unit, there)
  const saysOf = (day: DayManifest): string => JSON.stringify([day.units, day.files.map(({ content }) => content)])
  return await publishUnit(
    options,
    unit,
    (files) => writeDay(unit, known, units, files, software),
    (manifest) => (before !== null && saysOf(before.manifest) === saysOf(manifest) ? before : null),
  )
}

/** What stands in the archive of a unit, where a manifest was found. */
async function manifestThere<Kind extends Unit['kind']>(
  storage: ArchiveStorage,
  unit: Extract<Unit, { kind: Kind }>,
  there: ReadonlySet<string>,
): Promise<(Written & Readonly<{ manifest: Extract<Manifest, { kind: Kind }> }>) | null> {
  const path = manifestPath(unit)
  const text = there.has(path) ? await storage.readText(path) : null
  return text === null ? null : { sha256: sha256(text), published: null, manifest: readManifest(text, unit) }
}
