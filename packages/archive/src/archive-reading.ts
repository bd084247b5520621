import type { Feed } from '@booktape/market'
import { ArchiveError } from './errors.ts'
import { dateOf, manifestPath, NS_PER_DAY, spanOf, type Unit } from './layout.ts'
import { type BooksManifest, type Manifest, readManifest } from './manifest.ts'
import type { ArchiveStorage } from './storage.ts'
import { readTable } from './table-reader.ts'
import type { Row } from './tables.ts'

/** The manifests of an archive while one question is answered: each is read once. */
export class ArchiveReading {
  readonly storage: ArchiveStorage
  readonly #manifests = new Map<string, Promise<Manifest | null>>()

  constructor(storage: ArchiveStorage) {
    this.storage = storage
  }

  /** Null where nothing of it is published. */
  async manifest<Kind extends Unit['kind']>(
    unit: Extract<Unit, { kind: Kind }>,
  ): Promise<Extract<Manifest, { kind: Kind }> | null> {
    const path = manifestPath(unit)
    let found = this.#manifests.get(path)
    if (found === undefined) {
      found = this.storage.readText(path).then((text) => (text === null ? null : readManifest(text, unit.kind, path)))
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

  /** The rows of one of a unit's files from one row on. */
  async *rows(
    manifest: Manifest,
    table: Manifest['files'][number]['table'],
    fromRow = 0,
  ): AsyncGenerator<readonly Row[]> {
    const file = manifest.files.find((candidate) => candidate.table === table)
    if (file === undefined) return
    const opened = await this.storage.open(file.path)
    if (opened === null || opened.byteLength !== file.bytes) {
      await opened?.close()
      throw new ArchiveError(
        'DAMAGED',
        `${file.path} is not the file of its manifest. Archive that day with --again, or restore the file.`,
      )
    }
    try {
      yield* readTable(opened, table, file.path, fromRow)
    } finally {
      await opened.close()
    }
  }
}
