import { dashboard } from './dashboard.ts'
import { bars, FIRING, LIVE_OR_NOT, lines, MAX_BARS, number, plainNumber, rows, states } from './panels.ts'
import { metric, now, orNone, over, quantile, sql } from './queries.ts'

/** Is everything recorded? What is red here is what docs/operating.md speaks of. */
export const overview = dashboard({
  name: 'overview',
  title: 'Overview',
  says: 'Is everything recorded? A green first row says yes. What each panel shows, and what is right, its (i) says. Needs the rules of deploy/prometheus.',
  from: 'now-6h',
  refresh: '30s',
  rows: [
    {
      title: 'Now',
      panels: [
        number(
          {
            title: 'Coverage',
            says: 'The share of all wanted books (one for each symbol and feed) that are live on at least one line (a recorder beside which another records the same). 100 % is right; below it something is missing in the database from now on.',
            unit: 'share',
            decimals: 2,
            width: 4,
            queries: [now('booktape:coverage:ratio')],
          },
          1,
          0.999,
        ),
        number(
          {
            title: 'Books not live',
            says: 'Books that no line has: none is right. Which ones, the strips below say; why, the open gaps.',
            alerts: ['BooktapeBookNotLive'],
            unit: 'count',
            width: 3,
            queries: [now(`count(max by (feed, symbol) (${metric.bookLive}) == 0) or vector(0)`)],
          },
          1,
          1,
        ),
        number(
          {
            title: 'Without a second line',
            says: 'Books that are not live on every line: what the remaining line loses of them is lost. None is right. With one line alone it counts the books that are not live.',
            alerts: ['BooktapeNotRedundant'],
            unit: 'count',
            width: 4,
            queries: [
              now(
                `count(sum by (feed, symbol) (line_feed_symbol:booktape_book_live:max)
                   < on () group_left () count(count by (line) (${metric.recorder}))) or vector(0)`,
              ),
            ],
          },
          1,
          1,
        ),
        plainNumber({
          title: 'Recorders by line',
          says: 'Recorders that run. Symbols are divided into shards, and each line needs one recorder for each shard.',
          alerts: ['BooktapeAbsent', 'BooktapeLineGone', 'BooktapeShardMissing'],
          none: 'None runs.',
          unit: 'count',
          width: 4,
          queries: [
            now(`count by (line) (${metric.recorder})`, 'line {{line}}'),
            now(`max(${metric.shards})`, 'shards'),
          ],
        }),
        number(
          {
            title: 'Since the last commit',
            says: 'Since the database last took rows, for the recorder that waits longest. Below a second or two is right. While the database is away nothing is lost: the journal on disk keeps it.',
            alerts: ['BooktapeNotStored'],
            unit: 'seconds',
            width: 3,
            queries: [now(`max(${metric.commitAge})`)],
          },
          10,
          120,
        ),
        number(
          {
            title: 'Journal used',
            says: 'How full the fullest journal is, of its limit. What is stored is kept in it while there is room, so up to 90 % is healthy. At 100 % recording stops.',
            alerts: ['BooktapeJournalNearlyFull'],
            unit: 'share',
            decimals: 1,
            width: 3,
            queries: [now(`max(${metric.journalBytes} / ${metric.journalLimit})`)],
          },
          0.93,
          0.97,
        ),
        number(
          {
            title: 'Alerts',
            says: 'Alerts that fire now. Each has a paragraph in docs/operating.md: what it means, what to look at, what to do.',
            unit: 'count',
            width: 3,
            queries: [now('count(ALERTS{alertstate="firing", alertname=~"Booktape.+"}) or vector(0)')],
          },
          1,
          1,
        ),
        states(
          {
            title: 'Alerts that fire',
            says: 'Which, and from when to when. A page wakes somebody, a ticket waits for the morning.',
            none: 'No alert fires.',
            width: 24,
            height: 5,
            queries: [
              over(
                'max by (alertname, severity) (ALERTS{alertstate="firing", alertname=~"Booktape.+"})',
                '{{alertname}} ({{severity}})',
              ),
            ],
          },
          FIRING,
        ),
      ],
    },
    {
      title: 'Books',
      panels: [
        states(
          {
            title: 'Live on at least one line',
            says: `Each book over time; of more than ${MAX_BARS} those that were live least. Red is a gap that no other line fills. Nothing drawn: no recorder told of it.`,
            width: 24,
            height: 10,
            queries: [
              over(
                `max by (feed, symbol) (${metric.bookLive})
                   and on (feed, symbol)
                 bottomk(${MAX_BARS}, avg_over_time(feed_symbol:booktape_book_live:max[$__range] @ end()))`,
                '{{symbol}} {{feed}}',
              ),
            ],
          },
          LIVE_OR_NOT,
        ),
        rows({
          title: 'Open gaps',
          says: 'What is missing at this moment, since when and why. Causes are listed in docs/data.md under market.gaps, and what to do by cause under BooktapeCoverageFast in docs/operating.md.',
          none: 'Nothing is missing now.',
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
            title: 'Gaps of the last hour, by cause',
            says: 'Gaps that opened, on all lines. A few are normal, and each is closed and disclosed by itself; stopped and restart are deployments. A rising line names what breaks books again and again.',
            alerts: ['BooktapeGapBurst'],
            unit: 'count',
            width: 12,
            queries: [over(orNone('sum by (cause) (feed_cause:booktape_gaps:added1h)', 'cause'), '{{cause}}')],
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
            title: 'Coverage: what is missed, of what may be',
            says: 'The objective is 99.9 % of symbol-seconds live over 30 days. This is how many times faster than that the last hour, six hours and three days used up the 0.1 %. Below 1 the objective is met; above 14.4 somebody is called.',
            alerts: ['BooktapeCoverageFast', 'BooktapeCoverageSlow'],
            unit: 'times',
            width: 12,
            queries: [
              over('booktape:coverage_error:ratio1h / 0.001', '1 hour'),
              over('booktape:coverage_error:ratio6h / 0.001', '6 hours'),
              over('booktape:coverage_error:ratio3d / 0.001', '3 days'),
            ],
          },
          { min: 0, limit: 1 },
        ),
        lines(
          {
            title: 'Commit lag: what is late, of what may be',
            says: 'The objective is 99 % of messages committed within a second of their receipt, over 30 days. This is how many times faster than that the last hour, six hours and three days used up the 1 %. Below 1 the objective is met; above it readers often see the past.',
            alerts: ['BooktapeCommitLagFast', 'BooktapeCommitLagSlow'],
            unit: 'times',
            width: 12,
            queries: [
              over('booktape:commit_lag_error:ratio1h / 0.01', '1 hour'),
              over('booktape:commit_lag_error:ratio6h / 0.01', '6 hours'),
              over('booktape:commit_lag_error:ratio3d / 0.01', '3 days'),
            ],
          },
          { min: 0, limit: 1 },
        ),
      ],
    },
    {
      title: 'Flow',
      panels: [
        lines(
          {
            title: 'Messages',
            says: 'Messages a second from the venue, by feed, over all lines. They follow the market; a drop to nothing does not.',
            unit: 'perSecond',
            width: 6,
            queries: [over(`sum by (feed) (rate(${metric.messages}[$__rate_interval]))`, '{{feed}}')],
          },
          { min: 0 },
        ),
        lines(
          {
            title: 'From receipt to commit',
            says: 'How long until a message is a row: half of them within p50, 99 of 100 within p99. About 0.1 s is right.',
            unit: 'seconds',
            width: 6,
            queries: [over(quantile(0.5, metric.commitLag), 'p50'), over(quantile(0.99, metric.commitLag), 'p99')],
          },
          { min: 0 },
        ),
        bars(
          {
            title: 'Backlog',
            says: 'Journal entries that are not in the database yet, by recorder. Below a thousand is nothing; growing means that the database is away or too slow.',
            unit: 'thousands',
            width: 6,
            queries: [now(`max by (instance) (${metric.backlog})`, '{{instance}}')],
          },
          10_000,
          1_000_000,
        ),
        lines(
          {
            title: 'Versions',
            says: 'Recorders by the version they run. A step is a deployment: gaps of cause stopped beside it belong to it.',
            unit: 'count',
            width: 6,
            queries: [
              over(`count by (version) (${metric.build} and on (job, instance) ${metric.recorder})`, '{{version}}'),
            ],
          },
          { stacked: true, min: 0 },
        ),
      ],
    },
  ],
})
