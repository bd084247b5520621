import { dashboard } from './dashboard.ts'
import { bars, lines, number, plainNumber } from './panels.ts'
import { metric, now, over, quantile, sql } from './queries.ts'

/** The corridor (docs/architecture.md), a row a stage in the order in which a message walks it. */
export const pipeline = dashboard({
  name: 'pipeline',
  title: 'Pipeline',
  says: 'The way of a message, a row a stage: socket, journal, decode and advance, rows, Postgres. Where a row turns odd, look there first.',
  from: 'now-1h',
  refresh: '30s',
  rows: [
    {
      title: '1. Socket',
      panels: [
        lines(
          {
            title: 'Connections',
            says: 'Open now. v1 has one for each symbol, ws one for each 20; a dip is an outage or a rotation.',
            unit: 'none',
            width: 6,
            queries: [over(`sum by (instance, feed) (${metric.connections})`, '{{instance}} {{feed}}')],
          },
          { min: 0 },
        ),
        lines(
          {
            title: 'Opened, refused and closed',
            says: 'A minute, by feed. Refused again and again: the venue or the network says no.',
            unit: 'none',
            width: 6,
            queries: [
              over(`60 * sum by (feed, result) (rate(${metric.connects}[$__rate_interval]))`, '{{feed}} {{result}}'),
            ],
          },
          { bars: true, min: 0 },
        ),
        lines(
          {
            title: 'Longest silence',
            says: 'Since the last message of the most silent symbol of each feed. v1 has heartbeats and stays below ten seconds.',
            unit: 's',
            width: 6,
            queries: [over(`max by (feed) (${metric.lastMessageAge})`, '{{feed}}')],
          },
          { min: 0 },
        ),
        lines({
          title: 'Age of messages when they come',
          says: 'Receive time less the venue\u2019s event time: half, and 99 of 100. Below zero our clock is behind.',
          unit: 's',
          width: 6,
          queries: [
            over(quantile(0.5, metric.eventLag, ['feed']), '{{feed}} half'),
            over(quantile(0.99, metric.eventLag, ['feed']), '{{feed}} 99 of 100'),
          ],
        }),
        number(
          {
            title: 'Dials that wait',
            says: 'Connections that wait for the dial budget. After a start of many symbols some minutes of it are right.',
            unit: 'none',
            width: 6,
            queries: [now(`sum(${metric.dialsWaiting})`)],
          },
          1,
          100,
        ),
      ],
    },
    {
      title: '2. Journal',
      panels: [
        lines(
          {
            title: 'Size and limit',
            says: 'Written parts go when they are older than the retention, or at 90 % of the limit. At the limit recording stops.',
            unit: 'bytes',
            width: 12,
            queries: [
              over(`max by (instance) (${metric.journalBytes})`, '{{instance}}'),
              over(`min by (instance) (${metric.journalLimit})`, '{{instance}} limit'),
            ],
          },
          { min: 0 },
        ),
        lines(
          {
            title: 'From written down to on disk',
            says: 'Half, and 99 of 100. Above 0.05 s more is in memory alone than is promised.',
            unit: 's',
            width: 12,
            queries: [
              over(quantile(0.5, metric.journalSync, ['instance']), '{{instance}} half'),
              over(quantile(0.99, metric.journalSync, ['instance']), '{{instance}} 99 of 100'),
            ],
          },
          { min: 0 },
        ),
      ],
    },
    {
      title: '3. Decode and advance',
      panels: [
        lines(
          {
            title: 'Messages a second, by kind',
            says: 'What they turned out to be.',
            unit: 'cps',
            width: 8,
            queries: [over(`sum by (feed, kind) (rate(${metric.messages}[$__rate_interval]))`, '{{feed}} {{kind}}')],
          },
          { stacked: true, min: 0 },
        ),
        lines(
          {
            title: 'Price levels set a second',
            says: 'How much the books move.',
            unit: 'cps',
            width: 8,
            queries: [over(`sum by (feed) (rate(${metric.changes}[$__rate_interval]))`, '{{feed}}')],
          },
          { min: 0 },
        ),
        lines(
          {
            title: 'Books taken anew',
            says: 'In the last hour, by cause. Each is a gap and a new epoch.',
            unit: 'none',
            width: 8,
            queries: [over(`sum by (cause) (increase(${metric.resyncs}[1h]))`, '{{cause}}')],
          },
          { min: 0 },
        ),
        lines(
          {
            title: 'Set aside',
            says: 'Messages that could not be used, in the last hour, by reason. They are kept in market.quarantine.',
            unit: 'none',
            width: 8,
            queries: [over('sum by (feed, reason) (feed_reason:booktape_quarantined:added1h)', '{{feed}} {{reason}}')],
          },
          { min: 0 },
        ),
        lines(
          {
            title: 'Where the process stands still',
            says: 'The event loop, 99 of 100 waits. Above half a second messages are read late.',
            unit: 's',
            width: 8,
            queries: [
              over(`nodejs_eventloop_lag_p99_seconds and on (job, instance) ${metric.recorder}`, '{{instance}}'),
            ],
          },
          { min: 0 },
        ),
        lines(
          {
            title: 'Processor',
            says: 'Cores that a recorder uses. One is the most that most of its work can use.',
            unit: 'none',
            width: 8,
            queries: [
              over(
                `rate(process_cpu_seconds_total[$__rate_interval]) and on (job, instance) ${metric.recorder}`,
                '{{instance}}',
              ),
            ],
          },
          { min: 0 },
        ),
      ],
    },
    {
      title: '4. Rows',
      panels: [
        lines(
          {
            title: 'Backlog',
            says: 'Journal entries whose rows are not in the database. It falls after an outage; it should not rise otherwise.',
            unit: 'short',
            width: 8,
            queries: [over(`max by (instance) (${metric.backlog})`, '{{instance}}')],
          },
          { min: 0 },
        ),
        lines(
          {
            title: 'Rows written a second, by table',
            says: 'New rows. What the other line had written already does not count.',
            unit: 'cps',
            width: 8,
            queries: [over(`sum by (table) (rate(${metric.rows}[$__rate_interval]))`, '{{table}}')],
          },
          { stacked: true, min: 0 },
        ),
        lines(
          {
            title: 'Memory',
            says: 'Of each recorder. The backlog is on disk, so an outage of the database does not show here.',
            unit: 'bytes',
            width: 8,
            queries: [
              over(`process_resident_memory_bytes and on (job, instance) ${metric.recorder}`, '{{instance}}'),
              over(`nodejs_heap_size_used_bytes and on (job, instance) ${metric.recorder}`, '{{instance}} heap'),
            ],
          },
          { min: 0 },
        ),
      ],
    },
    {
      title: '5. Postgres',
      panels: [
        lines(
          {
            title: 'From receiving to committed',
            says: 'Half, and 99 of 100, by feed. After an outage it shows how old what is caught up is.',
            unit: 's',
            width: 8,
            queries: [
              over(quantile(0.5, metric.commitLag, ['feed']), '{{feed}} half'),
              over(quantile(0.99, metric.commitLag, ['feed']), '{{feed}} 99 of 100'),
            ],
          },
          { min: 0 },
        ),
        lines(
          {
            title: 'Batches that were not taken at once',
            says: 'In the last five minutes, by class. docs/operating.md says under BooktapeNotStored what to do for each.',
            unit: 'none',
            width: 8,
            queries: [over(`sum by (class) (increase(${metric.writeFailures}[5m]))`, '{{class}}')],
          },
          { bars: true, min: 0 },
        ),
        lines(
          {
            title: 'Since the last commit, since housekeeping',
            says: 'Housekeeping runs every ten minutes and makes partitions, settles and lets go of the journal.',
            unit: 's',
            width: 8,
            queries: [
              over(`max by (instance) (${metric.commitAge})`, '{{instance}} commit'),
              over(`max by (instance) (${metric.housekeepingAge})`, '{{instance}} housekeeping'),
            ],
          },
          { min: 0 },
        ),
        number(
          {
            title: 'Rows without a partition',
            says: 'Rows of days for which nobody had made one. 0 is right.',
            unit: 'none',
            width: 6,
            queries: [now(`sum(max by (table) (${metric.defaultRows}))`)],
          },
          1,
          1,
        ),
        plainNumber({
          title: 'Database',
          says: 'All of it, indexes included. docs/sizing.md says how it grows.',
          unit: 'bytes',
          width: 6,
          queries: [sql('table', 'select pg_database_size(current_database()) as bytes')],
        }),
        bars(
          {
            title: 'Largest tables',
            says: 'With their partitions and indexes.',
            unit: 'bytes',
            width: 12,
            queries: [
              sql(
                'table',
                `select coalesce(parent.relname, part.relname)::text as name, sum(pg_total_relation_size(part.oid))::bigint as bytes
                 from pg_class part
                 left join pg_inherits on inhrelid = part.oid
                 left join pg_class parent on parent.oid = inhparent
                 where part.relkind = 'r' and part.relnamespace = 'booktape'::regnamespace
                 group by 1 order by 2 desc limit 8`,
              ),
            ],
          },
          2 ** 40,
          2 ** 42,
        ),
      ],
    },
  ],
})
