import { dashboard } from './dashboard.ts'
import { bars, LIVE_OR_NOT, lines, number, plainNumber, rows, states } from './panels.ts'
import { metric, now, over, quantile, sql } from './queries.ts'

/** Is everything recorded? What is red here is what docs/operating.md speaks of. */
export const overview = dashboard({
  name: 'overview',
  title: 'Overview',
  says: 'Is everything recorded? All books, lines and the way into the database at one glance.',
  from: 'now-6h',
  refresh: '30s',
  rows: [
    {
      title: 'Now',
      panels: [
        number(
          {
            title: 'Coverage',
            says: 'The share of wanted books that are live on at least one line. Below 100 % something is being missed now.',
            unit: 'percentunit',
            width: 4,
            queries: [now('booktape:coverage:ratio')],
          },
          1,
          0.999,
        ),
        number(
          {
            title: 'Books not live',
            says: 'On no line. 0 is what should be here; which ones, the strips below say.',
            unit: 'none',
            width: 4,
            queries: [now(`sum(1 - max by (feed, symbol) (${metric.bookLive}))`)],
          },
          1,
          1,
        ),
        plainNumber({
          title: 'Lines and shards',
          says: 'Recorders that run, by line. Each line should have all shards.',
          unit: 'none',
          width: 4,
          queries: [now(`count by (line) (${metric.recorder})`, 'line {{line}}')],
        }),
        number(
          {
            title: 'Last commit',
            says: 'Since the database last took rows, of the recorder that waits longest. Seconds are right; the alarm comes at two minutes.',
            unit: 's',
            width: 4,
            queries: [now(`max(${metric.commitAge})`)],
          },
          10,
          120,
        ),
        number(
          {
            title: 'Journal',
            says: 'How full the fullest journal is. Written parts are kept while there is room, so anything up to 90 % is healthy.',
            unit: 'percentunit',
            width: 4,
            queries: [now(`max(${metric.journalBytes} / ${metric.journalLimit})`)],
          },
          0.93,
          0.97,
        ),
        number(
          {
            title: 'Alerts',
            says: 'Alerts that fire now. Each has a paragraph in docs/operating.md.',
            unit: 'none',
            width: 4,
            queries: [now('count(ALERTS{alertstate="firing", alertname=~"Booktape.+"}) or vector(0)')],
          },
          1,
          1,
        ),
      ],
    },
    {
      title: 'Books',
      panels: [
        states(
          {
            title: 'Live on at least one line',
            says: 'Each book over time. A red stretch is a gap that no other line fills.',
            width: 24,
            height: 10,
            queries: [over(`max by (feed, symbol) (${metric.bookLive})`, '{{symbol}} {{feed}}')],
          },
          LIVE_OR_NOT,
        ),
        rows({
          title: 'Open gaps',
          says: 'What is missing at this moment, and why. Empty is good. The causes are explained in docs/data.md.',
          width: 12,
          queries: [
            sql(
              'table',
              `select started_at, symbol, feed, line, stream, cause from market.gaps where state = 'open' order by started_at desc limit 100`,
            ),
          ],
        }),
        lines(
          {
            title: 'Gaps in the last hour, by cause',
            says: 'A few are life; each is closed and disclosed. A rising line names what breaks books again and again.',
            unit: 'none',
            width: 12,
            queries: [over('sum by (cause) (feed_cause:booktape_gaps:added1h)', '{{cause}}')],
          },
          { stacked: true, min: 0 },
        ),
      ],
    },
    {
      title: 'Objectives',
      panels: [
        lines(
          {
            title: 'Coverage against its objective of 99.9 %',
            says: 'What the last hour, six hours and three days missed, as a multiple of what is allowed. Above 1 the month ends below the objective; above 14.4 somebody is called.',
            unit: 'none',
            width: 12,
            queries: [
              over('booktape:coverage_error:ratio1h / 0.001', '1 hour'),
              over('booktape:coverage_error:ratio6h / 0.001', '6 hours'),
              over('booktape:coverage_error:ratio3d / 0.001', '3 days'),
            ],
          },
          { min: 0 },
        ),
        lines(
          {
            title: 'Commit lag against its objective of 99 % within 1 s',
            says: 'The same for messages that took longer than a second to become rows. Above 1 readers often see the past.',
            unit: 'none',
            width: 12,
            queries: [
              over('booktape:commit_lag_error:ratio1h / 0.01', '1 hour'),
              over('booktape:commit_lag_error:ratio6h / 0.01', '6 hours'),
              over('booktape:commit_lag_error:ratio3d / 0.01', '3 days'),
            ],
          },
          { min: 0 },
        ),
      ],
    },
    {
      title: 'Flow',
      panels: [
        lines(
          {
            title: 'Messages a second',
            says: 'What the venue sends, by feed, over all lines. It follows the market; a drop to nothing does not.',
            unit: 'cps',
            width: 8,
            queries: [over(`sum by (feed) (rate(${metric.messages}[$__rate_interval]))`, '{{feed}}')],
          },
          { min: 0 },
        ),
        lines(
          {
            title: 'From receiving to committed',
            says: 'Half, and 99 of 100, of the messages are rows within this time. About 0.1 s is right.',
            unit: 's',
            width: 8,
            queries: [
              over(quantile(0.5, metric.commitLag), 'half'),
              over(quantile(0.99, metric.commitLag), '99 of 100'),
            ],
          },
          { min: 0 },
        ),
        bars(
          {
            title: 'Backlog',
            says: 'Journal entries that are not in the database yet, by recorder. Below a thousand is nothing; growing means that the database is away or too slow.',
            unit: 'short',
            width: 8,
            queries: [now(`max by (instance) (${metric.backlog})`, '{{instance}}')],
          },
          10_000,
          1_000_000,
        ),
      ],
    },
  ],
})
