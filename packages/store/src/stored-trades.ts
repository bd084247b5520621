import type { DecimalText, TakerSide, TradeRecord } from '@booktape/market'
import type { PoolClient } from 'pg'
import { orStoreError } from './failure.ts'

/** A page is held in memory: a day of a busy symbol is some ten thousand trades. */
const SPAN_A_PAGE = '1 day'

/**
 * The trades of a symbol in [fromTime, toTime), ordered by when they were received, or, for those that were read from REST later, by
 * the venue's time. `byEventTime`: all by the venue's time. Broken trades are among them. Throws `StoreError`.
 */
export async function* storedTrades(
  client: PoolClient,
  symbol: string,
  fromTime: string,
  toTime: string,
  byEventTime: boolean,
): AsyncGenerator<readonly (TradeRecord & Readonly<{ line: string }>)[]> {
  const spans = await orStoreError(() =>
    client.query<{ starts: string; ends: string }>(PAGES, [symbol, fromTime, toTime]),
  )
  for (const { starts, ends } of spans.rows) {
    const { rows } = await orStoreError(() => client.query<TradeRow>(TRADES, [symbol, starts, ends, byEventTime]))
    if (rows.length > 0) yield rows.map(tradeOf)
  }
}

export const TRADE_COLUMNS =
  't.symbol, t.trade_id, t.event_time_ns, t.received_time_ns, t.price, t.quantity, t.taker_side, t.source, t.line, t.broken'

/** A row of booktape.trades without the times that its nanoseconds repeat. */
export type TradeRow = Readonly<{
  symbol: string
  trade_id: bigint
  event_time_ns: bigint
  received_time_ns: bigint
  price: DecimalText
  quantity: DecimalText
  taker_side: TakerSide
  source: 'v1' | 'ws' | 'rest'
  line: string
  broken: boolean
}>

export function tradeOf(row: TradeRow): TradeRecord & Readonly<{ line: string }> {
  return {
    kind: 'trade',
    symbol: row.symbol,
    tradeId: row.trade_id,
    eventTimeNs: row.event_time_ns,
    receivedTimeNs: row.received_time_ns,
    price: row.price,
    quantity: row.quantity,
    takerSide: row.taker_side,
    source: row.source,
    broken: row.broken,
    line: row.line,
  }
}

// Only days that hold trades, so that a span with open ends costs nothing.
const PAGES = `with held as (
  select greatest(min(t.event_time) - booktape.clock_step(), $2::timestamptz) as starts,
    least(max(t.event_time) + booktape.clock_step() + interval '1 microsecond', $3::timestamptz) as ends
  from booktape.trades t
  where t.symbol = $1 and t.event_time >= $2::timestamptz - booktape.clock_step() and t.event_time < $3::timestamptz + booktape.clock_step()
)
select s as starts, least(s + interval '${SPAN_A_PAGE}', h.ends) as ends
from held h cross join lateral generate_series(h.starts, h.ends, interval '${SPAN_A_PAGE}') s
where s < h.ends
order by s`

// The index is by the venue's time; ours is no further from it than books allow our clock to step.
const TRADES = `select ${TRADE_COLUMNS}
from booktape.trades t
where t.symbol = $1
  and t.event_time >= $2::timestamptz - booktape.clock_step() and t.event_time < $3::timestamptz + booktape.clock_step()
  and case when $4 or t.source = 'rest' then t.event_time else t.received_time end >= $2::timestamptz
  and case when $4 or t.source = 'rest' then t.event_time else t.received_time end < $3::timestamptz
order by case when $4 or t.source = 'rest' then t.event_time_ns else t.received_time_ns end, t.trade_id`
