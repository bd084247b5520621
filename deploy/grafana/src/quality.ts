import { dashboard } from './dashboard.ts'
import { bars, lines, MAX_BARS, number, plainNumber, rows } from './panels.ts'
import { added, FROM, metric, now, over, STEP, sql, UNTIL } from './queries.ts'

const MESSAGES_OF_AN_HOUR = `sum(increase(${metric.messages}[1h]))`
const perMillion = (counter: string): string => `1000000 * (${added(counter, '1h')}) / ${MESSAGES_OF_AN_HOUR}`

/** Is what is recorded right, and how much of it is there? */
export const quality = dashboard({
  name: 'quality',
  title: 'Quality',
  says: 'Is what is recorded right and whole? Audits against the venue, coverage and gaps, oddities in a million messages, trades.',
  from: 'now-24h',
  refresh: '1m',
  rows: [
    {
      title: 'Audits: is it right?',
      panels: [
        number(
          {
            title: 'Audits that differed, last hour',
            says: 'Comparisons in which the venue had another book than we. Such a book is taken anew, and the time since it was last proven right becomes a gap of cause divergence. 0 is right.',
            alerts: ['BooktapeAuditDifferent'],
            unit: 'count',
            width: 6,
            queries: [now(added(`${metric.audits}{result="different"}`, '1h'))],
          },
          1,
          1,
        ),
        plainNumber({
          title: 'Levels compared',
          says: 'Price levels compared with the venue\u2019s, or between the feeds, within the range. The more, the better it is known that the rest is right.',
          none: 'None',
          unit: 'thousands',
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
            says: 'Since a snapshot or an audit last said that the whole book is the venue\u2019s, of the live book of each feed that waits longest. About four minutes are right. In a storm of the market it may be more.',
            alerts: ['BooktapeBookNotAudited'],
            unit: 'seconds',
            width: 12,
            queries: [over(`max by (feed) (${metric.bookProvenAge})`, '{{feed}}')],
          },
          { min: 0, limit: 1_800 },
        ),
        rows({
          title: 'Audits by method',
          says: 'Within the range. What each method compares, docs/data.md says under market.audits.',
          none: 'No audit in this range.',
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
          title: 'Audits that differed, newest first',
          says: 'Within the range, 50 at most. Once in weeks is a message that the venue lost; again and again is a defect to report.',
          alerts: ['BooktapeAuditDifferent'],
          none: 'Every audit was equal.',
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
      title: 'Coverage and gaps: is it whole?',
      panels: [
        bars(
          {
            title: 'Coverage of the range, the worst first',
            says: `The share of the time in which a book was live on at least one line, since it was first recorded. 100 % is right; ${MAX_BARS} books at most.`,
            none: 'Nothing was recorded in this range.',
            unit: 'share',
            decimals: 3,
            width: 12,
            height: 10,
            queries: [
              sql(
                'table',
                `select symbol || ' ' || feed as book,
                        (coalesce(extract(epoch from sum(to_time - from_time) filter (where state = 'live')), 0)
                          / extract(epoch from sum(to_time - from_time)))::float8 as coverage
                 from (select distinct symbol, feed from market.epochs) as books
                 cross join lateral market.coverage(symbol, feed, ${FROM}, ${UNTIL})
                 where state <> 'off' and to_time > from_time group by 1 order by coverage limit ${MAX_BARS}`,
              ),
            ],
          },
          0.9999,
          0.999,
          1,
        ),
        lines(
          {
            title: 'Gaps that began, by cause',
            says: 'Of books and trades, on every line. stopped is a deployment; docs/data.md lists the causes under market.gaps.',
            none: 'No gap began in this range.',
            unit: 'count',
            interval: '1m',
            width: 12,
            height: 10,
            queries: [
              sql(
                'time_series',
                `select date_bin(${STEP}, started_at, 'epoch') as time, cause as metric, count(*) as value
                 from market.gaps where started_at between ${FROM} and ${UNTIL} group by 1, 2 order by 1`,
              ),
            ],
          },
          { bars: true, stacked: true, min: 0 },
        ),
        rows({
          title: 'Time missing, by book and cause',
          says: 'Seconds within the range, the longest first. Every line counts by itself: what another line has is missing nowhere, and the coverage says so.',
          none: 'Nothing is missing in this range.',
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
          title: 'Quarantine, newest first',
          says: 'Messages that could not be read, or rows that the database refused, and how each begins. One that comes again and again is a message of the venue that booktape does not know yet.',
          alerts: ['BooktapeQuarantine'],
          none: 'Nothing was quarantined in this range.',
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
      title: 'In a million messages: is it as usual?',
      panels: [
        lines(
          {
            title: 'Gaps, resyncs, quarantined, in a million messages',
            says: 'Of the last hour. It does not grow with the market: what rises here is a change in quality.',
            unit: 'count',
            width: 12,
            queries: [
              over(perMillion(metric.gaps), 'gaps'),
              over(perMillion(metric.resyncs), 'resyncs'),
              over(perMillion(metric.quarantined), 'quarantined'),
            ],
          },
          { min: 0 },
        ),
        lines(
          {
            title: 'Odd but harmless, in a million messages',
            says: 'Of the last hour, by kind. A steady height is normal; a kind that jumps by itself may be a change of the venue\u2019s protocol.',
            unit: 'count',
            width: 12,
            queries: [
              over(
                `1000000 * (${added(metric.anomalies, '1h', 'anomaly')}) / on () group_left () ${MESSAGES_OF_AN_HOUR}`,
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
            title: 'Trades by source',
            says: 'Each trade once, by who brought it first. v1 and ws are live; rest means that it was found only when trades were read again.',
            none: 'No trade in this range.',
            unit: 'count',
            interval: '1m',
            width: 12,
            queries: [
              sql(
                'time_series',
                `select date_bin(${STEP}, event_time, 'epoch') as time, source as metric, count(*) as value
                 from market.trades where event_time between ${FROM} and ${UNTIL} group by 1, 2 order by 1`,
              ),
            ],
          },
          { bars: true, stacked: true, min: 0 },
        ),
        lines(
          {
            title: 'Since trades were read again',
            says: 'By recorder, of the symbol that waits longest. Reading again from REST fills gaps of trades and finds lost ones. A minute is right for 20 symbols, ten for hundreds.',
            alerts: ['BooktapeTradesNotRead'],
            unit: 'seconds',
            width: 6,
            queries: [over(`max by (instance) (${metric.tradesReadAge})`, '{{instance}}')],
          },
          { min: 0, limit: 1_800 },
        ),
        number(
          {
            title: 'Gaps to fill',
            says: 'Gaps of trades that are over, and that REST has not filled yet. They should be gone within minutes.',
            alerts: ['BooktapeTradesNotRead'],
            unit: 'count',
            width: 2,
            height: 8,
            queries: [now(`sum(${metric.tradesUnfilled})`)],
          },
          10,
          1_000,
        ),
        number(
          {
            title: 'Lost for good',
            says: 'Gaps of trades of the last hour that REST could not fill. Another line may have those trades. 0 is right.',
            alerts: ['BooktapeTradesLost'],
            unit: 'count',
            width: 2,
            height: 8,
            queries: [now(added(`${metric.tradesSettled}{state="unfillable"}`, '1h'))],
          },
          1,
          1,
        ),
        number(
          {
            title: 'Conflicts',
            says: 'Trades that came again in the last hour with another price, quantity or side. The first stands. 0 is right.',
            alerts: ['BooktapeTradeConflict'],
            unit: 'count',
            width: 2,
            height: 8,
            queries: [now(added(metric.tradeConflicts, '1h'))],
          },
          1,
          1,
        ),
      ],
    },
  ],
})
