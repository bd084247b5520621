import { applyChange, levelCount, type OrderBook, priceOf, quantityOf, sideOf } from '@booktape/book'
import type { TapeBook, TapeEvent, TapeGap } from '@booktape/client'
import type { Feed, Side } from '@booktape/market'
import type { PriceLevels } from '@booktape/store'
import type { ArchiveReading } from './archive-reading.ts'
import { type BookEvent, bookOfEvent, eventsOf, type PlacedEvent } from './book-rows.ts'
import { toMicrosecond } from './instants.ts'
import { spanOf } from './layout.ts'
import type { BooksManifest, Seek } from './manifest.ts'
import { bookOfRows } from './snapshot-rows.ts'
import type { Row } from './tables.ts'

export type BooksQuestion = Readonly<{
  symbol: string
  feed: Feed | null // null: the one that is known first
  fromNs: bigint // whole microseconds
  toNs: bigint
  days: readonly string[]
}>

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

/** Turns the events of whole days into those of a span: it begins with the book as of its first instant, and says what is not known. */
class BookStream {
  readonly #question: BooksQuestion
  readonly #feed: Feed | null
  #book: OrderBook | null = null // until the first event is given
  #last: BookEvent | null = null
  #gap: TapeGap | null = null // not given yet: another may follow at its end
  #isBegun = false
  isOver = false

  constructor(question: BooksQuestion, feed: Feed | null) {
    this.#question = question
    this.#feed = feed
  }

  takeAll(events: readonly (BookEvent | TapeGap)[]): TapeEvent[] {
    const given: TapeEvent[] = []
    for (const event of events) {
      if (this.isOver) break
      if (!this.#isBegun && this.#isBefore(event)) this.#skip(event)
      else this.#give(event, given)
    }
    return given
  }

  finish(): TapeEvent[] {
    const given: TapeEvent[] = []
    if (!this.#isBegun) this.#begin(given)
    this.#endGap(given)
    return given
  }

  #isBefore(event: BookEvent | TapeGap): boolean {
    const { fromNs } = this.#question
    return event.kind === 'gap' ? event.fromNs < fromNs : toMicrosecond(event.receivedTimeNs) <= fromNs
  }

  #skip(event: BookEvent | TapeGap): void {
    if (event.kind === 'gap') {
      this.#last = null
      this.#joinGap(event)
      return
    }
    if (event.kind === 'book') {
      this.#book = bookOfEvent(event)
      this.#gap = null
    } else if (this.#book !== null)
      for (const { side, price, quantity } of event.changes) applyChange(this.#book, side, price, quantity)
    this.#last = event
  }

  /** The book as of the first instant, where it is known. */
  #begin(given: TapeEvent[]): void {
    this.#isBegun = true
    const { fromNs } = this.#question
    const last = this.#last
    const book = this.#book
    if (last === null || book === null) return
    const isItself = last.kind === 'book' && toMicrosecond(last.receivedTimeNs) === fromNs
    given.push(isItself ? last : bookAfter(last, book, fromNs))
    this.#book = null
  }

  #give(event: BookEvent | TapeGap, given: TapeEvent[]): void {
    if (!this.#isBegun) this.#begin(given)
    if (event.kind === 'gap') {
      if (event.fromNs >= this.#question.toNs) this.isOver = true
      else this.#joinGap(event)
      this.#last = null
      return
    }
    if (toMicrosecond(event.receivedTimeNs) >= this.#question.toNs) {
      this.isOver = true
      return
    }
    this.#endGap(given)
    const last = this.#last
    this.#last = event
    // A day begins with a whole book; where the book simply goes on, it says nothing new.
    if (event.kind === 'book' && last?.epochId === event.epochId && last.messageSeq === event.messageSeq) return
    given.push(event)
  }

  /** Two days without the book are one gap. */
  #joinGap(gap: TapeGap): void {
    const before = this.#gap
    const isOne = before !== null && before.toNs >= gap.fromNs
    this.#gap = isOne ? { ...gap, fromNs: before.fromNs, causes: [...new Set([...before.causes, ...gap.causes])] } : gap
  }

  #endGap(given: TapeEvent[]): void {
    const gap = this.#gap
    this.#gap = null
    if (gap === null) return
    const { fromNs, toNs } = this.#question
    const cut = { ...gap, fromNs: gap.fromNs < fromNs ? fromNs : gap.fromNs, toNs: gap.toNs > toNs ? toNs : gap.toNs, feed: this.#feed } // biome-ignore format: one value
    if (cut.fromNs < cut.toNs) given.push(cut)
  }
}

function bookAfter(last: BookEvent, book: OrderBook, atNs: bigint): TapeBook {
  const { symbol, feed, line, epochId, messageSeq, eventTimeNs } = last
  const updateId = last.kind === 'book' ? last.updateId : last.lastUpdateId
  const levels = (side: Side): PriceLevels => {
    const of = sideOf(book, side)
    const best = levelCount(book, side) - 1
    return Array.from({ length: best + 1 }, (_, i) => ({
      price: priceOf(of, best - i),
      quantity: quantityOf(of, best - i),
    }))
  }
  return {
    kind: 'book',
    symbol,
    feed,
    line,
    epochId,
    messageSeq,
    updateId,
    eventTimeNs,
    receivedTimeNs: atNs,
    bids: levels('bid'),
    asks: levels('ask'),
  }
}
