import type { BookMessage, BookSnapshot, DecimalText, LevelChange, MarketRecord, TradeRecord } from '@booktape/market'
import { arrayText, cleanText, NULL_ELEMENT, quoted } from './array-text.ts'
import { CHANGED_COLUMNS, type Change, keysOf, STORED_COLUMNS, type StoredTable } from './stored-columns.ts'
import { timestampText } from './timestamp.ts'

/** Which journal the records come from, and whose it is. */
export type BatchOrigin = Readonly<{ journalId: string; line: string; shard: number }>

/** Array elements by column, all columns of a table equally long. */
export type Columns<C> = { readonly [Name in keyof C]: string[] }

export type InstrumentRecord = Extract<MarketRecord, { kind: 'instrument' }>

/** A batch as the statements take it. */
export type Rows = { readonly [T in StoredTable]: Columns<(typeof STORED_COLUMNS)[T]> } & {
  readonly [C in Change]: Columns<(typeof CHANGED_COLUMNS)[C]>
} & { readonly instruments: InstrumentRecord[] }

/** Long enough for every reason seen, short enough that no venue fills a disk with one. */
export const MAX_REASON_LENGTH = 500
export const MAX_URL_LENGTH = 2_000
/** The contract keeps the first 4 KiB of a message that could not be used. */
export const MAX_PAYLOAD_BYTES = 4_096

/**
 * Sorts records into the columns of their tables. Pure: the same records give the same rows.
 *
 * Trades are put in the order of their key, since two lines write the same ones and would otherwise take each
 * other's locks crosswise. Of several records that close one thing, the first counts, as it would in batches of one.
 */
export function rowsOf(records: readonly MarketRecord[], origin: BatchOrigin): Rows {
  const rows = emptyRows()
  const trades: TradeRecord[] = []
  const ended = new Set<string>()
  const isFirstEnd = (id: string) => !ended.has(id) && ended.add(id).size > 0
  for (const record of records) {
    if (record.kind === 'trade') trades.push(record)
    else if (record.kind === 'session_closed' && !isFirstEnd(record.sessionId)) continue
    else if (record.kind === 'epoch_ended' && !isFirstEnd(record.epochId)) continue
    else if (record.kind === 'gap_closed' && !isFirstEnd(record.gapId)) continue
    else if (record.kind === 'gap_settled' && !isFirstEnd(`${record.gapId} settled`)) continue
    else addRecord(rows, record, origin)
  }
  for (const trade of trades.sort(byTradeKey)) addTrade(rows, trade, origin)
  return rows
}

function addRecord(rows: Rows, record: Exclude<MarketRecord, TradeRecord>, origin: BatchOrigin): void {
  const line = quoted(origin.line)
  switch (record.kind) {
    case 'book_message':
      return addBookMessage(rows.book_messages, record, line)
    case 'book_snapshot':
      return addBookSnapshot(rows.book_snapshots, record, line)
    case 'quote':
      return addRow(rows.quotes, {
        received_time: timestampText(record.receivedTimeNs),
        received_time_ns: record.receivedTimeNs.toString(),
        event_time_ns: optionalId(record.eventTimeNs),
        update_id: record.updateId.toString(),
        message_seq: record.messageSeq.toString(),
        session_id: record.sessionId,
        epoch_id: record.epochId ?? NULL_ELEMENT,
        symbol: quoted(record.symbol),
        feed: record.feed,
        line,
        bid_price: record.top.bidPrice ?? NULL_ELEMENT,
        bid_quantity: record.top.bidQuantity ?? NULL_ELEMENT,
        ask_price: record.top.askPrice ?? NULL_ELEMENT,
        ask_quantity: record.top.askQuantity ?? NULL_ELEMENT,
      })
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
      return addRow(rows.audits, {
        symbol: quoted(record.symbol),
        feed: record.feed,
        line,
        audited_at: timestampText(record.receivedTimeNs),
        method: record.method,
        update_id: record.updateId.toString(),
        levels_compared: record.levelsCompared.toString(),
        levels_different: record.levelsDifferent.toString(),
        result: record.result,
      })
    case 'quarantine':
      return addRow(rows.quarantine, {
        session_id: record.sessionId,
        message_seq: record.messageSeq.toString(),
        line,
        feed: record.feed,
        symbol: record.symbol === null ? NULL_ELEMENT : cleaned(record.symbol, MAX_REASON_LENGTH),
        received_time: timestampText(record.receivedTimeNs),
        reason: cleaned(record.reason, MAX_REASON_LENGTH),
        payload: Buffer.from(record.payload.subarray(0, MAX_PAYLOAD_BYTES)).toString('hex'),
      })
  }
}

// The three below are the bulk of all rows, so they push column by column instead of building an object a row.

function addBookMessage(to: Rows['book_messages'], record: BookMessage, line: string): void {
  let marks = ''
  let prices = ''
  let quantities = ''
  for (const change of record.changes) {
    if (marks !== '') {
      prices += ','
      quantities += ','
    }
    marks += markOf(change)
    prices += change.price
    quantities += change.quantity
  }
  to.received_time.push(timestampText(record.receivedTimeNs))
  to.received_time_ns.push(record.receivedTimeNs.toString())
  to.event_time_ns.push(optionalId(record.eventTimeNs))
  to.first_update_id.push(record.firstUpdateId.toString())
  to.update_id.push(record.lastUpdateId.toString())
  to.message_seq.push(record.messageSeq.toString())
  to.epoch_id.push(record.epochId)
  to.symbol.push(quoted(record.symbol))
  to.feed.push(record.feed)
  to.line.push(line)
  to.marks.push(`"${marks}"`)
  to.prices.push(`"{${prices}}"`)
  to.quantities.push(`"{${quantities}}"`)
}

function addBookSnapshot(to: Rows['book_snapshots'], record: BookSnapshot, line: string): void {
  to.received_time.push(timestampText(record.receivedTimeNs))
  to.received_time_ns.push(record.receivedTimeNs.toString())
  to.event_time_ns.push(optionalId(record.eventTimeNs))
  to.update_id.push(record.updateId.toString())
  to.message_seq.push(record.messageSeq.toString())
  to.epoch_id.push(record.epochId)
  to.symbol.push(quoted(record.symbol))
  to.feed.push(record.feed)
  to.line.push(line)
  to.reason.push(record.reason)
  to.bid_prices.push(decimals(record.bidPrices))
  to.bid_quantities.push(decimals(record.bidQuantities))
  to.ask_prices.push(decimals(record.askPrices))
  to.ask_quantities.push(decimals(record.askQuantities))
  to.digest.push(record.digest)
}

function addTrade({ trades: to, broken_trades: broken }: Rows, record: TradeRecord, origin: BatchOrigin): void {
  const symbol = quoted(record.symbol)
  const tradeId = record.tradeId.toString()
  to.symbol.push(symbol)
  to.trade_id.push(tradeId)
  to.event_time.push(timestampText(record.eventTimeNs))
  to.event_time_ns.push(record.eventTimeNs.toString())
  to.received_time.push(timestampText(record.receivedTimeNs))
  to.received_time_ns.push(record.receivedTimeNs.toString())
  to.price.push(record.price)
  to.quantity.push(record.quantity)
  to.taker_side.push(record.takerSide)
  to.source.push(record.source)
  to.line.push(quoted(origin.line))
  to.broken.push(record.broken ? 't' : 'f')
  // A trade may be broken after it was stored: the first row stands, but for this.
  if (record.broken) addRow(broken, { symbol, trade_id: tradeId })
}

/** The letter of migrations/0001: which side, and why. */
function markOf({ side, reason }: LevelChange): string {
  const letters = reason === null ? 'uU' : MARKS[reason]
  return letters.charAt(side === 'bid' ? 0 : 1)
}

const MARKS = { place: 'pP', trade: 'tT', cancel: 'cC', 'top-of-book': 'bB', initial: 'iI' } as const

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
  return { ...(Object.fromEntries(columns) as Omit<Rows, 'instruments'>), instruments: [] }
}

function emptyColumns(columns: Readonly<Record<string, unknown>>): Record<string, string[]> {
  return Object.fromEntries(Object.keys(columns).map((name) => [name, []]))
}
