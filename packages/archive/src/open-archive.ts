import { instantOf, MAX_SYMBOLS, merge, type Tape, type TapeEvent, type TapeQuestion } from '@booktape/client'
import { ArchiveReading } from './archive-reading.ts'
import { archivedBooks } from './archived-books.ts'
import { archivedTrades } from './archived-trades.ts'
import { readInstant } from './instants.ts'
import type { ArchiveStorage } from './storage.ts'

/**
 * An archive, read as a recording in a database is: the same questions, the same events. Where several lines recorded, it keeps
 * one at a time as a replay of each whole day would, so a question that begins within a day may get another line than the
 * database would give it; the books are the same.
 *
 * Its calls throw `ArchiveError`: `NOT_ARCHIVED` for a span with a day that is not there.
 */
export function openArchive(storage: ArchiveStorage): Tape {
  async function* pages(question: TapeQuestion): AsyncGenerator<readonly TapeEvent[]> {
    const { symbols, clock = 'received', only, feed = null } = question
    if (symbols.length === 0 || symbols.length > MAX_SYMBOLS)
      throw new RangeError(`a replay is of 1 to ${MAX_SYMBOLS} symbols, not ${symbols.length}`)
    const fromNs = readInstant(question.from)
    const toNs = readInstant(question.to)
    if (fromNs >= toNs) return
    const reading = new ArchiveReading(storage)
    const days = await reading.days(fromNs, toNs)
    const streams: AsyncGenerator<readonly TapeEvent[]>[] = []
    for (const symbol of symbols) {
      // A trade of the same instant comes before the change that it makes.
      if (only !== 'books')
        streams.push(archivedTrades(reading, { symbol, fromNs, toNs, byEventTime: clock === 'exchange' }))
      if (only !== 'trades') streams.push(archivedBooks(reading, { symbol, feed, fromNs, toNs, days }))
    }
    yield* merge(streams, (event) => instantOf(event, clock))
  }

  return {
    pages,
    async *events(question) {
      for await (const page of pages(question)) yield* page
    },
    close: () => storage.close(),
  }
}
