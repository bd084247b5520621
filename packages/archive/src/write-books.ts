import { applyChange, bookDigest, levelCount, type OrderBook } from '@booktape/book'
import type { TapeEvent, TapeGap } from '@booktape/client'
import type { QuoteOfDay } from '@booktape/store'
import { type BookEvent, bookOfEvent, rowsOf } from './book-rows.ts'
import { ArchiveError } from './errors.ts'
import { nameOf, spanOf, type Unit } from './layout.ts'
import { type BookDigest, type BooksManifest, FORMAT, type KnownSpan, type Seek, type UnknownSpan } from './manifest.ts'
import { snapshotRows } from './snapshot-rows.ts'
import type { StagedFiles } from './staged-files.ts'

/** What a reader that begins in the middle of a day applies at most, some tenths of a second: a whole book costs 5 bytes a level. */
export const CHANGES_BETWEEN_BOOKS = 100_000

export type BooksSource = Readonly<{
  /** Of one feed, books alone, from the last microsecond before the day to its end. */
  pages: AsyncIterable<readonly TapeEvent[]>
  quotes: AsyncIterable<readonly QuoteOfDay[]>
  known: string // of `BooksOfDay`
  /** What the recorder's own books were, by `digestKey`. */
  storedDigests: ReadonlyMap<string, string>
}>

export const digestKey = (epochId: string, messageSeq: number | bigint): string => `${epochId} ${messageSeq}`

/**
 * Writes a unit of books to the stage. Throws `ArchiveError` `DIFFERENT` where a book made of the stored messages is not the one that the
 * recorder held.
 */
export async function writeBooks(
  unit: Extract<Unit, { kind: 'books' }>,
  { pages, quotes, known, storedDigests }: BooksSource,
  files: StagedFiles,
  software: string,
): Promise<BooksManifest> {
  const writing = new BooksWriting(unit, storedDigests, files)
  for await (const page of pages) for (const event of page) writing.take(event)
  const quotesFile = files.begin('quotes')
  for await (const page of quotes) {
    for (const { top, ...quote } of page) {
      const { line, epochId, sessionId, messageSeq, updateId, eventTimeNs, receivedTimeNs } = quote
      const { bidPrice, bidQuantity, askPrice, askQuantity } = top
      quotesFile.add([line, epochId, sessionId, BigInt(messageSeq), updateId, eventTimeNs, receivedTimeNs, bidPrice, bidQuantity, askPrice, askQuantity]) // biome-ignore format: one row
    }
  }
  const { symbol, feed, date } = unit
  return {
    format: FORMAT,
    kind: 'books',
    software,
    symbol,
    feed,
    date,
    known,
    ...writing.finish(),
    files: await files.finish(),
  }
}

class BooksWriting {
  readonly #unit: Extract<Unit, { kind: 'books' }>
  readonly #storedDigests: ReadonlyMap<string, string>
  readonly #changesFile
  readonly #snapshotsFile
  readonly #spans: KnownSpan[] = []
  readonly #gaps: UnknownSpan[] = []
  readonly #digests: BookDigest[] = []
  readonly #seeks: Seek[] = []
  #book: OrderBook | null = null
  #last: BookEvent | null = null // null: the book is not known
  #spanFromNs = 0n
  #messages = 0
  #changes = 0
  #changesSinceBook = 0

  constructor(unit: Extract<Unit, { kind: 'books' }>, storedDigests: ReadonlyMap<string, string>, files: StagedFiles) {
    this.#unit = unit
    this.#storedDigests = storedDigests
    this.#changesFile = files.begin('book_changes')
    this.#snapshotsFile = files.begin('book_snapshots')
  }

  take(event: TapeEvent): void {
    switch (event.kind) {
      case 'trade':
        return
      case 'gap':
        return this.#takeGap(event)
      case 'book': {
        this.#endSpan(event.receivedTimeNs)
        this.#spanFromNs = event.receivedTimeNs
        this.#book = bookOfEvent(event)
        this.#seeks.push({ receivedTimeNs: String(event.receivedTimeNs), row: this.#changesFile.rows, snapshot: null })
        this.#changesSinceBook = 0
        this.#add(event, null)
        return
      }
      case 'book_message': {
        const book = this.#book
        if (book === null || this.#last === null) return // a tape begins with a book or a gap
        for (const { side, price, quantity } of event.changes) applyChange(book, side, price, quantity)
        this.#messages++
        this.#changes += event.changes.length
        this.#changesSinceBook += event.changes.length
        this.#add(event, this.#last.kind === 'book' ? this.#last.updateId : this.#last.lastUpdateId)
        const levels = levelCount(book, 'bid') + levelCount(book, 'ask')
        if (this.#changesSinceBook >= Math.max(CHANGES_BETWEEN_BOOKS, 10 * levels)) this.#addWholeBook(book, event)
      }
    }
  }

  finish(): Pick<BooksManifest, 'messages' | 'changes' | 'spans' | 'gaps' | 'digests' | 'seeks'> {
    this.#endSpan(spanOf(this.#unit.date).toNs)
    return {
      messages: this.#messages,
      changes: this.#changes,
      spans: this.#spans,
      gaps: this.#gaps,
      digests: this.#digests,
      seeks: this.#seeks,
    }
  }

  #takeGap({ fromNs, toNs, causes }: TapeGap): void {
    const { fromNs: dayNs } = spanOf(this.#unit.date)
    this.#endSpan(fromNs)
    if (toNs <= dayNs) return
    const from = fromNs < dayNs ? dayNs : fromNs
    this.#gaps.push({ fromNs: String(from), toNs: String(toNs), causes, row: this.#changesFile.rows })
  }

  #add(event: BookEvent, previousId: bigint | null): void {
    for (const row of rowsOf(event, previousId)) this.#changesFile.add(row)
    this.#last = event
    const stored = this.#storedDigests.get(digestKey(event.epochId, event.messageSeq))
    if (stored === undefined) return
    const digest = this.#addDigest(event, true)
    if (digest === stored) return
    throw new ArchiveError(
      'DIFFERENT',
      `${nameOf(this.#unit)}: the book after message ${event.messageSeq} of epoch ${event.epochId} is not the one that was recorded, so nothing of that day was published. Run "booktape verify" to see what is wrong.`,
    )
  }

  #addDigest(after: BookEvent, isStored: boolean): string {
    const digest = bookDigest(this.#book as OrderBook)
    this.#digests.push({
      epochId: after.epochId,
      messageSeq: String(after.messageSeq),
      updateId: String(after.kind === 'book' ? after.updateId : after.lastUpdateId),
      receivedTimeNs: String(after.receivedTimeNs),
      digest,
      isStored,
    })
    return digest
  }

  #addWholeBook(book: OrderBook, after: BookEvent): void {
    const row = this.#snapshotsFile.rows
    const rows = snapshotRows(book, after, bookDigest(book))
    for (const one of rows) this.#snapshotsFile.add(one)
    this.#seeks.push({
      receivedTimeNs: String(after.receivedTimeNs),
      row: this.#changesFile.rows,
      snapshot: { row, levels: rows.length },
    })
    this.#changesSinceBook = 0
  }

  /** Each span ends with a digest, so that no message is left out of the proof. */
  #endSpan(toNs: bigint): void {
    const last = this.#last
    if (last === null) return
    const { epochId, messageSeq } = this.#digests.at(-1) ?? { epochId: '', messageSeq: '' }
    if (epochId !== last.epochId || messageSeq !== String(last.messageSeq)) this.#addDigest(last, false)
    this.#spans.push({ line: last.line, epochId: last.epochId, fromNs: String(this.#spanFromNs), toNs: String(toNs) })
    this.#last = null
  }
}
