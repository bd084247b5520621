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

/** One symbol on one time axis, read from the database: what backtests will see. */
export const symbol = dashboard({
  name: 'symbol',
  title: 'Symbol',
  says: 'One symbol on one time axis, as the database has it: gaps, prices, spread, depth, trades.',
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
            says: 'Green: the book is proven without a hole. Red: a gap that every line has. Grey: not recorded. What lies below a red stretch is not drawn.',
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
          title: 'Trades',
          says: 'Open, high, low and close of each step, and the volume. Broken trades do not count.',
          width: 24,
          queries: [
            sql(
              'table',
              `select bucket as time, open, high, low, close, volume ${barsSql} where open is not null order by bucket`,
            ),
          ],
        }),
        lines({
          title: 'Best prices',
          says: 'Best bid and ask, averaged over time within each step. Nothing is drawn where the book is not known.',
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
          says: 'Best ask less best bid in the quote currency: averaged over time, narrowest and widest. Below zero the book is crossed.',
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
            says: 'What rests on each side close to the mid, in the quote currency: what a larger order would meet.',
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
            says: 'What came to the best bid and left the best ask, less the reverse, in the base currency. Above zero buyers push.',
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
            says: 'Traded quantity of each step in the base currency, by who took it.',
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
            title: 'Levels set a second',
            says: 'How much the book moves, by feed, counted by the recorders. v1 tells each event, ws the sum of 100 ms.',
            unit: 'cps',
            width: 12,
            queries: [over(`max by (feed) (rate(${metric.changes}{symbol="$symbol"}[$__rate_interval]))`, '{{feed}}')],
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
          says: 'The best 20 levels as of the end of the range. Inside a gap there is an error instead, which names the gap.',
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
          title: 'Trades',
          says: 'The last 100 of the range, whichever feed had them first. `rest`: found when reading again.',
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
          says: 'All that touch the range, of both feeds and every line. One that another line fills is no red stretch above.',
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
