import { bookFromLevels, levelCount, type OrderBook, priceOf, quantityOf, sideOf } from '@booktape/book'
import type { TapeBook } from '@booktape/client'
import type { DecimalText, LevelChange, Side } from '@booktape/market'
import type { BookEvent, BookName } from './book-rows.ts'
import type { Row } from './tables.ts'

/** The rows of a whole book in `book_snapshots`, bids then asks, each best first: as it stands after an event. */
export function snapshotRows(book: OrderBook, after: BookEvent, digest: string): readonly Row[] {
  const updateId = after.kind === 'book' ? after.updateId : after.lastUpdateId
  const { line, epochId, messageSeq, eventTimeNs, receivedTimeNs } = after
  const head = [line, epochId, BigInt(messageSeq), updateId, eventTimeNs, receivedTimeNs, digest] as const
  const rows: Row[] = []
  for (const side of ['bid', 'ask'] as const) {
    const levels = sideOf(book, side)
    for (let at = levelCount(book, side) - 1, level = 1; at >= 0; at--, level++)
      rows.push([...head, side, level, priceOf(levels, at), quantityOf(levels, at)])
  }
  return rows.length === 0 ? [[...head, null, 0, null, null]] : rows
}

/** As `COLUMNS.book_snapshots` orders them. */
type SnapshotRow = readonly [
  line: string,
  epochId: string,
  messageSeq: bigint,
  updateId: bigint,
  eventTimeNs: bigint | null,
  receivedTimeNs: bigint,
  digest: string,
  side: Side | null,
  level: number,
  price: DecimalText | null,
  quantity: DecimalText | null,
]

export type StoredBook = Readonly<{ event: TapeBook; book: OrderBook; digest: string }>

/** The whole book that the rows of one snapshot make. */
export function bookOfRows(rows: readonly Row[], { symbol, feed }: BookName): StoredBook | null {
  const snapshot = rows as readonly unknown[] as readonly SnapshotRow[]
  const [first] = snapshot
  if (first === undefined) return null
  const [line, epochId, seq, updateId, eventTimeNs, receivedTimeNs, digest] = first
  const levels: LevelChange[] = []
  for (const [, , , , , , , side, , price, quantity] of snapshot) {
    if (side !== null && price !== null && quantity !== null) levels.push({ side, price, quantity, reason: null })
  }
  const messageSeq = Number(seq) // as in book-rows.ts
  const of = (wanted: Side) => levels.filter(({ side }) => side === wanted)
  return {
    book: bookFromLevels(levels),
    digest,
    event: {
      kind: 'book',
      symbol,
      feed,
      line,
      epochId,
      messageSeq,
      updateId,
      eventTimeNs,
      receivedTimeNs,
      bids: of('bid').map(({ price, quantity }) => ({ price, quantity })),
      asks: of('ask').map(({ price, quantity }) => ({ price, quantity })),
    },
  }
}
