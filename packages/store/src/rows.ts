import type {
  BookMessage,
  BookSnapshot,
  DecimalText,
  Feed,
  LevelChange,
  MarketRecord,
  QuoteRecord,
  TradeRecord,
} from '@booktape/market'
import { arrayText, cleanText, NULL_ELEMENT, quoted } from './array-text.ts'
import { CopyText, type Place } from './copy-text.ts'
import { HOUR_LENGTH } from './counted-by.ts'
import { markOf } from './marks.ts'
import { withChecksum } from './sealed-rows.ts'
import {
  CHANGED_COLUMNS,
  type Change,
  COPIED_TABLES,
  type CopiedTable,
  keysOf,
  STORED_COLUMNS,
  type StoredTable,
} from './stored-columns.ts'
import { timestampText } from './timestamp.ts'

/** Which journal the records come from, and whose it is. */
export type BatchOrigin = Readonly<{ journalId: string; line: string; shard: number }>

/** Array elements by column, all columns of a table equally long. */
export type Columns<C> = { readonly [Name in keyof C]: string[] }

export type InstrumentRecord = Extract<MarketRecord, { kind: 'instrument' }>

/** A batch as the statements take it. */
export type Rows = {
  readonly [T in Exclude<StoredTable, CopiedTable>]: Columns<(typeof STORED_COLUMNS)[T]>
} & { readonly [T in CopiedTable]: CopyText } & {
  readonly [C in Change]: Columns<(typeof CHANGED_COLUMNS)[C]>
} & { readonly instruments: InstrumentRecord[] }

/** Long enough for every reason seen, short enough that no venue fills a disk with one. */
export const MAX_REASON_LENGTH = 500
export const MAX_URL_LENGTH = 2_000
/** The contract keeps the first 4 KiB of a message that could not be used. */
export const MAX_PAYLOAD_BYTES = 4_096
/** What a row costs in memory that is not text, and a row that is not counted closer. */
const ROW_BYTES = 1_000

/**
 * Sorts records into the columns of their tables, as they come. Pure: the same records give the same rows.
 *
 * Trades are put in the order of their key, since two lines write the same ones and would otherwise take each
 * other's locks crosswise. Of several records that close one thing, the first counts, as it would in batches of one.
 */
export class GatheredRows {
  /** When each message and quote was received, in milliseconds since 1970, by feed: for the commit lag. */
  readonly receivedMs: Readonly<Record<Feed, number[]>> = { v1: [], ws: [] }
  readonly #origin: BatchOrigin
  readonly #line: string
  readonly #rows = emptyRows()
  readonly #trades: TradeRecord[] = []
  readonly #places: Readonly<Record<Feed, Map<string, HourOfPlace>>> = { v1: new Map(), ws: new Map() }
  readonly #ended = new Set<string>()
  #otherBytes = 0

  constructor(origin: BatchOrigin) {
    this.#origin = origin
    this.#line = quoted(origin.line)
  }

  /** About what is held in memory. */
  get bytes(): number {
    return this.#rows.book_messages.length + this.#rows.quotes.length + this.#otherBytes
  }

  add(record: MarketRecord): void {
    switch (record.kind) {
      case 'book_message':
        this.receivedMs[record.feed].push(milliseconds(record.receivedTimeNs))
        return addBookMessage(this.#rows.book_messages, record, this.#line, this.#placeOf(record))
      case 'quote':
        this.receivedMs[record.feed].push(milliseconds(record.receivedTimeNs))
        return addQuote(this.#rows.quotes, record, this.#line, this.#placeOf(record))
      case 'trade':
        this.#otherBytes += ROW_BYTES
        this.#trades.push(record)
        return
      case 'session_closed':
        if (!this.#isFirstEnd(record.sessionId)) return
        break
      case 'epoch_ended':
        if (!this.#isFirstEnd(record.epochId)) return
        break
      case 'gap_closed':
        if (!this.#isFirstEnd(record.gapId)) return
        break
      case 'gap_settled':
        if (!this.#isFirstEnd(`${record.gapId} settled`)) return
        break
      case 'book_snapshot':
        this.#otherBytes += 2 * LEVEL_BYTES * (record.bidPrices.length + record.askPrices.length)
        break
      default:
    }
    this.#otherBytes += ROW_BYTES
    addRecord(this.#rows, record, this.#origin)
  }

  /** All rows; nothing is added after this was asked for. */
  get rows(): Rows {
    for (const trade of this.#trades.splice(0).sort(byTradeKey)) addTrade(this.#rows, trade, this.#line)
    return this.#rows
  }

  /** One object for all rows of a symbol and hour. */
  #placeOf({ symbol, feed, receivedTimeNs }: BookMessage | QuoteRecord): Place {
    const places = this.#places[feed]
    const known = places.get(symbol)
    if (known !== undefined && receivedTimeNs >= known.fromNs && receivedTimeNs < known.untilNs) return known.place
    const place = { symbol, feed, hour: timestampText(receivedTimeNs).slice(0, HOUR_LENGTH) }
    const intoHourNs = ((receivedTimeNs % HOUR_NS) + HOUR_NS) % HOUR_NS
    const fromNs = receivedTimeNs - intoHourNs
    places.set(symbol, { place, fromNs, untilNs: fromNs + HOUR_NS })
    return place
  }

  #isFirstEnd(id: string): boolean {
    if (this.#ended.has(id)) return false
    this.#ended.add(id)
    return true
  }
}

type HourOfPlace = Readonly<{ place: Place; fromNs: bigint; untilNs: bigint }>
const HOUR_NS = 3_600_000_000_000n

/** A price or a quantity in the text of a snapshot. */
const LEVEL_BYTES = 12

export function rowsOf(records: readonly MarketRecord[], origin: BatchOrigin): Rows {
  const gathered = new GatheredRows(origin)
  for (const record of records) gathered.add(record)
  return gathered.rows
}

/** Trades alone, which know nothing of a journal. */
export function tradeRowsOf(trades: readonly TradeRecord[], line: string): Rows {
  const rows = emptyRows()
  for (const trade of trades.toSorted(byTradeKey)) addTrade(rows, trade, quoted(line))
  return rows
}

function addRecord(
  rows: Rows,
  record: Exclude<MarketRecord, TradeRecord | BookMessage | QuoteRecord>,
  origin: BatchOrigin,
): void {
  const line = quoted(origin.line)
  switch (record.kind) {
    case 'book_snapshot':
      return addBookSnapshot(rows.book_snapshots, record, line)
    case 'session_opened':
      return addRow(rows.sessions, {
        session_id: record.sessionId,
        journal_id: origin.journalId,
        line,
        feed: record.feed,
        url: cleaned(record.url, MAX_URL_LENGTH),
        opened_at: timestampText(record.receivedTimeNs),
      })
    case 'session_closed':
      return addRow(rows.closed_sessions, {
        session_id: record.sessionId,
        closed_at: timestampText(record.receivedTimeNs),
        close_code: record.code === null ? NULL_ELEMENT : record.code.toString(),
        close_reason: cleaned(record.reason, MAX_REASON_LENGTH),
      })
    case 'epoch_started':
      addRow(rows.outlived_epochs, {
        epoch_id: record.epochId,
        journal_id: origin.journalId,
        line,
        symbol: quoted(record.symbol),
        feed: record.feed,
        started_at: timestampText(record.receivedTimeNs),
      })
      return addRow(rows.epochs, {
        epoch_id: record.epochId,
        session_id: record.sessionId,
        journal_id: origin.journalId,
        line,
        symbol: quoted(record.symbol),
        feed: record.feed,
        started_at: timestampText(record.receivedTimeNs),
        first_update_id: record.firstUpdateId.toString(),
      })
    case 'epoch_ended':
      return addRow(rows.ended_epochs, {
        epoch_id: record.epochId,
        ended_at: timestampText(record.receivedTimeNs),
        last_update_id: record.lastUpdateId.toString(),
        end_reason: cleaned(record.reason, MAX_REASON_LENGTH),
      })
    case 'gap_opened':
      return addRow(rows.gaps, {
        gap_id: record.gapId,
        journal_id: origin.journalId,
        line,
        symbol: quoted(record.symbol),
        feed: record.feed,
        stream: record.stream,
        from_id: optionalId(record.fromId),
        started_at: timestampText(record.receivedTimeNs),
        cause: record.cause,
      })
    case 'gap_closed':
      return addRow(rows.closed_gaps, {
        gap_id: record.gapId,
        to_id: optionalId(record.toId),
        ended_at: timestampText(record.receivedTimeNs),
      })
    case 'gap_settled':
      return addRow(rows.settled_gaps, { gap_id: record.gapId, state: record.state })
    case 'gap_withdrawn':
      return addRow(rows.withdrawn_gaps, { gap_id: record.gapId })
    case 'instrument':
      rows.instruments.push(record)
      return
    case 'audit':
      return addRow(
        rows.audits,
        withChecksum('audits', {
          symbol: quoted(record.symbol),
          feed: QUOTED_FEEDS[record.feed],
          line,
          audited_at: timestampText(record.receivedTimeNs),
          method: quoted(record.method),
          update_id: record.updateId.toString(),
          levels_compared: record.levelsCompared.toString(),
          levels_different: record.levelsDifferent.toString(),
          result: quoted(record.result),
        }),
      )
    case 'quarantine':
      return addRow(
        rows.quarantine,
        withChecksum('quarantine', {
          session_id: record.sessionId,
          message_seq: record.messageSeq.toString(),
          line,
          feed: QUOTED_FEEDS[record.feed],
          symbol: record.symbol === null ? NULL_ELEMENT : cleaned(record.symbol, MAX_REASON_LENGTH),
          received_time: timestampText(record.receivedTimeNs),
          reason: cleaned(record.reason, MAX_REASON_LENGTH),
          payload: Buffer.from(record.payload.subarray(0, MAX_PAYLOAD_BYTES)).toString('hex'),
        }),
      )
  }
}

// The bulk of all rows, field by field in the order of the columns.

export function addBookMessage(to: CopyText, record: BookMessage, line: string, place: Place): void {
  to.field(timestampText(record.receivedTimeNs))
  to.field(record.receivedTimeNs.toString())
  to.field(optionalId(record.eventTimeNs))
  to.field(record.firstUpdateId.toString())
  to.field(record.lastUpdateId.toString())
  to.field(record.messageSeq.toString())
  to.field(record.epochId)
  to.field(quoted(record.symbol))
  to.field(QUOTED_FEEDS[record.feed])
  to.field(line)
  to.letters(record.changes, markOf)
  to.array(record.changes, priceOf)
  to.array(record.changes, quantityOf)
  to.endRow(place)
}

function addQuote(to: CopyText, record: QuoteRecord, line: string, place: Place): void {
  const { top } = record
  to.field(timestampText(record.receivedTimeNs))
  to.field(record.receivedTimeNs.toString())
  to.field(optionalId(record.eventTimeNs))
  to.field(record.updateId.toString())
  to.field(record.messageSeq.toString())
  to.field(record.sessionId)
  to.field(record.epochId ?? NULL_ELEMENT)
  to.field(quoted(record.symbol))
  to.field(QUOTED_FEEDS[record.feed])
  to.field(line)
  to.field(top.bidPrice ?? NULL_ELEMENT)
  to.field(top.bidQuantity ?? NULL_ELEMENT)
  to.field(top.askPrice ?? NULL_ELEMENT)
  to.field(top.askQuantity ?? NULL_ELEMENT)
  to.endRow(place)
}

const QUOTED_FEEDS: Readonly<Record<Feed, string>> = { v1: '"v1"', ws: '"ws"' }
const priceOf = (change: LevelChange): string => change.price
const quantityOf = (change: LevelChange): string => change.quantity

/** For a histogram of lags: exact to a microsecond, which is enough there. */
const milliseconds = (timeNs: bigint): number => Number(timeNs / 1_000n) / 1_000

function addBookSnapshot(to: Rows['book_snapshots'], record: BookSnapshot, line: string): void {
  const row = {
    received_time: timestampText(record.receivedTimeNs),
    received_time_ns: record.receivedTimeNs.toString(),
    event_time_ns: optionalId(record.eventTimeNs),
    update_id: record.updateId.toString(),
    message_seq: record.messageSeq.toString(),
    epoch_id: record.epochId,
    symbol: quoted(record.symbol),
    feed: QUOTED_FEEDS[record.feed],
    line,
    reason: quoted(record.reason),
    bid_prices: decimals(record.bidPrices),
    bid_quantities: decimals(record.bidQuantities),
    ask_prices: decimals(record.askPrices),
    ask_quantities: decimals(record.askQuantities),
    digest: record.digest,
  }
  addRow(to, withChecksum('book_snapshots', row))
}

function addTrade({ trades: to, broken_trades: broken }: Rows, record: TradeRecord, line: string): void {
  const symbol = quoted(record.symbol)
  const tradeId = record.tradeId.toString()
  const row = {
    symbol,
    trade_id: tradeId,
    event_time: timestampText(record.eventTimeNs),
    event_time_ns: record.eventTimeNs.toString(),
    received_time: timestampText(record.receivedTimeNs),
    received_time_ns: record.receivedTimeNs.toString(),
    price: record.price,
    quantity: record.quantity,
    taker_side: quoted(record.takerSide),
    source: quoted(record.source),
    line,
  }
  addRow(to, withChecksum('trades', row))
  // A trade may be broken after it was stored: the first row stands, but for this.
  if (record.broken) addRow(broken, { symbol, trade_id: tradeId })
}

function byTradeKey(a: TradeRecord, b: TradeRecord): number {
  if (a.symbol !== b.symbol) return a.symbol < b.symbol ? -1 : 1
  return a.tradeId < b.tradeId ? -1 : a.tradeId > b.tradeId ? 1 : 0
}

function addRow<C extends Record<string, string[]>>(to: C, row: { readonly [Name in keyof C]: string }): void {
  for (const name of keysOf(to) as readonly (keyof C)[]) to[name]?.push(row[name])
}

function optionalId(id: bigint | null): string {
  return id === null ? NULL_ELEMENT : id.toString()
}

function cleaned(text: string, maxLength: number): string {
  return quoted(cleanText(text, maxLength))
}

/** An inner array: it needs quotes around it, and nothing escaped, for it is digits, points and commas. */
function decimals(values: readonly DecimalText[]): string {
  return `"${arrayText(values)}"`
}

function emptyRows(): Rows {
  const all = { ...STORED_COLUMNS, ...CHANGED_COLUMNS }
  const columns = keysOf(all).map((block) => [block, emptyColumns(all[block])])
  const copied = COPIED_TABLES.map((table) => [table, new CopyText()])
  return { ...(Object.fromEntries([...columns, ...copied]) as Omit<Rows, 'instruments'>), instruments: [] }
}

function emptyColumns(columns: Readonly<Record<string, unknown>>): Record<string, string[]> {
  return Object.fromEntries(Object.keys(columns).map((name) => [name, []]))
}
