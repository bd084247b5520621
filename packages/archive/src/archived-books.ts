import type { TapeBook, TapeEvent, TapeGap } from '@booktape/client'
import type { Feed } from '@booktape/market'
import type { ArchiveReading } from './archive-reading.ts'
import { type BookEvent, eventsOf, type PlacedEvent } from './book-rows.ts'
import { BookStream, type BooksQuestion } from './book-stream.ts'
import { toMicrosecond } from './instants.ts'
import { spanOf } from './layout.ts'
import type { BooksManifest, Seek } from './manifest.ts'
import { bookOfRows } from './snapshot-rows.ts'
import type { Row } from './tables.ts'

/**
 * The book of one symbol as packages/client gives it from the database: where it is known, the whole book and what changes it; a gap
 * wherever it is not. A gap that was cut at the ends of the question names the causes of all of it.
 */
export async function* archivedBooks(
  reading: ArchiveReading,
  question: BooksQuestion,
): AsyncGenerator<readonly TapeEvent[]> {
  const { symbol, days } = question
  const feed = question.feed ?? (await feedKnownFirst(reading, question))
  const stream = new BookStream(question, feed)
  for (const [i, date] of days.entries()) {
    const manifest = feed === null ? null : await reading.books(symbol, feed, date)
    if (manifest === null) {
      const { fromNs, toNs } = spanOf(date)
      const causes = feed === null ? [] : await causesOn(reading, symbol, feed, date)
      yield stream.takeAll([{ kind: 'gap', symbol, feed, fromNs, toNs, causes }])
      continue
    }
    const seek = i === 0 ? seekOf(manifest, question.fromNs) : null
    for await (const events of dayEvents(reading, manifest, seek)) {
      const page = stream.takeAll(events)
      if (page.length > 0) yield page
      if (stream.isOver) break
    }
  }
  const rest = stream.finish()
  if (rest.length > 0) yield rest
}

/** v1 where it is known at the beginning, because it gives every event by itself; else the feed that is known next. */
async function feedKnownFirst(
  reading: ArchiveReading,
  { symbol, fromNs, toNs, days }: BooksQuestion,
): Promise<Feed | null> {
  for (const date of days) {
    const known: { feed: Feed; fromNs: bigint }[] = []
    for (const feed of ['v1', 'ws'] as const) {
      for (const span of (await reading.books(symbol, feed, date))?.spans ?? []) {
        const spanFrom = toMicrosecond(BigInt(span.fromNs))
        if (BigInt(span.toNs) >= fromNs && spanFrom < toNs)
          known.push({ feed, fromNs: spanFrom < fromNs ? fromNs : spanFrom })
      }
    }
    const [first] = known.sort((a, b) => (a.fromNs < b.fromNs ? -1 : a.fromNs > b.fromNs ? 1 : 0)) // stable: v1 first
    if (first !== undefined) return first.feed
  }
  return null
}

/** Of a day on which nothing of the book was known. */
async function causesOn(reading: ArchiveReading, symbol: string, feed: Feed, date: string): Promise<readonly string[]> {
  const manifest = await reading.manifest({ kind: 'day', date })
  const causes = new Set<string>()
  if (manifest === null) return []
  for await (const page of reading.rows(manifest, 'gaps')) {
    for (const [ofSymbol, ofFeed, , , stream, , , , , cause] of page)
      if (ofSymbol === symbol && ofFeed === feed && stream === 'book') causes.add(String(cause))
  }
  return [...causes]
}

/** The last whole book before an instant. */
function seekOf({ seeks }: BooksManifest, fromNs: bigint): Seek | null {
  let found: Seek | null = null
  for (const seek of seeks) {
    if (toMicrosecond(BigInt(seek.receivedTimeNs)) > fromNs) break // where our clock was set back, an earlier one does as well
    found = seek
  }
  return found
}

/** Everything of a day in its order, from a whole book on. */
async function* dayEvents(
  reading: ArchiveReading,
  manifest: BooksManifest,
  seek: Seek | null,
): AsyncGenerator<readonly (BookEvent | TapeGap)[]> {
  const { symbol, feed } = manifest
  const row = seek?.row ?? 0
  const snapshot = seek?.snapshot ?? null
  // A gap before the book that is begun with is over; one after a stored book may follow it at once.
  const gaps = manifest.gaps.filter((gap) => (snapshot === null && seek !== null ? gap.row > row : gap.row >= row))
  let next = 0
  const gapsBefore = (until: number): TapeGap[] => {
    const found: TapeGap[] = []
    for (let gap = gaps[next]; gap !== undefined && gap.row <= until; gap = gaps[++next]) {
      const { fromNs, toNs, causes } = gap
      found.push({ kind: 'gap', symbol, feed, fromNs: BigInt(fromNs), toNs: BigInt(toNs), causes })
    }
    return found
  }
  let previousId: bigint | null = null
  if (snapshot !== null) {
    const book = await snapshotAt(reading, manifest, snapshot)
    previousId = book?.updateId ?? null
    if (book !== null) yield [book]
  }
  for await (const page of eventsOf(reading.rows(manifest, 'book_changes', row), manifest, row, previousId)) {
    yield page.flatMap(({ event, row: at }: PlacedEvent) => (next < gaps.length ? [...gapsBefore(at), event] : [event]))
  }
  yield gapsBefore(Number.POSITIVE_INFINITY)
}

async function snapshotAt(
  reading: ArchiveReading,
  manifest: BooksManifest,
  { row, levels }: NonNullable<Seek['snapshot']>,
): Promise<TapeBook | null> {
  const rows: Row[] = []
  for await (const page of reading.rows(manifest, 'book_snapshots', row)) {
    rows.push(...page.slice(0, levels - rows.length))
    if (rows.length === levels) break
  }
  return bookOfRows(rows, manifest)?.event ?? null
}
