import { bookFromLevels, type OrderBook } from '@booktape/book'
import type { TapeBook, TapeMessage } from '@booktape/client'
import {
  type ChangeReason,
  type DecimalText,
  type Feed,
  invariant,
  type LevelChange,
  type Side,
} from '@booktape/market'
import type { PriceLevels } from '@booktape/store'
import type { Row } from './tables.ts'

/** What `book_changes` holds, one row a level; a message or a book without levels has one row whose side and price are null. */
export type BookEvent = TapeBook | TapeMessage

/**
 * The first id of a message is mostly known: on `v1` a message is one id, on `ws` it begins where the one before ended
 * (docs/gemini.md, claims 7 and 17). Then column `first_update_id` is null.
 */
function usualFirstId(feed: Feed, updateId: bigint, previousId: bigint | null): bigint | null {
  return feed === 'v1' ? updateId : previousId
}

/** The rows of an event of `book_changes`, in their order; `previousId` is the last id of the event before. */
export function rowsOf(event: BookEvent, previousId: bigint | null): readonly Row[] {
  if (event.kind === 'book') {
    const level =
      (side: Side) =>
      ({ price, quantity }: PriceLevels[number]): LevelChange => ({ side, price, quantity, reason: 'initial' })
    return changeRows(event, event.updateId, null, [...event.bids.map(level('bid')), ...event.asks.map(level('ask'))])
  }
  const { firstUpdateId, lastUpdateId, changes } = event
  const isUsual = firstUpdateId === usualFirstId(event.feed, lastUpdateId, previousId)
  return changeRows(event, lastUpdateId, isUsual ? null : firstUpdateId, changes)
}

function changeRows(
  event: BookEvent,
  updateId: bigint,
  firstUpdateId: bigint | null,
  changes: readonly LevelChange[],
): readonly Row[] {
  const { line, epochId, messageSeq, eventTimeNs, receivedTimeNs } = event
  const seq = BigInt(messageSeq)
  const row = (index: number, change: LevelChange | null): Row => [
    line,
    epochId,
    seq,
    index,
    firstUpdateId,
    updateId,
    eventTimeNs,
    receivedTimeNs,
    change?.side ?? null,
    change?.price ?? null,
    change?.quantity ?? null,
    change?.reason ?? null,
    event.kind === 'book',
  ]
  return changes.length === 0 ? [row(0, null)] : changes.map((change, i) => row(i, change))
}

/** As `COLUMNS.book_changes` orders them. */
type ChangeRow = readonly [
  line: string,
  epochId: string,
  messageSeq: bigint,
  changeIndex: number,
  firstUpdateId: bigint | null,
  updateId: bigint,
  eventTimeNs: bigint | null,
  receivedTimeNs: bigint,
  side: Side | null,
  price: DecimalText | null,
  quantity: DecimalText | null,
  reason: ChangeReason | null,
  isSnapshot: boolean,
]

/** An event and the rows [row, endRow) that hold it. */
export type PlacedEvent = Readonly<{ event: BookEvent; row: number; endRow: number }>

export type BookName = Readonly<{ symbol: string; feed: Feed }>

/**
 * The events of the rows of `book_changes`, pages of them, from row `fromRow` on, which begins an event. `previousId` is the last
 * id of the event before; null where that is a book's.
 */
export async function* eventsOf(
  pages: AsyncIterable<readonly Row[]>,
  name: BookName,
  fromRow: number,
  previousId: bigint | null,
): AsyncGenerator<readonly PlacedEvent[]> {
  let gathered: ChangeRow[] = []
  let begins = fromRow
  let previous = previousId
  const take = (): PlacedEvent => {
    const event = eventOf(gathered, name, previous)
    const placed = { event, row: begins, endRow: begins + gathered.length }
    previous = event.kind === 'book' ? event.updateId : event.lastUpdateId
    begins = placed.endRow
    gathered = []
    return placed
  }
  for await (const page of pages) {
    const events: PlacedEvent[] = []
    for (const row of page as readonly unknown[] as readonly ChangeRow[]) {
      if (row[3] === 0 && gathered.length > 0) events.push(take())
      gathered.push(row)
    }
    if (events.length > 0) yield events
  }
  if (gathered.length > 0) yield [take()]
}

function eventOf(rows: readonly ChangeRow[], { symbol, feed }: BookName, previousId: bigint | null): BookEvent {
  const [first] = rows
  invariant(first !== undefined, 'an event has a row')
  const [line, epochId, seq, , firstUpdateId, updateId, eventTimeNs, receivedTimeNs, , , , , isSnapshot] = first
  const messageSeq = Number(seq) // counted by us in one session: far below 2^53
  const shared = { symbol, feed, line, epochId, messageSeq, eventTimeNs, receivedTimeNs }
  const changes: LevelChange[] = []
  for (const [, , , , , , , , side, price, quantity, reason] of rows) {
    if (side !== null && price !== null && quantity !== null) changes.push({ side, price, quantity, reason })
  }
  if (isSnapshot) {
    const levels = (wanted: Side): PriceLevels =>
      changes.filter(({ side }) => side === wanted).map(({ price, quantity }) => ({ price, quantity }))
    return { kind: 'book', ...shared, updateId, bids: levels('bid'), asks: levels('ask') }
  }
  const usual = usualFirstId(feed, updateId, previousId)
  return {
    kind: 'book_message',
    ...shared,
    firstUpdateId: firstUpdateId ?? usual ?? updateId,
    lastUpdateId: updateId,
    changes,
  }
}

export function bookOfEvent({ bids, asks }: TapeBook): OrderBook {
  return bookFromLevels([
    ...bids.map((level) => ({ side: 'bid' as const, ...level, reason: null })),
    ...asks.map((level) => ({ side: 'ask' as const, ...level, reason: null })),
  ])
}
