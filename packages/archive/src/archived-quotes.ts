import type { TapeQuote } from '@booktape/client'
import type { DecimalText, Feed } from '@booktape/market'
import type { ArchiveReading } from './archive-reading.ts'
import { archivedParts } from './archived-parts.ts'
import type { BooksQuestion } from './book-stream.ts'
import { toMicrosecond } from './instants.ts'
import type { Row } from './tables.ts'

/** The quotes of one symbol as packages/client gives them from the database: of the line whose book is replayed, and within a gap of the one before it. */
export async function* archivedQuotes(
  reading: ArchiveReading,
  question: BooksQuestion,
  feed: Feed | null,
): AsyncGenerator<readonly TapeQuote[]> {
  const { symbol, fromNs, toNs, days } = question
  if (feed === null) return
  const known = (await archivedParts(reading, question, feed)).flatMap(({ epoch, fromNs: beginsNs }) =>
    epoch === null ? [] : [{ line: epoch.line, beginsNs }],
  )
  let span = 0
  const isAsked = ({ receivedTimeNs, line }: Placed): boolean => {
    for (let next = known[span + 1]; next !== undefined && receivedTimeNs >= next.beginsNs; next = known[span + 1])
      span++
    return receivedTimeNs >= fromNs && receivedTimeNs < toNs && line === known[span]?.line
  }
  for (const date of days) {
    const manifest = await reading.books(symbol, feed, date)
    if (manifest === null) continue
    let gathered: Placed[] = [] // what was received in one microsecond
    for await (const page of reading.rows(manifest, 'quotes')) {
      const quotes: TapeQuote[] = []
      const give = (): void => {
        for (const placed of gathered.sort(inOrder)) if (isAsked(placed)) quotes.push(quoteOf(placed, symbol, feed))
        gathered = []
      }
      for (const row of page) {
        const placed = placedOf(row)
        const [first] = gathered
        if (first !== undefined && toMicrosecond(first.receivedTimeNs) !== toMicrosecond(placed.receivedTimeNs)) give()
        gathered.push(placed)
      }
      if (quotes.length > 0) yield quotes
    }
    const last = gathered.sort(inOrder).filter(isAsked)
    if (last.length > 0) yield last.map((placed) => quoteOf(placed, symbol, feed))
  }
}

type Placed = Omit<TapeQuote, 'kind' | 'symbol' | 'feed'> & Readonly<{ sessionId: string; messageSeq: bigint }>

/** As `COLUMNS.quotes` orders them. */
type QuoteRow = readonly [
  line: string,
  epochId: string | null,
  sessionId: string,
  messageSeq: bigint,
  updateId: bigint,
  eventTimeNs: bigint | null,
  receivedTimeNs: bigint,
  bidPrice: DecimalText | null,
  bidQuantity: DecimalText | null,
  askPrice: DecimalText | null,
  askQuantity: DecimalText | null,
]

function placedOf(row: Row): Placed {
  const [
    line,
    ,
    sessionId,
    messageSeq,
    updateId,
    eventTimeNs,
    receivedTimeNs,
    bidPrice,
    bidQuantity,
    askPrice,
    askQuantity,
  ] = row as readonly unknown[] as QuoteRow
  const top = { bidPrice, bidQuantity, askPrice, askQuantity }
  return { line, sessionId, messageSeq, updateId, eventTimeNs, receivedTimeNs, top }
}

function inOrder(a: Placed, b: Placed): number {
  const difference = a.receivedTimeNs - b.receivedTimeNs || a.messageSeq - b.messageSeq
  if (difference !== 0n) return difference < 0n ? -1 : 1
  return a.sessionId < b.sessionId ? -1 : a.sessionId > b.sessionId ? 1 : 0
}

function quoteOf(placed: Placed, symbol: string, feed: Feed): TapeQuote {
  const { line, updateId, eventTimeNs, receivedTimeNs, top } = placed
  return { kind: 'quote', symbol, feed, line, updateId, eventTimeNs, receivedTimeNs, top }
}
