import type { DecimalText, Feed, QuoteRecord, TradeRecord } from '@booktape/market'
import type { Database } from './database.ts'
import { orStoreError } from './failure.ts'
import { TRADE_COLUMNS, type TradeRow, tradeOf } from './stored-trades.ts'

// What `booktape archive` asks of the database, but for books (book-spans.ts). Days are `YYYY-MM-DD` in UTC.

/** A page of quotes or trades is what was received within so long: some ten thousand rows of a busy symbol. */
const HOURS_A_PAGE = 1

/**
 * The days that are over and stored, oldest first: every journal that stored something within a day has got past them, and their rows are
 * still there. Throws `StoreError`.
 */
export async function closedDays(database: Database): Promise<readonly string[]> {
  return await orStoreError(async () => {
    const { rows } = await database.pool.query<{ day: string }>(CLOSED_DAYS)
    return rows.map(({ day }) => day)
  })
}

/** `known` tells when a book was known on the day: it changes when a recorder that was far behind has caught up since. */
export type BooksOfDay = Readonly<{ symbol: string; feed: Feed; known: string }>

/** The books of which something was known on a day, and those that have quotes of it alone. Throws `StoreError`. */
export async function booksOfDay(database: Database, day: string): Promise<readonly BooksOfDay[]> {
  return await orStoreError(async () => {
    const { rows } = await database.pool.query<BooksOfDay>(BOOKS_OF_DAY, [day])
    return rows
  })
}

export type TradesOfDay = Readonly<{ symbol: string; count: bigint; broken: bigint; lastReceivedNs: bigint }>

/** How many trades of a day, by the venue's time, the database has. Throws `StoreError`. */
export async function tradesOfDay(database: Database, day: string): Promise<readonly TradesOfDay[]> {
  return await orStoreError(async () => {
    const { rows } = await database.pool.query<TradesOfDayRow>(TRADES_OF_DAY, [day])
    return rows.map((row) => ({
      symbol: row.symbol,
      count: row.count,
      broken: row.broken,
      lastReceivedNs: row.last_received_ns,
    }))
  })
}

/** The digests of the whole books stored on a day, and just before it, as hex by epoch and message. Throws `StoreError`. */
export async function storedDigests(
  database: Database,
  symbol: string,
  feed: Feed,
  day: string,
): Promise<readonly Readonly<{ epochId: string; messageSeq: bigint; digest: string }>[]> {
  return await orStoreError(async () => {
    const { rows } = await database.pool.query<DigestRow>(DIGESTS, [symbol, feed, day])
    return rows.map((row) => ({ epochId: row.epoch_id, messageSeq: row.message_seq, digest: row.digest }))
  })
}

export type QuoteOfDay = QuoteRecord & Readonly<{ line: string }>

/** The quotes of a day by receive time, of all lines, pages of them. Throws `StoreError`. */
export async function* storedQuotesOfDay(
  database: Database,
  symbol: string,
  feed: Feed,
  day: string,
): AsyncGenerator<readonly QuoteOfDay[]> {
  for (let hour = 0; hour < 24; hour += HOURS_A_PAGE) {
    const values = [symbol, feed, day, hour, hour + HOURS_A_PAGE]
    const { rows } = await orStoreError(() => database.pool.query<QuoteRow>(QUOTES, values))
    if (rows.length > 0) yield rows.map(quoteOf)
  }
}

export type TradeOfDay = TradeRecord & Readonly<{ line: string }>

/** The trades of a day by the venue's time, pages of them. Throws `StoreError`. */
export async function* storedTradesOfDay(
  database: Database,
  symbol: string,
  day: string,
): AsyncGenerator<readonly TradeOfDay[]> {
  for (let hour = 0; hour < 24; hour += HOURS_A_PAGE) {
    const values = [symbol, day, hour, hour + HOURS_A_PAGE]
    const { rows } = await orStoreError(() => database.pool.query<TradeRow>(TRADES, values))
    if (rows.length > 0) yield rows.map(tradeOf)
  }
}

export type StoredEpoch = Readonly<{
  symbol: string
  feed: Feed
  line: string
  epochId: string
  sessionId: string
  startedNs: bigint
  endedNs: bigint | null
  firstUpdateId: bigint
  lastUpdateId: bigint | null
  endReason: string | null
}>

export type StoredGapRow = Readonly<{
  symbol: string
  feed: Feed
  line: string
  gapId: string
  stream: string
  fromId: bigint | null
  toId: bigint | null
  startedNs: bigint
  endedNs: bigint | null
  cause: string
  state: string
}>

export type StoredInstrument = Readonly<{
  symbol: string
  baseCurrency: string
  quoteCurrency: string
  priceIncrement: DecimalText
  quantityIncrement: DecimalText
  minOrderSize: DecimalText
  status: string
  productType: string
  contractType: string
  validFromNs: bigint
  validToNs: bigint | null
}>

export type StoredDay = Readonly<{
  epochs: readonly StoredEpoch[]
  gaps: readonly StoredGapRow[]
  instruments: readonly StoredInstrument[]
}>

/** The epochs, gaps and instruments of a day, as they stand now: what ended later has its end. Throws `StoreError`. */
export async function storedDay(database: Database, day: string): Promise<StoredDay> {
  return await orStoreError(async () => {
    const epochs = await database.pool.query<StoredEpoch>(EPOCHS, [day])
    const gaps = await database.pool.query<StoredGapRow>(GAPS, [day])
    const instruments = await database.pool.query<StoredInstrument>(INSTRUMENTS, [day])
    return { epochs: epochs.rows, gaps: gaps.rows, instruments: instruments.rows }
  })
}

type TradesOfDayRow = Readonly<{ symbol: string; count: bigint; broken: bigint; last_received_ns: bigint }>
type DigestRow = Readonly<{ epoch_id: string; message_seq: bigint; digest: string }>
type QuoteRow = Readonly<{
  line: string
  epoch_id: string | null
  session_id: string
  message_seq: bigint
  update_id: bigint
  event_time_ns: bigint | null
  received_time_ns: bigint
  symbol: string
  feed: Feed
  bid_price: DecimalText | null
  bid_quantity: DecimalText | null
  ask_price: DecimalText | null
  ask_quantity: DecimalText | null
}>
function quoteOf(row: QuoteRow): QuoteOfDay {
  return {
    kind: 'quote',
    line: row.line,
    epochId: row.epoch_id,
    sessionId: row.session_id,
    symbol: row.symbol,
    feed: row.feed,
    messageSeq: Number(row.message_seq), // counted by us in one session: far below 2^53
    updateId: row.update_id,
    eventTimeNs: row.event_time_ns,
    receivedTimeNs: row.received_time_ns,
    top: {
      bidPrice: row.bid_price,
      bidQuantity: row.bid_quantity,
      askPrice: row.ask_price,
      askQuantity: row.ask_quantity,
    },
  }
}

/** Instants of a day given as text, whatever the session's time zone. */
const DAY_STARTS = (place: string): string => `((${place}::date)::timestamp at time zone 'UTC')`
const DAY_ENDS = (place: string): string => `((${place}::date + 1)::timestamp at time zone 'UTC')`
const WITHIN = (column: string, day: string, from: string, until: string): string =>
  `${column} >= ${DAY_STARTS(day)} + ${from} * interval '1 hour' and ${column} < ${DAY_STARTS(day)} + ${until} * interval '1 hour'`

// A day whose partition was dropped is gone; one that nobody made a partition for stands in the default one.
const CLOSED_DAYS = `select to_char(d.day, 'YYYY-MM-DD') as day
from (
  select generate_series(min(e.started_at at time zone 'UTC')::date::timestamp,
    (booktape.settleable_before(now()) at time zone 'UTC')::date - 1, interval '1 day')::date as day
  from booktape.epochs e
) d
where to_regclass('booktape.book_snapshots_' || to_char(d.day, 'YYYYMMDD')) is not null
  or exists (select from booktape.book_snapshots s
    where s.received_time >= ${DAY_STARTS('d.day')} and s.received_time < ${DAY_ENDS('d.day')})
order by 1`

// Quotes of a book that was never known are quotes all the same.
const BOOKS_OF_DAY = `with known as (
  select e.symbol, e.feed, md5(string_agg(e.epoch_id || ' ' || booktape.nanoseconds(least(e.known_until, ${DAY_ENDS('$1')})), ','
    order by e.started_at, e.epoch_id)) as known
  from booktape.proven_epochs e
  where e.started_at < ${DAY_ENDS('$1')} and e.known_until >= ${DAY_STARTS('$1')}
  group by e.symbol, e.feed
), quoted as (
  select distinct t.symbol, t.feed from booktape.tallies t
  where t.relation = 'quotes' and t.row_count > 0 and t.hour >= ${DAY_STARTS('$1')} and t.hour < ${DAY_ENDS('$1')}
)
select symbol, feed, coalesce(k.known, '') as known from known k full join quoted q using (symbol, feed) order by symbol, feed`

const TRADES_OF_DAY = `select t.symbol, count(*) as count, count(*) filter (where t.broken) as broken, max(t.received_time_ns) as last_received_ns
from booktape.trades t
where t.event_time >= ${DAY_STARTS('$1')} and t.event_time < ${DAY_ENDS('$1')}
group by t.symbol order by t.symbol`

// From a day before on: the day's first book may stand after a message of then.
const DIGESTS = `select s.epoch_id, s.message_seq, encode(s.digest, 'hex') as digest
from booktape.book_snapshots s
where s.symbol = $1 and s.feed = $2
  and s.received_time >= ${DAY_STARTS('$3')} - booktape.clock_step() and s.received_time < ${DAY_ENDS('$3')} + booktape.clock_step()`

const QUOTES = `select q.symbol, q.feed, q.line, q.epoch_id, q.session_id, q.message_seq, q.update_id, q.event_time_ns, q.received_time_ns,
  q.bid_price, q.bid_quantity, q.ask_price, q.ask_quantity
from booktape.quotes q
where q.symbol = $1 and q.feed = $2 and ${WITHIN('q.received_time', '$3', '$4', '$5')}
order by q.received_time, q.session_id, q.message_seq`

const TRADES = `select ${TRADE_COLUMNS}
from booktape.trades t
where t.symbol = $1 and ${WITHIN('t.event_time', '$2', '$3', '$4')}
order by t.event_time_ns, t.trade_id`

const EPOCHS = `select e.symbol, e.feed, e.line, e.epoch_id as "epochId", e.session_id as "sessionId",
  booktape.nanoseconds(e.started_at) as "startedNs", booktape.nanoseconds(e.ended_at) as "endedNs",
  e.first_update_id as "firstUpdateId", case when e.ended_at is not null then e.last_update_id end as "lastUpdateId", e.end_reason as "endReason"
from booktape.epochs e
where e.started_at < ${DAY_ENDS('$1')} and (e.ended_at is null or e.ended_at >= ${DAY_STARTS('$1')})
order by e.symbol, e.feed, e.started_at, e.epoch_id`

const GAPS = `select g.symbol, g.feed, g.line, g.gap_id as "gapId", g.stream, g.from_id as "fromId", g.to_id as "toId",
  booktape.nanoseconds(g.started_at) as "startedNs", booktape.nanoseconds(g.ended_at) as "endedNs", g.cause, g.state
from booktape.gaps g
where g.started_at < ${DAY_ENDS('$1')} and (g.ended_at is null or g.ended_at >= ${DAY_STARTS('$1')})
order by g.symbol, g.feed, g.started_at, g.gap_id`

const INSTRUMENTS = `select i.symbol, i.base_currency as "baseCurrency", i.quote_currency as "quoteCurrency",
  i.price_increment as "priceIncrement", i.quantity_increment as "quantityIncrement", i.min_order_size as "minOrderSize", i.status,
  i.product_type as "productType", i.contract_type as "contractType", booktape.nanoseconds(i.valid_from) as "validFromNs",
  booktape.nanoseconds(i.valid_to) as "validToNs"
from booktape.instruments i
where i.valid_from < ${DAY_ENDS('$1')} and (i.valid_to is null or i.valid_to > ${DAY_STARTS('$1')})
order by i.symbol, i.valid_from`
