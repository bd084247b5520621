import { type BookMessage, type DecimalText, type Feed, invariant, type LevelChange } from '@booktape/market'
import type { PoolClient } from 'pg'
import { elementsOf } from './array-text.ts'
import { orStoreError } from './failure.ts'
import { changeOfMark } from './marks.ts'

/** The messages of one epoch after one and up to another, and between which receive times to look for them. */
export type MessageRange = Readonly<{
  epochId: string
  afterSeq: bigint
  lastSeq: bigint
  fromTime: string // as Postgres writes it; message order is that of their seq, times only choose the days to look in
  untilTime: string
}>

/** A page is held in memory: some megabytes, whatever the epoch's size. */
export const ROWS_A_PAGE = 5_000
export const CHUNKS_A_PAGE = 50

/**
 * The messages of a range as they were recorded, in their order, whether they are stored as rows or have settled into chunks
 * (docs/adr/0007-settled-chunks.md). Memory stays flat. Throws `StoreError`.
 *
 * `client` is in a transaction of isolation `repeatable read`: a message that settles meanwhile is seen once.
 */
export async function* storedMessages(client: PoolClient, range: MessageRange): AsyncGenerator<BookMessage[]> {
  const chunks = new Pages(client, CHUNKS, range, CHUNKS_A_PAGE, decodeChunk)
  const rows = new Pages(client, ROWS, range, ROWS_A_PAGE, decodeRow)
  for await (const { of, page } of takingTurns(chunks, rows)) yield of === 'chunks' ? within(page, range) : page
}

/** A chunk never reaches over a row: where they take turns, whole runs of one come before the next of the other. */
export async function* takingTurns<ChunkItem extends Stored, RowItem extends Stored, Out>(
  chunks: Pages<ChunkItem, Out>,
  rows: Pages<RowItem, Out>,
): AsyncGenerator<Readonly<{ of: 'chunks' | 'rows'; page: Out[] }>> {
  for (;;) {
    const [chunk, row] = await Promise.all([chunks.first(), rows.first()])
    if (chunk === null && row === null) return
    if (row === null || (chunk !== null && chunk < row)) yield { of: 'chunks', page: chunks.takeBefore(row) }
    else yield { of: 'rows', page: rows.takeBefore(chunk) }
  }
}

type Stored = Readonly<{ first_seq: bigint; end_seq: bigint }>

/** Rows or chunks, a page at a time; the next page is asked for while this one is used. */
export class Pages<Item extends Stored, Out> {
  readonly #client: PoolClient
  readonly #sql: string
  readonly #range: MessageRange
  readonly #size: number
  readonly #decode: (row: Item, into: Out[]) => void
  #page: readonly Item[] = []
  #at = 0
  #next: Promise<readonly Item[]> | null

  constructor(
    client: PoolClient,
    sql: string,
    range: MessageRange,
    size: number,
    decode: (row: Item, into: Out[]) => void,
  ) {
    this.#client = client
    this.#sql = sql
    this.#range = range
    this.#size = size
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

  /** What is in memory and begins before a seq, decoded; all that is in memory for null. */
  takeBefore(seq: bigint | null): Out[] {
    const messages: Out[] = []
    for (; this.#at < this.#page.length; this.#at++) {
      const row = this.#page[this.#at] as Item
      if (seq !== null && row.first_seq >= seq) break
      this.#decode(row, messages)
    }
    return messages
  }

  #ask(afterSeq: bigint): Promise<readonly Item[]> {
    const { epochId, lastSeq, fromTime, untilTime } = this.#range
    const values = [epochId, afterSeq, lastSeq, fromTime, untilTime, this.#size]
    const asked = orStoreError(async () => (await this.#client.query<Item>(this.#sql, values)).rows)
    asked.catch(() => undefined) // thrown where it is awaited, or of no interest any more
    return asked
  }
}

/** The first and the last chunk of a range may hold more than was asked for. */
function within(messages: BookMessage[], { afterSeq, lastSeq }: MessageRange): BookMessage[] {
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

const CHUNK_COLUMNS = `c.first_seq, c.last_seq as end_seq, c.symbol, c.feed, c.epoch_id, c.marks,
  c.seq_steps::text as seq_steps, c.id_steps::text as id_steps, c.id_spans::text as id_spans, c.event_steps::text as event_steps,
  c.received_steps::text as received_steps, c.change_counts::text as change_counts, scale(c.price_unit) as price_digits,
  coalesce(c.prices::text, c.exact_prices::text) as prices, scale(c.quantity_unit) as quantity_digits,
  coalesce(c.quantities::text, c.exact_quantities::text) as quantities`

export const chunksWith = (more: string): string => `select ${CHUNK_COLUMNS}${more}
from booktape.book_chunks c
where c.epoch_id = $1 and c.last_seq > $2 and c.first_seq <= $3
  and c.received_from >= $4::timestamptz - booktape.clock_step() - booktape.chunk_span()
  and c.received_from <= $5::timestamptz + booktape.clock_step()
order by c.first_seq
limit $6`

const ROWS = rowsWith('')
const CHUNKS = chunksWith('')

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

export function decodeRow(row: Row, into: BookMessage[]): void {
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
  })
}

export type Chunk = Readonly<{
  first_seq: bigint
  end_seq: bigint
  symbol: string
  feed: Feed
  epoch_id: string
  marks: string
  seq_steps: string
  id_steps: string
  id_spans: string
  event_steps: string
  received_steps: string
  change_counts: string
  price_digits: number | null // null: `prices` are decimals as they stand
  prices: string
  quantity_digits: number | null
  quantities: string
}>

/** As view booktape.settled_changes does in SQL: values are integers at the chunk's scale, all else are steps. */
export function decodeChunk(chunk: Chunk, into: BookMessage[]): void {
  const idSteps = elementsOf(chunk.id_steps)
  const idSpans = elementsOf(chunk.id_spans)
  const eventSteps = elementsOf(chunk.event_steps)
  const receivedSteps = elementsOf(chunk.received_steps)
  const changeCounts = elementsOf(chunk.change_counts)
  const prices = elementsOf(chunk.prices)
  const quantities = elementsOf(chunk.quantities)
  const { marks, price_digits: priceDigits, quantity_digits: quantityDigits } = chunk
  let messageSeq = 0
  let lastUpdateId = 0n
  let eventTimeNs = 0n
  let receivedTimeNs = 0n
  let place = 0
  for (const [i, step] of elementsOf(chunk.seq_steps).entries()) {
    const eventStep = eventSteps[i] as string
    messageSeq += Number(step) // as above
    const firstUpdateId = lastUpdateId + BigInt(idSteps[i] as string)
    lastUpdateId = firstUpdateId + BigInt(idSpans[i] as string)
    if (eventStep !== 'NULL') eventTimeNs += BigInt(eventStep)
    receivedTimeNs += BigInt(receivedSteps[i] as string)
    const end = place + Number(changeCounts[i]) // an integer column
    const changes: LevelChange[] = []
    for (; place < end; place++) {
      const price = prices[place] as string
      const quantity = quantities[place] as string
      changes.push(
        changeOf(
          marks,
          place,
          priceDigits === null ? price : placePoint(price, priceDigits),
          quantityDigits === null ? quantity : placePoint(quantity, quantityDigits),
        ),
      )
    }
    into.push({
      kind: 'book_message',
      epochId: chunk.epoch_id,
      symbol: chunk.symbol,
      feed: chunk.feed,
      messageSeq,
      firstUpdateId,
      lastUpdateId,
      eventTimeNs: eventStep === 'NULL' ? null : eventTimeNs,
      receivedTimeNs,
      changes,
    })
  }
}

function changeOf(marks: string, at: number, price: string, quantity: string | undefined): LevelChange {
  invariant(quantity !== undefined, 'a stored price has its quantity')
  return changeOfMark(marks.charCodeAt(at), price as DecimalText, quantity as DecimalText)
}

/**
 * The canonical text of an integer that counts units of 10^-digits:
 *
 *   '8394870', 2   83948.7
 *   '5', 3         0.005
 */
export function placePoint(digits: string, scale: number): string {
  if (scale === 0) return digits
  let end = digits.length
  const point = end - scale
  while (end > point && end > 0 && digits.charCodeAt(end - 1) === ZERO) end--
  if (end === 0) return '0'
  if (end <= point) return digits.slice(0, point)
  if (point > 0) return `${digits.slice(0, point)}.${digits.slice(point, end)}`
  return `0.${'0'.repeat(-point)}${digits.slice(0, end)}`
}

const ZERO = 48
