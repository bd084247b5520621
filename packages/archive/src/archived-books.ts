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

/** The book of one symbol as packages/client gives it from the database: where it is known, the whole book and what changes it; a gap wherever it is not. */
export async function* archivedBooks(
  reading: ArchiveReading,
  question: BooksQuestion,
): AsyncGenerator<readonly TapeEvent[]> {
  for await (const page of booksWithoutCauses(reading, question)) {
    if (page.length === 0) continue
    const events = [...page]
    for (const [i, event] of page.entries()) if (event.kind === 'gap') events[i] = await withCauses(reading, event)
    yield events
  }
}

async function* booksWithoutCauses(
  reading: ArchiveReading,
  question: BooksQuestion,
): AsyncGenerator<readonly TapeEvent[]> {
  const { symbol, days } = question
  const feed = question.feed ?? (await feedKnownFirst(reading, question))
  const stream = new BookStream(question, feed)
  for (const [i, date] of days.entries()) {
    const manifest = feed === null ? null : await reading.books(symbol, feed, date)
    if (manifest === null) {
      yield stream.takeAll([{ kind: 'gap', symbol, feed, ...spanOf(date), causes: [] }])
      continue
    }
    const seek = i === 0 ? seekOf(manifest, question.fromNs) : null
    for await (const events of dayEvents(reading, manifest, seek)) {
      yield stream.takeAll(events)
      if (stream.isOver) break
    }
  }
  yield stream.finish()
}

/** A gap names the causes of what lies in it, also where the question cut it. */
export async function withCauses(reading: ArchiveReading, gap: TapeGap): Promise<TapeGap> {
  const touching = await reading.gaps(gap.symbol, gap.feed, gap.fromNs, gap.toNs)
  return { ...gap, causes: [...new Set(touching.map(({ cause }) => cause))] }
}

/** v1 where it is known at the beginning, because it gives every event by itself; else the feed that is known next. */
export async function feedKnownFirst(
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
      found.push({ kind: 'gap', symbol, feed, fromNs: BigInt(gap.fromNs), toNs: BigInt(gap.toNs), causes: gap.causes })
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
