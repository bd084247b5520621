import { dashboard } from './dashboard.ts'
import { lines, plainNumber, rows } from './panels.ts'
import { FROM, STEP, sql, UNTIL } from './queries.ts'

/** By powers of ten of what was to be bought or sold, as 0.1 or 10. */
const SIZE = 'trim_scale(power(10::numeric, floor(log(quantity))))'
const IN_RANGE = `received_time between ${FROM} and ${UNTIL}`

/** What were the instant quotes worth that an account was offered? */
export const quotes = dashboard({
  name: 'quotes',
  title: 'Instant quotes',
  says: 'What were the instant quotes worth that an account was offered? Their premium over the recorded book: by hour, size and volatility. Empty where "booktape account" asks for none.',
  from: 'now-24h',
  refresh: '1m',
  rows: [
    {
      title: 'Premium over the book',
      panels: [
        plainNumber({
          title: 'Quotes',
          says: 'Offered within the range, on every symbol.',
          unit: 'thousands',
          width: 6,
          queries: [sql('table', `select count(*) as quotes from market.instant_quotes where ${IN_RANGE}`)],
        }),
        plainNumber({
          title: 'Average premium, in basis points',
          says: 'Over what the book that was recorded at the same instant would have paid for the same quantity. Below zero, quotes were better than the book.',
          none: 'No book to compare',
          decimals: 1,
          width: 6,
          queries: [
            sql('table', `select avg(premium_bps)::float8 as premium from market.instant_quotes where ${IN_RANGE}`),
          ],
        }),
        plainNumber({
          title: 'With fees',
          says: 'The same with the fees in the price, where they are in the currency of the price.',
          none: 'No book to compare',
          decimals: 1,
          width: 6,
          queries: [
            sql(
              'table',
              `select avg(premium_with_fee_bps)::float8 as premium from market.instant_quotes where ${IN_RANGE}`,
            ),
          ],
        }),
        plainNumber({
          title: 'Without a book',
          says: 'Quotes of the range that no recorded book answers: there was a gap, or the book does not hold the quantity. Those whose instant is not stored yet are not among them.',
          unit: 'thousands',
          width: 6,
          queries: [
            sql(
              'table',
              `select count(*) as quotes from market.instant_quotes where ${IN_RANGE} and book_state <> 'pending' and premium_bps is null`,
            ),
          ],
        }),
        lines({
          title: 'Premium, by symbol and side',
          says: 'In basis points, averaged over each step. It grows when the market moves fast, and with the quantity.',
          none: 'No quote was offered in this range.',
          interval: '1m',
          width: 24,
          queries: [
            sql(
              'time_series',
              `select date_bin(${STEP}, received_time, 'epoch') as time, symbol || ' ' || side as metric, avg(premium_bps)::float8 as value
               from market.instant_quotes where ${IN_RANGE} and premium_bps is not null group by 1, 2 order by 1`,
            ),
          ],
        }),
        rows({
          title: 'By hour of the day, UTC',
          says: 'Average premium in basis points within the range. An hour that is worse every day is one to stay away from.',
          none: 'No quote was offered in this range.',
          width: 8,
          queries: [
            sql(
              'table',
              `select symbol, extract(hour from received_time at time zone 'UTC')::integer as hour, count(*) as quotes,
                      round(avg(premium_bps), 1) as premium_bps, round(avg(premium_with_fee_bps), 1) as with_fee_bps
               from market.instant_quotes where ${IN_RANGE} and premium_bps is not null group by 1, 2 order by 1, 2`,
            ),
          ],
        }),
        rows({
          title: 'By size',
          says: 'Average premium in basis points, by the power of ten of the quantity, in the base currency.',
          none: 'No quote was offered in this range.',
          width: 8,
          queries: [
            sql(
              'table',
              `select symbol, side, ${SIZE} as at_least, count(*) as quotes, round(avg(premium_bps), 1) as premium_bps,
                      round(avg(premium_with_fee_bps), 1) as with_fee_bps
               from market.instant_quotes where ${IN_RANGE} and premium_bps is not null group by 1, 2, 3 order by 1, 2, 3`,
            ),
          ],
        }),
        rows({
          title: 'By volatility',
          says: 'Average premium in basis points, by how far trades of the same minute ranged, in basis points rounded down to a power of two. No value: nothing was traded in that minute.',
          none: 'No quote was offered in this range.',
          width: 8,
          queries: [
            sql(
              'table',
              `select q.symbol, power(2, floor(log(2, nullif(r.range_bps, 0))))::integer as range_bps, count(*) as quotes,
                      round(avg(q.premium_bps), 1) as premium_bps
               from market.instant_quotes q
               left join lateral (
                 select (max(t.price) - min(t.price)) / min(t.price) * 10000 as range_bps from market.trades t
                 where t.symbol = q.symbol and t.event_time >= date_trunc('minute', q.received_time)
                   and t.event_time < date_trunc('minute', q.received_time) + interval '1 minute') r on true
               where q.${IN_RANGE} and q.premium_bps is not null group by 1, 2 order by 1, 2`,
            ),
          ],
        }),
      ],
    },
  ],
})
