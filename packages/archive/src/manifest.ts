import { ArchiveError } from './errors.ts'
import type { Unit } from './layout.ts'
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

export type DayManifest = Published & Readonly<{ kind: 'day'; units: readonly string[] }> // the manifests of the day's other units

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

/** Raised when a reader of before could take the new files for what they are not. */
export const FORMAT = 1

export function manifestText(manifest: Manifest): string {
  return `${JSON.stringify(manifest, null, 1)}\n`
}

/** Throws `ArchiveError` for a manifest that is not of this kind, or of a later format. */
export function readManifest<Kind extends Unit['kind']>(
  text: string,
  kind: Kind,
  path: string,
): Extract<Manifest, { kind: Kind }> {
  const damaged = (why: string): ArchiveError =>
    new ArchiveError('DAMAGED', `${path} ${why}: archive that day with --again, or restore the file.`)
  let manifest: Partial<Manifest>
  try {
    manifest = JSON.parse(text) as Partial<Manifest>
  } catch {
    throw damaged('is no JSON')
  }
  if (typeof manifest.format === 'number' && manifest.format > FORMAT)
    throw new ArchiveError('NEWER', `${path} was written by a later version of booktape: update this one.`)
  if (manifest.format !== FORMAT || manifest.kind !== kind || !Array.isArray(manifest.files))
    throw damaged('is no manifest of its kind')
  return manifest as Extract<Manifest, { kind: Kind }>
}
