import { createHash } from 'node:crypto'
import type { RecordedDay, TrueTrade, Truth } from './recorded-day.ts'

type Rows = readonly (readonly (string | null)[])[]

/** One function asked at many instants; `isRight` holds an answer against the exchange's own book. */
export type Question = Readonly<{
  name: string
  times: number
  sql: string
  lookup?: string // takes the values and gives those that `sql` takes; not timed
  values(truth: Truth, day: RecordedDay): readonly string[]
  isRight?: (rows: Rows, truth: Truth, day: RecordedDay) => boolean
}>

const here = ({ symbol, at }: Truth): string[] => [symbol, at]
const HOUR = `least($2::timestamptz, $3::timestamptz - interval '1 hour')`
const hour = ({ symbol, at }: Truth, { to }: RecordedDay): string[] => [symbol, at, to]

export const QUESTIONS: readonly Question[] = [
  {
    name: 'book_at, every level',
    times: 500,
    sql: 'select side, price, quantity from market.book_at($1, $2)',
    values: here,
    isRight: (rows, { digest }) =>
      createHash('sha256')
        .update(rows.map((row) => `${row.join(' ')}\n`).join(''))
        .digest('hex') === digest,
  },
  {
    name: 'book_at, ten levels',
    times: 500,
    sql: 'select side, price, quantity from market.book_at($1, $2, 10)',
    values: here,
    isRight: (rows, truth) => sameLevels(rows, truth, 10),
  },
  {
    name: 'top_of_book_at',
    times: 500,
    sql: 'select bid_price, bid_quantity, ask_price, ask_quantity, mid, spread from market.top_of_book_at($1, $2)',
    values: here,
    isRight: ([row], { book }) => {
      const [bid, ask] = [book.bids[0], book.asks[0]]
      if (row === undefined || bid === undefined || ask === undefined) return false
      const [bidPrice, askPrice] = [exact(bid[0]), exact(ask[0])]
      return (
        row.slice(0, 4).join() === [...bid, ...ask].join() &&
        2n * exact(row[4]) === bidPrice + askPrice &&
        exact(row[5]) === askPrice - bidPrice
      )
    },
  },
  {
    name: 'microprice_at',
    times: 500,
    sql: 'select market.microprice_at($1, $2)',
    values: here,
    isRight: ([row], { book }) => {
      const [bid = ['0', '0'], ask = ['0', '0']] = [book.bids[0], book.asks[0]]
      const [bidQuantity, askQuantity] = [exact(bid[1]), exact(ask[1])]
      const weighed = exact(bid[0]) * askQuantity + exact(ask[0]) * bidQuantity
      return exact(row?.[0]) === rounded(weighed, bidQuantity + askQuantity)
    },
  },
  {
    name: 'fill_cost_at, through five levels',
    times: 500,
    sql: `select f.* from (select sum(quantity) as wanted from market.book_at($1, $2, 5) where side = 'ask') five
      cross join lateral market.fill_cost_at($1, $2, 'buy', five.wanted) f`,
    values: here,
    isRight: ([row], { book }) => {
      const taken = book.asks.slice(0, 5)
      const filled = taken.reduce((sum, [, quantity]) => sum + exact(quantity), 0n)
      const paid = taken.reduce((sum, [price, quantity]) => sum + exact(price) * exact(quantity), 0n)
      return (
        exact(row?.[0]) === filled &&
        exact(row?.[1]) === rounded(paid, filled) &&
        row?.[2] === taken.at(-1)?.[0] &&
        row?.[3] === String(taken.length)
      )
    },
  },
  {
    name: 'depth_within, 10 basis points',
    times: 500,
    sql: `select bid_quantity, bid_notional, bid_levels, ask_quantity, ask_notional, ask_levels
      from market.depth_within($1, $2, 10)`,
    values: here,
    isRight: ([row], { book }) => {
      const twiceMid = exact(book.bids[0]?.[0]) + exact(book.asks[0]?.[0])
      const near = [
        book.bids.filter(([price]) => 2_000n * exact(price) >= twiceMid * 999n),
        book.asks.filter(([price]) => 2_000n * exact(price) <= twiceMid * 1_001n),
      ]
      const expected = near.flatMap((levels) => [
        levels.reduce((sum, [, quantity]) => sum + exact(quantity), 0n),
        levels.reduce((sum, [price, quantity]) => sum + exact(price) * exact(quantity), 0n) / ONE,
        BigInt(levels.length) * ONE,
      ])
      return row?.every((value, i) => exact(value) === expected[i]) === true
    },
  },
  {
    name: 'book_at_update, ten levels',
    times: 100,
    lookup: `select $1, epoch_id, update_id
      from market.book_between($1, $2, $2::timestamptz + interval '1 microsecond', 1) order by update_id desc limit 1`,
    sql: 'select side, price, quantity from market.book_at_update($1, $2, $3, 10)',
    values: here,
    isRight: (rows, truth) => sameLevels(rows, truth, 10),
  },
  {
    name: 'book_between, a minute before, every change of the best ten',
    times: 100,
    sql: `select bid_prices, bid_quantities, ask_prices, ask_quantities
      from market.book_between($1, $2::timestamptz - interval '1 minute', $2::timestamptz + interval '1 microsecond', 10)`,
    values: here,
    isRight: (rows, truth) => lastRowIs(rows.at(-1), truth, 10),
  },
  {
    name: 'book_between, ten minutes before, the best ten every second',
    times: 50,
    sql: `select bid_prices, bid_quantities, ask_prices, ask_quantities
      from market.book_between($1, $2::timestamptz - interval '10 minutes', $2::timestamptz + interval '1 microsecond', 10, '1 second')`,
    values: here,
    isRight: (rows, truth) => lastRowIs(rows.at(-1), truth, 10),
  },
  {
    name: 'changes_between, a minute',
    times: 100,
    sql: `select update_id, side, price, quantity from market.changes_between($1, $2::timestamptz - interval '1 minute', $2)
      where not is_snapshot`,
    values: here,
    isRight: (rows, { lastMinute }) => rows.map((row) => row.join()).join(';') === lastMinute.join(';'),
  },
  {
    name: 'bars, the whole recording by minutes',
    times: 50,
    sql: `select to_char(bucket at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI'), open, high, low, close, volume, notional, trade_count
      from market.bars($1, '1 minute', $2, $3)`,
    values: ({ symbol }, { from, to }) => [symbol, from, to],
    isRight: (rows, { symbol }, day) => areTrueBars(rows, day.tradesOf.get(symbol) ?? []),
  },
  {
    name: 'coverage, the whole recording but its first and last minute',
    times: 50,
    sql: `select state from market.coverage($1, 'v1', $2::timestamptz + interval '1 minute', $3::timestamptz - interval '1 minute')`,
    values: ({ symbol }, { from, to }) => [symbol, from, to],
    isRight: (rows) => rows.map((row) => row.join()).join(';') === 'live',
  },
  {
    name: 'quotes_between, an hour',
    times: 50,
    sql: `select count(*) from market.quotes_between($1, ${HOUR}, ${HOUR} + interval '1 hour')`,
    values: hour,
  },
  {
    name: 'order_flow_imbalance, an hour by minutes',
    times: 50,
    sql: `select count(*) from market.order_flow_imbalance($1, '1 minute', ${HOUR}, ${HOUR} + interval '1 hour')`,
    values: hour,
  },
  {
    name: 'quoted_spread, an hour by minutes',
    times: 50,
    sql: `select count(*) from market.quoted_spread($1, '1 minute', ${HOUR}, ${HOUR} + interval '1 hour')`,
    values: hour,
  },
  {
    name: 'realised_spread, an hour',
    times: 50,
    sql: `select count(*) from market.realised_spread($1, ${HOUR}, ${HOUR} + interval '1 hour', '10 seconds')`,
    values: hour,
  },
  {
    name: 'top_of_book_at, 10,000 instants by a lateral join',
    times: 1,
    sql: `select count(*) from generate_series(0, 9999) n
      cross join lateral market.top_of_book_at($1, $2::timestamptz + n * ($3::timestamptz - $2::timestamptz) / 10000)`,
    values: (_, { symbols, from, to }) => [symbols[0] ?? '', from, to],
  },
]

/** Functions held against each other: SQL that counts the rows in which they differ. */
export function differences(day: RecordedDay): readonly (readonly [what: string, sql: string, values: string[]])[] {
  const symbol = day.symbols[0] ?? ''
  const middle = day.truths[Math.floor(day.truths.length / 2)]?.at ?? day.from
  return [
    [
      'quotes that are not the top of the book, of an hour’s every second',
      `select count(*)
       from market.book_between($1, $2::timestamptz - interval '30 minutes', $2::timestamptz + interval '30 minutes', 1, '1 second') b
       left join market.quotes_between($1, $2::timestamptz - interval '30 minutes', $2::timestamptz + interval '30 minutes') q
         on b.book_time >= q.known_from and b.book_time < q.known_until
       where (b.bid_prices[1], b.bid_quantities[1], b.ask_prices[1], b.ask_quantities[1])
         is distinct from (q.bid_price, q.bid_quantity, q.ask_price, q.ask_quantity)`,
      [symbol, middle],
    ],
    [
      'order flow of an hour that does not follow from the top of the book after each message',
      `with tops as (
         select book_time, bid_prices[1] as b, bid_quantities[1] as bq, ask_prices[1] as a, ask_quantities[1] as aq,
           lag(bid_prices[1]) over w as b0, lag(bid_quantities[1]) over w as bq0,
           lag(ask_prices[1]) over w as a0, lag(ask_quantities[1]) over w as aq0
         from market.book_between($1, date_trunc('hour', $2::timestamptz), date_trunc('hour', $2::timestamptz) + interval '1 hour', 1)
         window w as (order by book_time_ns, update_id)
       ),
       flows as (
         select date_trunc('minute', book_time) as bucket, sum(
           case when b > b0 then bq when b = b0 then bq - bq0 else -bq0 end
           - case when a < a0 then aq when a = a0 then aq - aq0 else -aq0 end) as flow
         from tops where b is not null and b0 is not null group by 1
       )
       select count(*)
       from market.order_flow_imbalance($1, '1 minute', date_trunc('hour', $2::timestamptz), date_trunc('hour', $2::timestamptz) + interval '1 hour') o
       full join flows f using (bucket)
       where o.order_flow_imbalance is distinct from f.flow and not (o.quote_count = 0 and f.flow is null)`,
      [symbol, middle],
    ],
    [
      'minutes of an hour whose quoted spread does not follow from how long each top of the book stood',
      `with tops as (
         select book_time, ask_prices[1] - bid_prices[1] as spread, (ask_prices[1] + bid_prices[1]) / 2 as mid,
           lead(book_time, 1, date_trunc('hour', $2::timestamptz) + interval '1 hour') over (order by book_time_ns, update_id) as until
         from market.book_between($1, date_trunc('hour', $2::timestamptz), date_trunc('hour', $2::timestamptz) + interval '1 hour', 1)
       ),
       pieces as (
         select bucket, t.spread, t.mid,
           extract(epoch from least(t.until, bucket + interval '1 minute') - greatest(t.book_time, bucket)) as seconds
         from generate_series(date_trunc('hour', $2::timestamptz), date_trunc('hour', $2::timestamptz) + interval '59 minutes', '1 minute') bucket
         join tops t on t.book_time < bucket + interval '1 minute' and t.until > greatest(bucket, t.book_time)
       ),
       minutes as (
         select bucket, round(sum(spread * seconds) / 60, 9) as spread, round(sum(mid * seconds) / 60, 9) as mid,
           min(spread) as least, max(spread) as most, sum(seconds) as seconds
         from pieces group by 1
       )
       select count(*)
       from market.quoted_spread($1, '1 minute', date_trunc('hour', $2::timestamptz), date_trunc('hour', $2::timestamptz) + interval '1 hour') s
       full join minutes m using (bucket)
       where (round(s.time_weighted_spread, 9), round(s.time_weighted_mid, 9), s.min_spread, s.max_spread, s.known_seconds, s.complete)
         is distinct from (m.spread, m.mid, m.least, m.most, m.seconds, true)`,
      [symbol, middle],
    ],
    [
      'trades of ten minutes whose realised spread does not follow from the mids before and 10 seconds after',
      `with quotes as materialized (
         select event_time_ns, update_id, mid
         from market.quotes_between($1, $2::timestamptz - interval '1 minute', $2::timestamptz + interval '11 minutes')
       ),
       mids as (
         select t.trade_id, t.price, case t.taker_side when 'buy' then 2 when 'sell' then -2 end as twice,
           (select q.mid from quotes q where q.event_time_ns < t.event_time_ns - t.event_time_ns % 1000000
            order by q.event_time_ns desc, q.update_id desc limit 1) as before,
           (select q.mid from quotes q where q.event_time_ns <= t.event_time_ns + 10000000000
            order by q.event_time_ns desc, q.update_id desc limit 1) as after
         from market.trades t
         where t.symbol = $1 and t.event_time >= $2::timestamptz and t.event_time < $2::timestamptz + interval '10 minutes' and not t.broken
       )
       select count(*) + case when (select count(*) from mids) = 0 then 1 else 0 end
       from market.realised_spread($1, $2, $2::timestamptz + interval '10 minutes', '10 seconds') r
       full join mids m using (trade_id)
       where (r.mid_before, r.mid_after, r.effective_spread, r.realised_spread)
         is distinct from (m.before, m.after, m.twice * (m.price - m.before), m.twice * (m.price - m.after))`,
      [symbol, middle],
    ],
  ]
}

/** Each minute of the day, also those without a trade. */
function areTrueBars(rows: Rows, trades: readonly TrueTrade[]): boolean {
  const minutes = new Map<string, TrueTrade[]>()
  for (const trade of trades) {
    const minute = new Date(Number(trade.eventTimeNs / 1_000_000n)).toISOString().slice(0, 'YYYY-MM-DDTHH:MM'.length)
    const known = minutes.get(minute)
    if (known === undefined) minutes.set(minute, [trade])
    else known.push(trade)
  }
  return (
    rows.every(([bucket, open, high, low, close, volume, notional, count]) => {
      const made = minutes.get(bucket ?? '') ?? []
      minutes.delete(bucket ?? '')
      if (made.length === 0) return open === null && close === null && exact(volume) === 0n && count === '0'
      const prices = made.map(({ price }) => exact(price))
      const [least, most] = prices.reduce(
        ([a, b], price) => [price < a ? price : a, price > b ? price : b],
        [prices[0] ?? 0n, prices[0] ?? 0n],
      )
      return (
        exact(open) === prices[0] &&
        exact(high) === most &&
        exact(low) === least &&
        exact(close) === prices.at(-1) &&
        exact(volume) === made.reduce((sum, { quantity }) => sum + exact(quantity), 0n) &&
        exact(notional) === made.reduce((sum, { price, quantity }) => sum + exact(price) * exact(quantity), 0n) / ONE &&
        count === String(made.length)
      )
    }) && minutes.size === 0
  )
}

/** Decimals as whole numbers of 10^-36, and quotients rounded there, halves up: what docs/data.md promises. */
const DIGITS = 36
const ONE = 10n ** BigInt(DIGITS)

function exact(text: string | null | undefined): bigint {
  const [whole = '0', fraction = ''] = (text ?? '-1').split('.')
  return BigInt(`${whole}${fraction.padEnd(DIGITS, '0')}`)
}

const rounded = (dividend: bigint, divisor: bigint): bigint => (2n * dividend + divisor) / (2n * divisor)

function sameLevels(rows: Rows, { book }: Truth, depth: number): boolean {
  const expected = [
    ...book.bids.slice(0, depth).map(([p, q]) => `bid,${p},${q}`),
    ...book.asks.slice(0, depth).map(([p, q]) => `ask,${p},${q}`),
  ]
  return rows.map((row) => row.join()).join(';') === expected.join(';')
}

function lastRowIs(row: readonly (string | null)[] | undefined, { book }: Truth, depth: number): boolean {
  const column = (of: Truth['book']['bids'], part: 0 | 1): string =>
    `{${of
      .slice(0, depth)
      .map((level) => level[part])
      .join()}}`
  return row?.join() === [column(book.bids, 0), column(book.bids, 1), column(book.asks, 0), column(book.asks, 1)].join()
}
