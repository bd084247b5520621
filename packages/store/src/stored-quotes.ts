import type { DecimalText, Feed, TopOfBook } from '@booktape/market'
import type { PoolClient } from 'pg'
import { orStoreError } from './failure.ts'
import { timestampText } from './timestamp.ts'

/** Of which line the quotes of a symbol are read in [fromNs, untilNs) by receive time. */
export type QuoteSpan = Readonly<{ symbol: string; feed: Feed; line: string; fromNs: bigint; untilNs: bigint }>

/** The best bid and offer, as the venue told it (`ws`) or as the book had it (`v1`). */
export type StoredQuote = Readonly<{
  kind: 'quote'
  symbol: string
  feed: Feed
  line: string
  updateId: bigint
  eventTimeNs: bigint | null
  receivedTimeNs: bigint
  top: TopOfBook
}>

/** A page is held in memory: some megabytes. */
export const QUOTES_A_PAGE = 5_000

/** The quotes of a span in the order in which they were received. Memory stays flat. Throws `StoreError`. `client` is in a transaction. */
export async function* storedQuotes(client: PoolClient, span: QuoteSpan): AsyncGenerator<readonly StoredQuote[]> {
  const { symbol, feed, line, fromNs, untilNs } = span
  const until = [timestampText(untilNs), untilNs]
  let after: readonly unknown[] = [timestampText(fromNs), fromNs - 1n, LAST_SEQ, NO_SESSION]
  for (;;) {
    const values = [symbol, feed, line, ...until, ...after, QUOTES_A_PAGE]
    const { rows } = await orStoreError(() => client.query<Row>(QUOTES, values))
    if (rows.length > 0) yield rows.map((row) => quoteOf(row, span))
    const last = rows.at(-1)
    if (last === undefined || rows.length < QUOTES_A_PAGE) return
    after = [last.received_time, last.received_time_ns, last.message_seq, last.session_id]
  }
}

/** After every message of one instant. */
const LAST_SEQ = 2n ** 63n - 1n
const NO_SESSION = '00000000-0000-0000-0000-000000000000'

type Row = Readonly<{
  received_time: string
  message_seq: bigint
  session_id: string
  update_id: bigint
  event_time_ns: bigint | null
  received_time_ns: bigint
  bid_price: DecimalText | null
  bid_quantity: DecimalText | null
  ask_price: DecimalText | null
  ask_quantity: DecimalText | null
}>

function quoteOf(row: Row, { symbol, feed, line }: QuoteSpan): StoredQuote {
  return {
    kind: 'quote',
    symbol,
    feed,
    line,
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

// Times in microseconds choose the days to look in and the index; nanoseconds decide.
const QUOTES = `select q.received_time, q.message_seq, q.session_id, q.update_id, q.event_time_ns, q.received_time_ns,
  q.bid_price, q.bid_quantity, q.ask_price, q.ask_quantity
from booktape.quotes q
where q.symbol = $1 and q.feed = $2 and q.line = $3
  and q.received_time <= $4 and q.received_time_ns < $5 and q.received_time >= $6
  and (q.received_time, q.received_time_ns, q.message_seq, q.session_id) > ($6, $7, $8, $9)
order by q.received_time, q.received_time_ns, q.message_seq, q.session_id
limit $10`
