import type { Feed } from '@booktape/market'
import { ArchiveError, damaged, missing } from './errors.ts'
import { dateOf, manifestPath, NS_PER_DAY, spanOf, type Unit } from './layout.ts'
import { type BooksManifest, type Manifest, readManifest, sha256 } from './manifest.ts'
import type { ArchiveStorage } from './storage.ts'
import { readTable } from './table-reader.ts'
import type { Row } from './tables.ts'
import { verifyBytes } from './verify-unit.ts'

/** Gaps of some days are held in memory: the questions of several symbols go through the days side by side. */
const GAP_DAYS_KEPT = 4

/** A row of `gaps` of stream `book`. */
export type BookGap = Readonly<{
  symbol: string
  feed: string
  startedNs: bigint
  endedNs: bigint | null // null: still open when the day was archived
  cause: string
}>

/**
 * An archive while one question is answered: each manifest is read once. Nothing is believed but what a day's manifest names: its other
 * manifests by their SHA-256, and by these the files.
 */
export class ArchiveReading {
  readonly storage: ArchiveStorage
  readonly #manifests = new Map<string, Promise<Manifest | null>>()
  readonly #gaps = new Map<string, Promise<readonly BookGap[]>>()
  readonly #verified: Set<string>

  /** `verified`: the files that were found to be as they were published, by path and SHA-256; shared by the questions to one archive. */
  constructor(storage: ArchiveStorage, verified: Set<string>) {
    this.storage = storage
    this.#verified = verified
  }

  /** Null where its day is not published, or has no such part. */
  async manifest<Kind extends Unit['kind']>(
    unit: Extract<Unit, { kind: Kind }>,
  ): Promise<Extract<Manifest, { kind: Kind }> | null> {
    const path = manifestPath(unit)
    let found = this.#manifests.get(path)
    if (found === undefined) {
      found = this.#read(unit, path)
      this.#manifests.set(path, found)
    }
    return (await found) as Extract<Manifest, { kind: Kind }> | null
  }

  async books(symbol: string, feed: Feed, date: string): Promise<BooksManifest | null> {
    return await this.manifest({ kind: 'books', symbol, feed, date })
  }

  /** The days that [fromNs, toNs) touches. Throws `ArchiveError` `NOT_ARCHIVED` that names the first one that is not there. */
  async days(fromNs: bigint, toNs: bigint): Promise<readonly string[]> {
    const days: string[] = []
    for (let atNs = spanOf(dateOf(fromNs)).fromNs; atNs < toNs; atNs += NS_PER_DAY) {
      const date = dateOf(atNs)
      if ((await this.manifest({ kind: 'day', date })) === null) {
        const message = `${date} is not in the archive ${this.storage.name}: ask for a span that is, or run "booktape archive" first.`
        throw new ArchiveError('NOT_ARCHIVED', message)
      }
      days.push(date)
    }
    return days
  }

  /** The gaps of a symbol's books that touch [fromNs, toNs), by when they began; feed null: of all feeds. */
  async gaps(symbol: string, feed: Feed | null, fromNs: bigint, toNs: bigint): Promise<readonly BookGap[]> {
    const found: BookGap[] = []
    for (const date of await this.days(fromNs, toNs)) {
      for (const gap of await this.#gapsOn(date)) {
        const isOfBook = gap.symbol === symbol && (feed === null || gap.feed === feed)
        if (isOfBook && gap.startedNs < toNs && (gap.endedNs === null || gap.endedNs > fromNs)) found.push(gap)
      }
    }
    return found
  }

  /** The rows of one of a unit's files from one row on. Throws `ArchiveError` where it is not the file that was published. */
  async *rows(
    manifest: Manifest,
    table: Manifest['files'][number]['table'],
    fromRow = 0,
  ): AsyncGenerator<readonly Row[]> {
    const file = manifest.files.find((candidate) => candidate.table === table)
    if (file === undefined) return
    const key = `${file.path} ${file.sha256}`
    if (!this.#verified.has(key)) {
      await verifyBytes(this.storage.open, file)
      this.#verified.add(key)
    }
    const opened = await this.storage.open(file.path)
    if (opened === null) throw missing(file.path, 'is not there')
    try {
      yield* readTable(opened, table, file.path, fromRow)
    } finally {
      await opened.close()
    }
  }

  async #read(unit: Unit, path: string): Promise<Manifest | null> {
    if (unit.kind === 'day') {
      const text = await this.storage.readText(path)
      return text === null ? null : readManifest(text, unit)
    }
    const day = await this.manifest({ kind: 'day', date: unit.date })
    const named = day?.units.find((candidate) => candidate.path === path)
    if (named === undefined) return null
    const text = await this.storage.readText(path)
    if (text === null) throw missing(path, 'is not there')
    if (sha256(text) !== named.sha256) throw damaged(path, 'is not the manifest that its day names')
    return readManifest(text, unit)
  }

  async #gapsOn(date: string): Promise<readonly BookGap[]> {
    let found = this.#gaps.get(date)
    if (found === undefined) {
      const [oldest] = this.#gaps.keys()
      if (oldest !== undefined && this.#gaps.size === GAP_DAYS_KEPT) this.#gaps.delete(oldest)
      found = this.#readGaps(date)
      this.#gaps.set(date, found)
    }
    return await found
  }

  async #readGaps(date: string): Promise<readonly BookGap[]> {
    const manifest = await this.manifest({ kind: 'day', date })
    const gaps: BookGap[] = []
    if (manifest === null) return gaps
    for await (const page of this.rows(manifest, 'gaps')) {
      for (const row of page) {
        const [symbol, feed, , , stream, , , startedNs, endedNs, cause] = row as readonly unknown[] as GapRow
        if (stream === 'book') gaps.push({ symbol, feed, startedNs, endedNs, cause })
      }
    }
    return gaps
  }
}

/** As `COLUMNS.gaps` orders them. */
type GapRow = readonly [
  symbol: string,
  feed: string,
  line: string,
  gapId: string,
  stream: string,
  fromId: bigint | null,
  toId: bigint | null,
  startedNs: bigint,
  endedNs: bigint | null,
  cause: string,
  state: string,
]
