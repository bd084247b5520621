import { type BookMessage, type DecimalText, type Feed, invariant, type LevelChange } from '@booktape/market'
import type { PoolClient } from 'pg'
import { elementsOf } from './array-text.ts'
import { changeOfMark } from './marks.ts'
import { Pages, takingTurns } from './message-pages.ts'
import { decodeChunk, readChunks } from './stored-chunks.ts'

/** The messages of one epoch after one and up to another, and between which receive times to look for them. */
export type MessageRange = Readonly<{
  epochId: string
  line: string // of the epoch
  afterSeq: bigint
  lastSeq: bigint
  fromTime: string // as Postgres writes it; message order is that of their seq, times only choose the days to look in
  untilTime: string
}>

/** A message as it was recorded, and by which line. */
export type StoredMessage = BookMessage & Readonly<{ line: string }>

/** A page is held in memory: some megabytes, whatever the epoch's size. */
export const ROWS_A_PAGE = 5_000
export const CHUNKS_A_PAGE = 25
/** Given at once: so few that they are of no more use before the garbage collector would have to move them. */
const MESSAGES_AT_ONCE = 500

/**
 * The messages of a range as they were recorded, in their order, whether they are stored as rows or have settled into chunks
 * (docs/adr/0007-settled-chunks.md). Memory stays flat. Throws `StoreError`.
 *
 * `client` is in a transaction of isolation `repeatable read`: a message that settles meanwhile is seen once.
 */
export async function* storedMessages(client: PoolClient, range: MessageRange): AsyncGenerator<StoredMessage[]> {
  const { afterSeq, line } = range
  const chunks = new Pages({
    read: (after) => readChunks(client, range, after, CHUNKS_A_PAGE),
    size: CHUNKS_A_PAGE,
    afterSeq,
    decode: (chunk, into: StoredMessage[]) => decodeChunk(chunk, line, into),
    atOnce: MESSAGES_AT_ONCE,
  })
  const rows = new Pages({
    read: async (after) => (await client.query<Row>(ROWS, rowsAfter(range, after))).rows,
    size: ROWS_A_PAGE,
    afterSeq,
    decode: (row, into: StoredMessage[]) => decodeRow(row, line, into),
    atOnce: MESSAGES_AT_ONCE,
  })
  for await (const { of, page } of takingTurns(chunks, rows)) yield of === 'chunks' ? within(page, range) : page
}

/** The first and the last chunk of a range may hold more than was asked for. */
function within(messages: StoredMessage[], { afterSeq, lastSeq }: MessageRange): StoredMessage[] {
  const first = messages[0]
  const last = messages.at(-1)
  if (first === undefined || last === undefined) return messages
  if (first.messageSeq > afterSeq && last.messageSeq <= lastSeq) return messages
  return messages.filter(({ messageSeq }) => messageSeq > afterSeq && messageSeq <= lastSeq)
}

// Arrays come as text and are cut here: pg's own way makes a bigint of each element, ten times as slow.
const ROW_COLUMNS = `m.message_seq as first_seq, m.message_seq as end_seq, m.symbol, m.feed, m.first_update_id, m.update_id,
  m.event_time_ns, m.received_time_ns, m.marks, m.prices::text as prices, m.quantities::text as quantities, m.epoch_id`

/** `more`: what else is asked of each row. */
export const rowsWith = (more: string): string => `select ${ROW_COLUMNS}${more}
from booktape.book_messages m
where m.epoch_id = $1 and m.message_seq > $2 and m.message_seq <= $3
  and m.received_time >= $4::timestamptz - booktape.clock_step() and m.received_time <= $5::timestamptz + booktape.clock_step()
order by m.message_seq
limit $6`

/** The parameters of `rowsWith`. */
export function rowsAfter(range: MessageRange, afterSeq: bigint): unknown[] {
  const { epochId, lastSeq, fromTime, untilTime } = range
  return [epochId, afterSeq, lastSeq, fromTime, untilTime, ROWS_A_PAGE]
}

const ROWS = rowsWith('')

export type Row = Readonly<{
  first_seq: bigint
  end_seq: bigint
  symbol: string
  feed: Feed
  epoch_id: string
  first_update_id: bigint
  update_id: bigint
  event_time_ns: bigint | null
  received_time_ns: bigint
  marks: string
  prices: string
  quantities: string
}>

export function decodeRow(row: Row, line: string, into: { push(message: StoredMessage): unknown }): void {
  const prices = elementsOf(row.prices)
  const quantities = elementsOf(row.quantities)
  into.push({
    kind: 'book_message',
    epochId: row.epoch_id,
    symbol: row.symbol,
    feed: row.feed,
    messageSeq: Number(row.first_seq), // counted by us in one session: far below 2^53
    firstUpdateId: row.first_update_id,
    lastUpdateId: row.update_id,
    eventTimeNs: row.event_time_ns,
    receivedTimeNs: row.received_time_ns,
    changes: prices.map((price, i) => changeOf(row.marks, i, price, quantities[i])),
    line,
  })
}

function changeOf(marks: string, at: number, price: string, quantity: string | undefined): LevelChange {
  invariant(quantity !== undefined, 'a stored price has its quantity')
  return changeOfMark(marks.charCodeAt(at), price as DecimalText, quantity as DecimalText)
}
