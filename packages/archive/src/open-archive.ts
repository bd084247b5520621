import {
  type BookQuestion,
  type Coverage,
  type Instant,
  instantOf,
  MAX_SYMBOLS,
  merge,
  type SpanQuestion,
  type Tape,
  type TapeBook,
  type TapeEvent,
  type TapeGap,
  type TapeQuestion,
  type TapeQuote,
} from '@booktape/client'
import { ArchiveReading } from './archive-reading.ts'
import { archivedBooks, feedKnownFirst, withCauses } from './archived-books.ts'
import { archivedInstruments } from './archived-instruments.ts'
import { archivedParts } from './archived-parts.ts'
import { archivedQuotes } from './archived-quotes.ts'
import { archivedTrades } from './archived-trades.ts'
import type { BooksQuestion } from './book-stream.ts'
import { NS_PER_MICROSECOND, readInstant } from './instants.ts'
import type { ArchiveStorage } from './storage.ts'

/**
 * An archive, read as a recording in a database is: the same questions, the same answers. Where several lines recorded, it keeps
 * one at a time as a replay of each whole day would, so a question that begins within a day may get another line than the
 * database would give it; the books are the same.
 *
 * A file is held against its SHA-256 before anything of it is believed. Calls throw `ArchiveError`: `NOT_ARCHIVED` for a span with a day that
 * is not there, `DAMAGED` or `MISSING` where a file is not as it was published.
 */
export function openArchive(storage: ArchiveStorage): Tape {
  const verified = new Set<string>()
  const begin = (): ArchiveReading => new ArchiveReading(storage, verified)

  async function* pages(question: TapeQuestion): AsyncGenerator<readonly TapeEvent[]> {
    const { clock = 'received', only } = question
    const reading = begin()
    const streams: AsyncGenerator<readonly TapeEvent[]>[] = []
    for (const one of await read(reading, question)) {
      // A trade of the same instant comes before the change that it makes.
      if (only !== 'books') streams.push(archivedTrades(reading, { ...one, byEventTime: clock === 'exchange' }))
      if (only !== 'trades') streams.push(archivedBooks(reading, one))
    }
    yield* merge(streams, (event) => instantOf(event, clock))
  }

  return {
    pages,
    async *events(question) {
      for await (const page of pages(question)) yield* page
    },
    async *quotes(question: SpanQuestion): AsyncGenerator<readonly TapeQuote[]> {
      const reading = begin()
      const streams: AsyncGenerator<readonly TapeQuote[]>[] = []
      for (const one of await read(reading, question))
        streams.push(archivedQuotes(reading, one, one.feed ?? (await feedKnownFirst(reading, one))))
      yield* merge(streams, ({ receivedTimeNs }) => receivedTimeNs)
    },
    async bookAt({ symbol, at, ...feed }: BookQuestion): Promise<TapeBook | TapeGap> {
      const reading = begin()
      const from = readInstant(at)
      for (const one of await read(reading, { symbols: [symbol], from, to: from + NS_PER_MICROSECOND, ...feed }))
        for await (const [event] of archivedBooks(reading, one))
          if (event?.kind === 'book' || event?.kind === 'gap') return event
      throw new RangeError(`no answer for ${symbol}`)
    },
    async coverage(question: SpanQuestion): Promise<readonly Coverage[]> {
      const reading = begin()
      const coverage: Coverage[] = []
      for (const one of await read(reading, question)) {
        const { symbol } = one
        const feed = one.feed ?? (await feedKnownFirst(reading, one))
        for (const { fromNs, toNs, epoch } of await archivedParts(reading, one, feed)) {
          const span = { symbol, feed, fromNs, toNs }
          const causes = epoch === null ? (await withCauses(reading, { kind: 'gap', ...span, causes: [] })).causes : []
          coverage.push({ ...span, isKnown: epoch !== null, causes })
        }
      }
      return coverage
    },
    instruments: (symbols: readonly string[], at: Instant) => archivedInstruments(begin(), symbols, readInstant(at)),
    close: () => storage.close(),
  }
}

/** A question, one for each symbol. Throws `ArchiveError` `NOT_ARCHIVED`. */
async function read(
  reading: ArchiveReading,
  { symbols, feed, from, to }: SpanQuestion,
): Promise<readonly BooksQuestion[]> {
  if (symbols.length === 0 || symbols.length > MAX_SYMBOLS)
    throw new RangeError(`a replay is of 1 to ${MAX_SYMBOLS} symbols, not ${symbols.length}`)
  const [fromNs, toNs] = [readInstant(from), readInstant(to)]
  if (fromNs >= toNs) return []
  const days = await reading.days(fromNs, toNs)
  return symbols.map((symbol) => ({ symbol, feed: feed ?? null, fromNs, toNs, days }))
}
