import { dashboard } from './dashboard.ts'
import { bars, lines, number, plainNumber, rows } from './panels.ts'
import { FROM, metric, now, over, sql, UNTIL } from './queries.ts'

const perMillion = (events: string): string =>
  `1000000 * sum(increase(${events}[1h])) / sum(increase(${metric.messages}[1h]))`

/** Is what is recorded right, and how much of it is there? */
export const quality = dashboard({
  name: 'quality',
  title: 'Quality',
  says: 'Is what is recorded right and whole? Audits against the venue, gaps, coverage, and what is odd in a million messages.',
  from: 'now-24h',
  refresh: '1m',
  rows: [
    {
      title: 'Audits',
      panels: [
        number(
          {
            title: 'Different',
            says: 'Audits of the last hour in which the venue had another book than we. Such a book is taken anew, and the doubtful time is a gap.',
            unit: 'none',
            width: 6,
            queries: [now(`ceil(sum(increase(${metric.audits}{result="different"}[1h])))`)],
          },
          1,
          1,
        ),
        plainNumber({
          title: 'Levels compared',
          says: 'Within the range, with the venue\u2019s or between the feeds. The more, the better it is known that the rest is right.',
          unit: 'short',
          width: 6,
          queries: [
            sql(
              'table',
              `select sum(levels_compared) as levels from market.audits where audited_at between ${FROM} and ${UNTIL}`,
            ),
          ],
        }),
        lines(
          {
            title: 'Longest without proof',
            says: 'Of the live books of each feed: since an audit or a snapshot last said that the whole book is the venue\u2019s. About four minutes are right.',
            unit: 's',
            width: 12,
            queries: [over(`max by (feed) (${metric.bookProvenAge})`, '{{feed}}')],
          },
          { min: 0 },
        ),
        rows({
          title: 'Audits by method',
          says: 'Within the range. What each method compares, docs/data.md says under market.audits.',
          width: 12,
          queries: [
            sql(
              'table',
              `select feed, method, result, count(*) as audits, sum(levels_compared) as compared, sum(levels_different) as different,
                      max(audited_at) as last
               from market.audits where audited_at between ${FROM} and ${UNTIL} group by 1, 2, 3 order by 1, 2, 3`,
            ),
          ],
        }),
        rows({
          title: 'Newest differences',
          says: 'Empty is what should be here.',
          width: 12,
          queries: [
            sql(
              'table',
              `select audited_at, symbol, feed, line, method, update_id::text, levels_compared, levels_different
               from market.audits where result = 'different' and audited_at between ${FROM} and ${UNTIL}
               order by audited_at desc limit 50`,
            ),
          ],
        }),
      ],
    },
    {
      title: 'Coverage and gaps',
      panels: [
        bars(
          {
            title: 'Coverage of the range, the worst first',
            says: 'The share of the time since its first recording in which a book was live on at least one line.',
            unit: 'percentunit',
            width: 12,
            height: 10,
            queries: [
              sql(
                'table',
                `select symbol || ' ' || feed as book,
                        (extract(epoch from sum(to_time - from_time) filter (where state = 'live'))
                          / extract(epoch from sum(to_time - from_time)))::float8 as coverage
                 from (select distinct symbol, feed from market.epochs) as books
                 cross join lateral market.coverage(symbol, feed, ${FROM}, ${UNTIL})
                 where state <> 'off' group by 1 order by coverage nulls first limit 40`,
              ),
            ],
          },
          0.9999,
          0.999,
        ),
        lines(
          {
            title: 'Gaps that began, by cause',
            says: 'Of books and trades, on any line, each once. stopped is a deployment.',
            unit: 'none',
            width: 12,
            height: 10,
            queries: [
              sql(
                'time_series',
                `select date_bin('$__interval'::interval, started_at, 'epoch') as time, cause as metric, count(*) as value
                 from market.gaps where started_at between ${FROM} and ${UNTIL} group by 1, 2 order by 1`,
              ),
            ],
          },
          { bars: true, stacked: true, min: 0 },
        ),
        rows({
          title: 'Time missing, by book and cause',
          says: 'Within the range, over all lines together: of two lines that miss the same minute, both count.',
          width: 12,
          queries: [
            sql(
              'table',
              `select symbol, feed, stream, cause, count(*) as gaps,
                      round(extract(epoch from sum(least(coalesce(ended_at, ${UNTIL}), ${UNTIL}) - greatest(started_at, ${FROM}))), 1) as seconds
               from market.gaps where started_at <= ${UNTIL} and coalesce(ended_at, 'infinity') >= ${FROM}
               group by 1, 2, 3, 4 order by seconds desc limit 100`,
            ),
          ],
        }),
        rows({
          title: 'Set aside',
          says: 'The newest messages in market.quarantine. Something that comes again and again is a message we do not know yet.',
          width: 12,
          queries: [
            sql(
              'table',
              `select received_time, feed, symbol, reason, left(encode(payload, 'escape'), 120) as begins
               from market.quarantine where received_time between ${FROM} and ${UNTIL} order by received_time desc limit 50`,
            ),
          ],
        }),
      ],
    },
    {
      title: 'In a million messages',
      panels: [
        lines(
          {
            title: 'Gaps, resyncs, quarantined',
            says: 'Of the last hour. It takes the size of the market out: what rises here is a change in quality.',
            unit: 'none',
            width: 12,
            queries: [
              over(perMillion(metric.gaps), 'gaps'),
              over(perMillion(metric.resyncs), 'books taken anew'),
              over(perMillion(metric.quarantined), 'quarantined'),
            ],
          },
          { min: 0 },
        ),
        lines(
          {
            title: 'Odd but harmless',
            says: 'Of the last hour, by kind. A kind that jumps by itself may be a change of the venue\u2019s protocol.',
            unit: 'none',
            width: 12,
            queries: [
              over(
                `1000000 * sum by (anomaly) (increase(${metric.anomalies}[1h])) / ignoring (anomaly) group_left () sum(increase(${metric.messages}[1h]))`,
                '{{anomaly}}',
              ),
            ],
          },
          { min: 0 },
        ),
      ],
    },
    {
      title: 'Trades',
      panels: [
        lines(
          {
            title: 'Trades by who brought them first',
            says: 'v1 and ws are live; rest means that a trade was found only when it was read again.',
            unit: 'none',
            width: 12,
            queries: [
              sql(
                'time_series',
                `select date_bin('$__interval'::interval, event_time, 'epoch') as time, source as metric, count(*) as value
                 from market.trades where event_time between ${FROM} and ${UNTIL} group by 1, 2 order by 1`,
              ),
            ],
          },
          { bars: true, stacked: true, min: 0 },
        ),
        lines(
          {
            title: 'Longest since trades were read again',
            says: 'By recorder. REST is what fills gaps of trades and finds lost ones; ten minutes are right where many symbols are recorded.',
            unit: 's',
            width: 6,
            queries: [over(`max by (instance) (${metric.tradesReadAge})`, '{{instance}}')],
          },
          { min: 0 },
        ),
        number(
          {
            title: 'Gaps that wait for REST',
            says: 'Gaps of trades that are over and not filled yet. They should be gone within minutes.',
            unit: 'none',
            width: 3,
            queries: [now(`sum(${metric.tradesUnfilled})`)],
          },
          10,
          1_000,
        ),
        number(
          {
            title: 'Gaps for good',
            says: 'Gaps of trades of the last hour that REST could not fill.',
            unit: 'none',
            width: 3,
            queries: [now(`ceil(sum(increase(${metric.tradesSettled}{state="unfillable"}[1h])))`)],
          },
          1,
          1,
        ),
      ],
    },
  ],
})
