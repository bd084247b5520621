import { createHash } from 'node:crypto'
import { ArchiveError, damaged } from './errors.ts'
import { manifestPath, tablePath, type Unit } from './layout.ts'
import type { TableName } from './tables.ts'

/** What is published of a unit, and how to prove it. Ids and times are texts of digits: JSON's numbers would round them. */
export type Manifest = BooksManifest | TradesManifest | DayManifest

type Published = Readonly<{
  format: typeof FORMAT
  software: string // `booktape 0.1.0`
  date: string
  files: readonly ArchivedFile[]
}>

/** `sha256` is of the file, `content` of its rows as `rowsDigest` sees them: the same whatever wrote the file. */
export type ArchivedFile = Readonly<{
  table: TableName
  path: string
  rows: number
  bytes: number
  sha256: string
  content: string
}>

export type BooksManifest = Published &
  Readonly<{
    kind: 'books'
    symbol: string
    feed: 'v1' | 'ws'
    known: string // of `BooksOfDay`, when it was written
    messages: number
    changes: number // without those of whole books
    spans: readonly KnownSpan[]
    gaps: readonly UnknownSpan[]
    digests: readonly BookDigest[]
    seeks: readonly Seek[]
  }>

export type TradesManifest = Published &
  Readonly<{ kind: 'trades'; symbol: string; source: TradesSource; fromReceivedNs: string; toReceivedNs: string }>

export type DayManifest = Published & Readonly<{ kind: 'day'; units: readonly NamedManifest[] }>

/** The manifest of one of a day's other units: the day's names all that belongs to it, and nothing else does. */
export type NamedManifest = Readonly<{ path: string; sha256: string }>

/** Where the book is known without a break, one line's epoch. */
export type KnownSpan = Readonly<{ line: string; epochId: string; fromNs: string; toNs: string }>

/** Where no line knows it. `row`: before which row of `book_changes` that is. */
export type UnknownSpan = Readonly<{ fromNs: string; toNs: string; causes: readonly string[]; row: number }>

/** The book after a message. `isStored`: the recorder stored this digest when it held that book. */
export type BookDigest = Readonly<{
  epochId: string
  messageSeq: string
  updateId: string
  receivedTimeNs: string
  digest: string
  isStored: boolean
}>

/**
 * Where reading may begin: the whole book that begins at row `row` of `book_changes`, or, with `snapshot`, that of `book_snapshots`,
 * after which row `row` is the next.
 */
export type Seek = Readonly<{
  receivedTimeNs: string
  row: number
  snapshot: Readonly<{ row: number; levels: number }> | null
}>

/** Tells whether the database's trades of a day have changed since: some are read from REST later, some are withdrawn. */
export type TradesSource = Readonly<{ count: string; broken: string; lastReceivedNs: string }>

/** The tables of which a unit has a file. */
export const TABLES_OF = {
  books: ['book_changes', 'book_snapshots', 'quotes'],
  trades: ['trades'],
  day: ['epochs', 'gaps', 'instruments'],
} as const satisfies Readonly<Record<Unit['kind'], readonly TableName[]>>

/** Raised when a reader of before could take the new files for what they are not. 2: the day's manifest names the others by their SHA-256. */
export const FORMAT = 2

/** With a digest of itself as the last of its fields. */
export function manifestText(manifest: Manifest): string {
  return `${JSON.stringify({ ...manifest, digest: sha256(JSON.stringify(manifest)) }, null, 1)}\n`
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** Throws `ArchiveError` for a text that is not as `manifestText` made it, or of another unit, or of another format. */
export function readManifest<Kind extends Unit['kind']>(
  text: string,
  unit: Extract<Unit, { kind: Kind }>,
): Extract<Manifest, { kind: Kind }> {
  const path = manifestPath(unit)
  let read: unknown
  try {
    read = JSON.parse(text)
  } catch {
    throw damaged(path, 'is no JSON')
  }
  const { format, ...others } = { format: 0, ...(read as object | null) }
  if (format > FORMAT)
    throw new ArchiveError('NEWER', `${path} was written by a later version of booktape: update this one.`)
  if (format > 0 && format < FORMAT)
    throw new ArchiveError(
      'OLDER',
      `${path} was written by an earlier version of booktape: archive that day with --again.`,
    )
  const { digest: _, ...rest } = { digest: null, format, ...others }
  const manifest = rest as object as Manifest
  if (manifestText(manifest) !== text) throw damaged(path, 'is not as it was written')
  if (!isOf(manifest, unit)) throw damaged(path, 'is the manifest of something else')
  return manifest as Extract<Manifest, { kind: Kind }>
}

/** Whether it stands where it belongs, and so do the files it names. */
function isOf(manifest: Manifest, unit: Unit): boolean {
  const nameOf = ({
    kind,
    date,
    symbol,
    feed,
  }: Readonly<{ kind: string; date: string; symbol?: string; feed?: string }>) => `${kind} ${symbol} ${feed} ${date}`
  const files = manifest.files.map(({ table, path }) => `${table} ${path}`)
  return (
    nameOf(manifest) === nameOf(unit) &&
    files.join() === TABLES_OF[unit.kind].map((table) => `${table} ${tablePath(table, unit)}`).join()
  )
}
