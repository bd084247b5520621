import type { BookSnapshot, DecimalText, Feed, SnapshotReason } from '@booktape/market'
import type { PoolClient } from 'pg'
import { elementsOf, elementText, NULL_ELEMENT } from './array-text.ts'
import { checkedRow, selectCells } from './checked-rows.ts'
import { orStoreError } from './failure.ts'
import type { MessageRange } from './stored-messages.ts'

/** A whole book that is stored, held against its checksum. */
export type CheckedBook = Readonly<{
  snapshot: BookSnapshot
  line: string
  receivedTime: string // as stored, which an alteration may have set apart from the snapshot's
  isAltered: boolean
  bytes: number
}>

/** A book of 20,000 levels is a megabyte. */
const BOOKS_A_PAGE = 20

/**
 * The whole books of an epoch that stood after messages in [afterSeq, lastSeq] of a range, in their order, a few at a time. `client` is in a
 * transaction. Throws `StoreError`.
 */
export async function* checkedBooks(client: PoolClient, range: MessageRange): AsyncGenerator<readonly CheckedBook[]> {
  const { epochId, lastSeq, fromTime, untilTime } = range
  let after: Key = { seq: range.afterSeq, reason: '', time: '-infinity' }
  for (;;) {
    const values = [epochId, after.seq, after.reason, after.time, lastSeq, fromTime, untilTime, BOOKS_A_PAGE]
    const { rows } = await orStoreError(() =>
      client.query<(string | null)[]>({ text: BOOKS, values, rowMode: 'array' }),
    )
    const books = rows.map(checkedBook)
    if (books.length > 0) yield books
    const last = rows.at(-1)
    if (last === undefined || rows.length < BOOKS_A_PAGE) return
    const [seq, reason, time] = last.slice(-3) as [string, string, string]
    after = { seq: BigInt(seq), reason, time }
  }
}

type Key = Readonly<{ seq: bigint; reason: string; time: string }>

const BOOKS = `${selectCells('book_snapshots', ', r.message_seq::text, r.reason, r.received_time::text')}
where r.epoch_id = $1 and (r.message_seq, r.reason, r.received_time) > ($2, $3, $4::timestamptz) and r.message_seq <= $5
  and r.received_time >= $6::timestamptz - booktape.clock_step() and r.received_time <= $7::timestamptz + booktape.clock_step()
order by r.message_seq, r.reason, r.received_time
limit $8`

function checkedBook(row: readonly (string | null)[]): CheckedBook {
  const { cells, isAltered, bytes } = checkedRow('book_snapshots', row)
  const text = (cell: string): string => elementText(cell) ?? ''
  const decimals = (cell: string): DecimalText[] => elementsOf(text(cell)) as DecimalText[]
  const snapshot: BookSnapshot = {
    kind: 'book_snapshot',
    epochId: cells.epoch_id,
    symbol: text(cells.symbol),
    feed: text(cells.feed) as Feed,
    messageSeq: Number(cells.message_seq), // counted by us in one session: far below 2^53
    updateId: BigInt(cells.update_id),
    eventTimeNs: cells.event_time_ns === NULL_ELEMENT ? null : BigInt(cells.event_time_ns),
    receivedTimeNs: BigInt(cells.received_time_ns),
    reason: text(cells.reason) as SnapshotReason,
    bidPrices: decimals(cells.bid_prices),
    bidQuantities: decimals(cells.bid_quantities),
    askPrices: decimals(cells.ask_prices),
    askQuantities: decimals(cells.ask_quantities),
    digest: cells.digest,
  }
  return { snapshot, line: text(cells.line), receivedTime: cells.received_time, isAltered, bytes }
}
