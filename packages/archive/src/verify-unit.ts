import { createHash } from 'node:crypto'
import { applyChange, bookDigest, type OrderBook } from '@booktape/book'
import { bookOfEvent, eventsOf } from './book-rows.ts'
import { ArchiveError, damaged, missing } from './errors.ts'
import type { ArchivedFile, BooksManifest, Manifest } from './manifest.ts'
import { RowsDigest } from './rows-digest.ts'
import { bookOfRows } from './snapshot-rows.ts'
import type { ArchiveStorage } from './storage.ts'
import { readTable } from './table-reader.ts'
import type { Row } from './tables.ts'

/** Whole files are read this much at a time. */
const PART_BYTES = 8 * 2 ** 20

export type Open = ArchiveStorage['open']

/** What reading back has looked at. */
export type ReadBack = { files: number; rows: number; bytes: number; books: number }

/**
 * Reads every file of a unit back: its bytes, its rows, and of a unit of books every book that the manifest has a digest of, made anew
 * from the rows. Yields an `ArchiveError` `DAMAGED` or `MISSING` for each file that is not as it was. Throws where the archive cannot be reached.
 */
export async function* damagesOf(open: Open, manifest: Manifest, readBack: ReadBack): AsyncGenerator<ArchiveError> {
  for (const file of manifest.files) {
    try {
      await verifyBytes(open, file)
      const rows = checkedRows(open, file)
      if (manifest.kind === 'books' && file.table === 'book_changes') await verifyBooks(rows, manifest, file.path)
      else if (manifest.kind === 'books' && file.table === 'book_snapshots')
        await verifySnapshots(rows, manifest, file.path)
      else for await (const _ of rows); // all of them are read, and checked at the end
      readBack.files++
      readBack.rows += file.rows
      readBack.bytes += file.bytes
    } catch (error) {
      if (!(error instanceof ArchiveError) || error.code === 'UNREACHABLE') throw error
      yield error
    }
  }
  if (manifest.kind === 'books') readBack.books += manifest.digests.length
}

/** Throws the first `ArchiveError` of `damagesOf`. */
export async function verifyUnit(open: Open, manifest: Manifest): Promise<void> {
  for await (const damage of damagesOf(open, manifest, { files: 0, rows: 0, bytes: 0, books: 0 })) throw damage
}

/** A file's size and SHA-256. Throws `ArchiveError` `DAMAGED` or `MISSING`. */
export async function verifyBytes(open: Open, { path, bytes, sha256 }: ArchivedFile): Promise<void> {
  const opened = await open(path)
  if (opened === null) throw missing(path, 'is not there')
  try {
    if (opened.byteLength !== bytes)
      throw damaged(path, `has ${opened.byteLength} bytes, not the ${bytes} of its manifest`)
    const hash = createHash('sha256')
    for (let at = 0; at < bytes; at += PART_BYTES)
      hash.update(new Uint8Array(await opened.slice(at, Math.min(at + PART_BYTES, bytes))))
    if (hash.digest('hex') !== sha256) throw damaged(path, 'has other bytes than its manifest says')
  } finally {
    await opened.close()
  }
}

/** Throws after the last row when they were not all the same. */
async function* checkedRows(open: Open, { table, path, rows, content }: ArchivedFile): AsyncGenerator<readonly Row[]> {
  const opened = await open(path)
  if (opened === null) throw missing(path, 'is not there')
  const digest = new RowsDigest()
  let found = 0
  try {
    for await (const page of readTable(opened, table, path)) {
      for (const row of page) digest.add(row)
      found += page.length
      yield page
    }
  } finally {
    await opened.close()
  }
  if (found !== rows) throw damaged(path, `has ${found} rows, not the ${rows} of its manifest`)
  if (digest.finish() !== content) throw damaged(path, 'has other values than its manifest says')
}

async function verifyBooks(rows: AsyncIterable<readonly Row[]>, manifest: BooksManifest, path: string): Promise<void> {
  let book: OrderBook | null = null
  let next = 0
  for await (const page of eventsOf(rows, manifest, 0, null)) {
    for (const { event } of page) {
      if (event.kind === 'book') book = bookOfEvent(event)
      else if (book !== null)
        for (const { side, price, quantity } of event.changes) applyChange(book, side, price, quantity)
      const expected = manifest.digests[next]
      if (expected?.epochId !== event.epochId || expected.messageSeq !== String(event.messageSeq)) continue
      if (book === null || bookDigest(book) !== expected.digest)
        throw damaged(path, `gives another book after message ${event.messageSeq} of epoch ${event.epochId}`)
      next++
    }
  }
  if (next !== manifest.digests.length)
    throw damaged(path, `gives ${next} of the ${manifest.digests.length} books that its manifest has digests of`)
}

async function verifySnapshots(
  rows: AsyncIterable<readonly Row[]>,
  manifest: BooksManifest,
  path: string,
): Promise<void> {
  const sizes = manifest.seeks.flatMap(({ snapshot }) => (snapshot === null ? [] : [snapshot.levels]))
  let gathered: Row[] = []
  let next = 0
  for await (const page of rows) {
    for (const row of page) {
      gathered.push(row)
      if (gathered.length < (sizes[next] ?? 0)) continue
      const stored = bookOfRows(gathered, manifest)
      if (stored === null || bookDigest(stored.book) !== stored.digest)
        throw damaged(
          path,
          `holds a book after message ${stored?.event.messageSeq ?? 0} that is not the one of its digest`,
        )
      gathered = []
      next++
    }
  }
}
