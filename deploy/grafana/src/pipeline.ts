import { QueryVariableBuilder, VariableRefresh, VariableSort } from '@grafana/grafana-foundation-sdk/dashboard'
import { dashboard } from './dashboard.ts'
import { bars, lines, number, plainNumber } from './panels.ts'
import { added, metric, now, over, PROMETHEUS, processMetric, quantile, sql } from './queries.ts'

/** One recorder or all of them, as chosen. */
const CHOSEN = '{instance=~"$instance"}'
const chosen = (name: string): string => name + CHOSEN
const chosenProcess = (expr: string): string => `${expr} and on (job, instance) ${metric.recorder}`

/** The corridor (docs/architecture.md), a row a stage in the order in which a message walks it. */
export const pipeline = dashboard({
  name: 'pipeline',
  title: 'Pipeline',
  says: 'The way of a message through a recorder, a row a stage: socket, journal, decode and advance, rows, Postgres. Go down the rows: the first that looks odd is where the trouble is.',
  from: 'now-1h',
  refresh: '30s',
  variables: [
    new QueryVariableBuilder('instance')
      .label('Recorder')
      .datasource(PROMETHEUS)
      .query(`label_values(${metric.recorder}, instance)`)
      .refresh(VariableRefresh.OnTimeRangeChanged)
      .sort(VariableSort.AlphabeticalAsc)
      .multi(true)
      .includeAll(true)
      .allValue('.*')
      .current({ text: 'All', value: '$__all', selected: true }),
  ],
  rows: [
    {
      title: '1. Socket',
      panels: [
        lines(
          {
            title: 'Connections',
            says: 'Open now. v1 has one for each symbol, ws one for each 20 symbols. A dip is an outage; a step of one up and down again is a connection that is replaced before it ends.',
            unit: 'count',
            width: 8,
            queries: [over(`sum by (instance, feed) (${chosen(metric.connections)})`, '{{instance}} {{feed}}')],
          },
          { min: 0 },
        ),
        lines(
          {
            title: 'Connections of the last 5 minutes, by result',
            says: 'How many were opened, refused and closed. None, or as many opened as closed, is right. Refused again and again: the venue or the network says no, and the log says why.',
            unit: 'count',
            width: 8,
            queries: [over(added(chosen(metric.connects), '5m', 'result'), '{{result}}')],
          },
          { min: 0 },
        ),
        number(
          {
            title: 'Connections that wait',
            says: 'They wait for the dial budget (BOOKTAPE_DIALS_PER_MINUTE). After the start of many symbols some minutes of it are right; otherwise 0.',
            alerts: ['BooktapeDialsWaiting'],
            unit: 'count',
            width: 8,
            height: 8,
            queries: [now(`sum(${chosen(metric.dialsWaiting)})`)],
          },
          1,
          100,
        ),
        lines(
          {
            title: 'Silence',
            says: 'Since the last message: of the most silent symbol, and of the whole feed. v1 has a heartbeat for each symbol and stays below ten seconds; on ws a quiet symbol is silent for long, the whole feed is not.',
            alerts: ['BooktapeFeedSilent'],
            unit: 'seconds',
            width: 12,
            queries: [
              over(`max by (feed) (${chosen(metric.lastMessageAge)})`, '{{feed}}, most silent symbol'),
              over(
                `max by (feed) (min by (instance, feed) (${chosen(metric.lastMessageAge)}))`,
                '{{feed}}, whole feed',
              ),
            ],
          },
          { min: 0 },
        ),
        lines({
          title: 'Age of messages at receipt',
          says: 'Receive time less the time that the venue gave the message: half are younger than p50, 99 of 100 younger than p99. Well below a second is right. Below zero this machine\u2019s clock is behind.',
          alerts: ['BooktapeClockBehind', 'BooktapeEventsLate'],
          unit: 'seconds',
          width: 12,
          queries: [
            over(quantile(0.5, metric.eventLag, ['feed'], CHOSEN), '{{feed}} p50'),
            over(quantile(0.99, metric.eventLag, ['feed'], CHOSEN), '{{feed}} p99'),
          ],
        }),
      ],
    },
    {
      title: '2. Journal',
      panels: [
        lines(
          {
            title: 'Size and limit',
            says: 'What is received is written here before anything else happens to it. What is stored goes when it is older than the retention, or from 90 % of the limit on. At the limit recording stops.',
            alerts: ['BooktapeJournalNearlyFull'],
            unit: 'bytes',
            width: 12,
            queries: [
              over(`max by (instance) (${chosen(metric.journalBytes)})`, '{{instance}}'),
              over(`max by (instance) (${chosen(metric.journalLimit)})`, '{{instance}} limit'),
            ],
          },
          { min: 0 },
        ),
        lines(
          {
            title: 'From written to synced',
            says: 'Until what was written is surely on disk: p50 and p99. What is not there when the process dies is lost and disclosed as a gap; 0.05 s is the most that is promised.',
            alerts: ['BooktapeSyncSlow'],
            unit: 'seconds',
            width: 12,
            queries: [
              over(quantile(0.5, metric.journalSync, ['instance'], CHOSEN), '{{instance}} p50'),
              over(quantile(0.99, metric.journalSync, ['instance'], CHOSEN), '{{instance}} p99'),
            ],
          },
          { min: 0, limit: 0.05 },
        ),
      ],
    },
    {
      title: '3. Decode and advance',
      panels: [
        lines(
          {
            title: 'Messages by kind',
            says: 'Messages a second, by feed and by what they turned out to be.',
            unit: 'perSecond',
            width: 8,
            queries: [
              over(`sum by (feed, kind) (rate(${chosen(metric.messages)}[$__rate_interval]))`, '{{feed}} {{kind}}'),
            ],
          },
          { stacked: true, min: 0 },
        ),
        lines(
          {
            title: 'Price levels set',
            says: 'Changes of books a second, by feed. v1 tells each event by itself, ws the sum of 100 ms.',
            unit: 'perSecond',
            width: 8,
            queries: [over(`sum by (feed) (rate(${chosen(metric.changes)}[$__rate_interval]))`, '{{feed}}')],
          },
          { min: 0 },
        ),
        lines(
          {
            title: 'Trades',
            says: 'Trades a second, by feed. Both feeds tell of the same trades: similar heights are right.',
            unit: 'perSecond',
            width: 8,
            queries: [over(`sum by (feed) (rate(${chosen(metric.trades)}[$__rate_interval]))`, '{{feed}}')],
          },
          { min: 0 },
        ),
        lines(
          {
            title: 'Resyncs of the last hour, by cause',
            says: 'Live books that were dropped and taken anew from a snapshot. Each is a gap and a new epoch, so the causes are those of gaps. A few are normal.',
            unit: 'count',
            width: 12,
            queries: [over(added(chosen(metric.resyncs), '1h', 'cause'), '{{cause}}')],
          },
          { min: 0 },
        ),
        lines(
          {
            title: 'Quarantined in the last hour, by reason',
            says: 'Messages that could not be read, and rows that the database refused. They are kept in market.quarantine. None is right.',
            alerts: ['BooktapeQuarantine'],
            unit: 'count',
            width: 12,
            queries: [over(added(chosen(metric.quarantined), '1h', 'reason'), '{{reason}}')],
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
            says: 'Journal entries whose rows are not in the database. Below a thousand is nothing. It grows while the database is away and falls afterwards; if it grows otherwise, the database is too slow.',
            unit: 'thousands',
            width: 12,
            queries: [over(`max by (instance) (${chosen(metric.backlog)})`, '{{instance}}')],
          },
          { min: 0 },
        ),
        lines(
          {
            title: 'Rows written, by table',
            says: 'Rows a second that were new to the database. What another line had written already does not count.',
            unit: 'perSecond',
            width: 12,
            queries: [over(`sum by (table) (rate(${chosen(metric.rows)}[$__rate_interval]))`, '{{table}}')],
          },
          { stacked: true, min: 0 },
        ),
      ],
    },
    {
      title: '5. Postgres',
      panels: [
        lines(
          {
            title: 'From receipt to commit',
            says: 'How long until a message is a row, by feed: p50 and p99. About 0.1 s is right. After an outage of the database it shows how old what is caught up is.',
            alerts: ['BooktapeCommitLagFast', 'BooktapeCommitLagSlow'],
            unit: 'seconds',
            width: 8,
            queries: [
              over(quantile(0.5, metric.commitLag, ['feed'], CHOSEN), '{{feed}} p50'),
              over(quantile(0.99, metric.commitLag, ['feed'], CHOSEN), '{{feed}} p99'),
            ],
          },
          { min: 0, limit: 1 },
        ),
        lines(
          {
            title: 'Write failures of the last 5 minutes, by class',
            says: 'Batches of rows that Postgres did not take; they are tried again. docs/operating.md says under BooktapeNotStored what to do for each class. None is right, a few after a restart of the database are normal.',
            alerts: ['BooktapeNotStored'],
            unit: 'count',
            width: 8,
            queries: [over(added(chosen(metric.writeFailures), '5m', 'class'), '{{class}}')],
          },
          { min: 0 },
        ),
        lines(
          {
            title: 'Since the last commit, since housekeeping',
            says: 'Commits come every second or two. Housekeeping comes every ten minutes: it makes partitions ahead, settles past hours and lets go of the journal.',
            alerts: ['BooktapeHousekeepingStuck'],
            unit: 'seconds',
            width: 8,
            queries: [
              over(`max by (instance) (${chosen(metric.commitAge)})`, '{{instance}} commit'),
              over(`max by (instance) (${chosen(metric.housekeepingAge)})`, '{{instance}} housekeeping'),
            ],
          },
          { min: 0 },
        ),
        number(
          {
            title: 'Rows without a partition',
            says: 'Rows of days for which there was no partition. They can be read, but are in the way. 0 is right.',
            alerts: ['BooktapeDefaultPartitionRows'],
            unit: 'count',
            width: 6,
            queries: [now(`sum(max by (table) (${chosen(metric.defaultRows)}))`)],
          },
          1,
          1,
        ),
        plainNumber({
          title: 'Database',
          says: 'The size of all of it, indexes included. docs/sizing.md says how it grows.',
          unit: 'bytes',
          width: 6,
          queries: [sql('table', 'select pg_database_size(current_database()) as bytes')],
        }),
        bars(
          {
            title: 'Largest tables',
            says: 'With their partitions and indexes. book_messages holds about the last hour, book_chunks everything before it.',
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
    {
      title: 'The process',
      panels: [
        lines(
          {
            title: 'Processor',
            says: 'Cores that a recorder uses. One is the most that it can use for long.',
            unit: 'count',
            width: 6,
            queries: [over(chosenProcess(`rate(${chosen(processMetric.cpu)}[$__rate_interval])`), '{{instance}}')],
          },
          { min: 0 },
        ),
        lines(
          {
            title: 'Event loop lag',
            says: 'How long the process stands still at a time (p99). Milliseconds are right; for so long nothing is read.',
            alerts: ['BooktapeEventLoopBusy'],
            unit: 'seconds',
            width: 6,
            queries: [over(chosenProcess(chosen(processMetric.loopLag)), '{{instance}}')],
          },
          { min: 0, limit: 0.5 },
        ),
        lines(
          {
            title: 'Memory, of what it may have',
            says: 'Of the limit of the container or the machine, and of the JavaScript heap. The backlog is on disk, so an outage of the database does not show here.',
            alerts: ['BooktapeMemoryNearLimit'],
            unit: 'share',
            width: 6,
            queries: [
              over(`${chosen(processMetric.memory)} / ${metric.memoryLimit}`, '{{instance}}'),
              over(`${chosen(processMetric.heap)} / ${metric.heapLimit}`, '{{instance}} heap'),
            ],
          },
          { min: 0, limit: 0.9 },
        ),
        lines(
          {
            title: 'Running since',
            says: 'How long ago each recorder was started. A fall to zero is a restart: a deployment, or a crash whose reason is at the end of the log before.',
            alerts: ['BooktapeRestarting'],
            unit: 'seconds',
            width: 6,
            queries: [over(chosenProcess(`time() - ${chosen(processMetric.startTime)}`), '{{instance}}')],
          },
          { min: 0 },
        ),
      ],
    },
  ],
})
