import {
  CustomVariableBuilder,
  QueryVariableBuilder,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard'
import { dashboard } from './dashboard.ts'
import { COVERAGE_STATES, candles, lines, rows, states } from './panels.ts'
import { FEED, FROM, metric, over, POSTGRES, STEP, SYMBOL, sql, UNTIL } from './queries.ts'

/** Instants at which books are asked for, over the whole range: each is a book made from its last snapshot. */
const LOOKS = 60

const spreadSql = `from market.quoted_spread(${SYMBOL}, ${STEP}, ${FROM}, ${UNTIL}, ${FEED})`
const barsSql = `from market.bars(${SYMBOL}, ${STEP}, ${FROM}, ${UNTIL})`
/** A symbol goes into PromQL as it is: they are letters and digits. */
const ofSymbol = (name: string): string => `${name}{symbol="$symbol"}`

const NOT_KNOWN = 'Nothing is known of this range.'
const NO_TRADES = 'No trade in this range.'

/** One symbol on one time axis, read from the database: what backtests will see. */
export const symbol = dashboard({
  name: 'symbol',
  title: 'Symbol',
  says: 'One symbol on one time axis, as the database has it and a backtest will see it: coverage, prices, spread, depth, trades, gaps.',
  from: 'now-1h',
  refresh: '1m',
  variables: [
    new QueryVariableBuilder('symbol')
      .label('Symbol')
      .datasource(POSTGRES)
      .query('select distinct symbol from market.instruments order by symbol')
      .refresh(VariableRefresh.OnDashboardLoad)
      .sort(VariableSort.AlphabeticalAsc),
    new CustomVariableBuilder('feed')
      .label('Feed')
      .values('ws,v1')
      .current({ text: 'ws', value: 'ws', selected: true }),
  ],
  rows: [
    {
      title: 'What is known',
      panels: [
        states(
          {
            title: 'Coverage of both feeds, over all lines',
            says: 'Green: the book is proven to have no hole. Red: a gap that every line has. Grey: not recorded. Below a red stretch nothing is drawn of that feed.',
            none: NOT_KNOWN,
            width: 24,
            height: 5,
            queries: ['ws', 'v1'].map((feed) =>
              sql(
                'table',
                `select from_time as time, state as ${feed} from market.coverage(${SYMBOL}, '${feed}', ${FROM}, ${UNTIL}) order by from_time`,
              ),
            ),
          },
          COVERAGE_STATES,
        ),
      ],
    },
    {
      title: 'Prices',
      panels: [
        candles({
          title: 'Trade prices and volume',
          says: 'Open, high, low and close of the trades of each step in the quote currency, and below them the volume in the base currency. Trades that the venue withdrew do not count.',
          none: NO_TRADES,
          interval: '1m',
          width: 24,
          queries: [
            sql(
              'table',
              `select bucket as time, open, high, low, close, volume ${barsSql} where open is not null order by bucket`,
            ),
          ],
        }),
        lines({
          title: 'Best bid and ask',
          says: 'In the quote currency, averaged over the time of each step. Nothing is drawn where the book is not known.',
          none: NOT_KNOWN,
          interval: '1s',
          width: 12,
          queries: [
            sql(
              'table',
              `select bucket as time, time_weighted_mid - time_weighted_spread / 2 as bid,
                      time_weighted_mid + time_weighted_spread / 2 as ask
               ${spreadSql} order by bucket`,
            ),
          ],
        }),
        lines({
          title: 'Spread',
          says: 'Best ask less best bid in the quote currency: averaged over the time of each step, narrowest and widest. Below zero the book is crossed: bids above asks.',
          none: NOT_KNOWN,
          interval: '1s',
          width: 12,
          queries: [
            sql(
              'table',
              `select bucket as time, time_weighted_spread as average, min_spread as narrowest, max_spread as widest ${spreadSql} order by bucket`,
            ),
          ],
        }),
      ],
    },
    {
      title: 'Depth and flow',
      panels: [
        lines(
          {
            title: 'Depth within 10 basis points of the mid',
            says: `What rests on each side within 0.1 % of the mid, in the quote currency: what a larger order would meet. ${LOOKS} looks over the range.`,
            none: NOT_KNOWN,
            unit: 'thousands',
            width: 12,
            queries: [
              sql(
                'table',
                `select at as time, bid_notional as bids, ask_notional as asks
                 from generate_series(${FROM}, ${UNTIL}, (${UNTIL} - ${FROM}) / ${LOOKS}) as at
                 cross join lateral market.depth_within(${SYMBOL}, at, 10, ${FEED}) order by at`,
              ),
            ],
          },
          { min: 0 },
        ),
        lines(
          {
            title: 'Order flow imbalance',
            says: 'What came to the best bid and left the best ask, less the reverse, in the base currency. Above zero buyers push, below it sellers.',
            none: NOT_KNOWN,
            interval: '10s',
            width: 12,
            queries: [
              sql(
                'table',
                `select bucket as time, order_flow_imbalance as imbalance
                 from market.order_flow_imbalance(${SYMBOL}, ${STEP}, ${FROM}, ${UNTIL}, ${FEED}) order by bucket`,
              ),
            ],
          },
          { bars: true },
        ),
        lines(
          {
            title: 'Volume by taker',
            says: 'Traded quantity of each step in the base currency, by who took liquidity: buy, sell, or nobody (auction, block).',
            none: NO_TRADES,
            interval: '1m',
            width: 12,
            queries: [
              sql(
                'time_series',
                `select date_bin(${STEP}, event_time, 'epoch') as time, taker_side as metric, sum(quantity) as value
                 from market.trades where symbol = ${SYMBOL} and event_time between ${FROM} and ${UNTIL} and not broken
                 group by 1, 2 order by 1`,
              ),
            ],
          },
          { bars: true, stacked: true, min: 0 },
        ),
        lines(
          {
            title: 'Price levels set',
            says: 'Changes of the book a second, by feed, as the busiest line counted them. v1 tells each event by itself, ws the sum of 100 ms.',
            unit: 'perSecond',
            width: 6,
            queries: [over(`max by (feed) (rate(${ofSymbol(metric.changes)}[$__rate_interval]))`, '{{feed}}')],
          },
          { min: 0 },
        ),
        lines(
          {
            title: 'Price levels in the book',
            says: 'By feed and side. Both feeds should tell the same. A side that falls to nothing was withdrawn at the venue.',
            unit: 'thousands',
            width: 6,
            queries: [over(`max by (feed, side) (${ofSymbol(metric.bookLevels)})`, '{{feed}} {{side}}')],
          },
          { min: 0 },
        ),
      ],
    },
    {
      title: 'At the end of the range',
      panels: [
        rows({
          title: 'Book',
          says: 'The best 20 price levels of each side as of the end of the range. Inside a gap there is an error instead, which names the gap.',
          width: 10,
          height: 12,
          queries: [
            sql(
              'table',
              `select max(quantity) filter (where side = 'bid') as "bid quantity", max(price) filter (where side = 'bid') as bid,
                      max(price) filter (where side = 'ask') as ask, max(quantity) filter (where side = 'ask') as "ask quantity"
               from market.book_at(${SYMBOL}, ${UNTIL}, 20, ${FEED}) group by level order by level`,
            ),
          ],
        }),
        rows({
          title: 'Last trades',
          says: 'The last 100 of the range, each once, whichever feed had it first (source). rest: found when trades were read again.',
          none: NO_TRADES,
          width: 14,
          height: 12,
          queries: [
            sql(
              'table',
              `select event_time, price, quantity, taker_side, source, line, trade_id::text, broken from market.trades
               where symbol = ${SYMBOL} and event_time between ${FROM} and ${UNTIL} order by event_time_ns desc limit 100`,
            ),
          ],
        }),
        rows({
          title: 'Gaps',
          says: 'All that touch the range, of both feeds and every line. One that another line fills is no red stretch above. docs/data.md explains the causes under market.gaps.',
          none: 'No gap in this range.',
          width: 24,
          height: 8,
          queries: [
            sql(
              'table',
              `select started_at, ended_at, round(extract(epoch from coalesce(ended_at, now()) - started_at), 3) as seconds, feed, line, stream, cause, state, from_id::text, to_id::text
               from market.gaps where symbol = ${SYMBOL} and started_at <= ${UNTIL} and coalesce(ended_at, 'infinity') >= ${FROM}
               order by started_at desc limit 200`,
            ),
          ],
        }),
      ],
    },
  ],
})
