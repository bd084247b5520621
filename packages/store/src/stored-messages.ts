import { type BookMessage, type DecimalText, type Feed, invariant, type LevelChange } from '@booktape/market'
import type { PoolClient } from 'pg'
import { elementsOf } from './array-text.ts'
import { orStoreError } from './failure.ts'
import { changeOfMark } from './marks.ts'
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
  const chunks = new Pages(
    (after) => readChunks(client, range, after, CHUNKS_A_PAGE),
    CHUNKS_A_PAGE,
    range,
    decodeChunk,
  )
  const rows = new Pages((after) => readRows(client, range, after), ROWS_A_PAGE, range, decodeRow)
  for (;;) {
    // A chunk never reaches over a row: where they take turns, whole runs of one come before the next of the other.
    const [chunk, row] = await Promise.all([chunks.first(), rows.first()])
    if (chunk === null && row === null) return
    if (row === null || (chunk !== null && chunk < row)) yield within(chunks.takeBefore(row), range)
    else yield rows.takeBefore(chunk)
  }
}

type Stored = Readonly<{ first_seq: bigint; end_seq: bigint }>
type Decode<Item> = (item: Item, line: string, into: StoredMessage[]) => void

/** Rows or chunks, a page at a time; the next page is asked for while this one is used. */
class Pages<Item extends Stored> {
  readonly #read: (afterSeq: bigint) => Promise<readonly Item[]>
  readonly #size: number
  readonly #line: string
  readonly #decode: Decode<Item>
  #page: readonly Item[] = []
  #at = 0
  #next: Promise<readonly Item[]> | null

  constructor(
    read: (afterSeq: bigint) => Promise<readonly Item[]>,
    size: number,
    range: MessageRange,
    decode: Decode<Item>,
  ) {
    this.#read = read
    this.#size = size
    this.#line = range.line
    this.#decode = decode
    this.#next = this.#ask(range.afterSeq)
  }

  /** The seq that comes next; null at the end. */
  async first(): Promise<bigint | null> {
    if (this.#at === this.#page.length && this.#next !== null) {
      this.#page = await this.#next
      this.#at = 0
      const last = this.#page.at(-1)
      this.#next = last === undefined || this.#page.length < this.#size ? null : this.#ask(last.end_seq)
    }
    return this.#page[this.#at]?.first_seq ?? null
  }

  /** Some of what is in memory and begins before a seq, decoded; null: before anything. */
  takeBefore(seq: bigint | null): StoredMessage[] {
    const messages: StoredMessage[] = []
    for (; this.#at < this.#page.length && messages.length < MESSAGES_AT_ONCE; this.#at++) {
      const row = this.#page[this.#at] as Item
      if (seq !== null && row.first_seq >= seq) break
      this.#decode(row, this.#line, messages)
    }
    return messages
  }

  #ask(afterSeq: bigint): Promise<readonly Item[]> {
    const asked = orStoreError(() => this.#read(afterSeq))
    asked.catch(() => undefined) // thrown where it is awaited, or of no interest any more
    return asked
  }
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
const ROWS = `select m.message_seq as first_seq, m.message_seq as end_seq, m.symbol, m.feed, m.first_update_id, m.update_id,
  m.event_time_ns, m.received_time_ns, m.marks, m.prices::text as prices, m.quantities::text as quantities, m.epoch_id
from booktape.book_messages m
where m.epoch_id = $1 and m.message_seq > $2 and m.message_seq <= $3
  and m.received_time >= $4::timestamptz - booktape.clock_step() and m.received_time <= $5::timestamptz + booktape.clock_step()
order by m.message_seq
limit $6`

async function readRows(client: PoolClient, range: MessageRange, afterSeq: bigint): Promise<readonly Row[]> {
  const { epochId, lastSeq, fromTime, untilTime } = range
  return (await client.query<Row>(ROWS, [epochId, afterSeq, lastSeq, fromTime, untilTime, ROWS_A_PAGE])).rows
}

type Row = Readonly<{
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

function decodeRow(row: Row, line: string, into: StoredMessage[]): void {
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
