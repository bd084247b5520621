import type { Counter, Gauge, Histogram, Metrics } from '@booktape/runtime'

/** A few ms is a good day, a few seconds is a page; 1 s is the objective of deploy/prometheus. */
const LAG_BUCKETS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]
/** Below zero too: a message from the future means that our clock is behind the venue's. */
const EVENT_LAG_BUCKETS_S = [-1, -0.1, ...LAG_BUCKETS_S]
/** 0.05 is what is promised: nothing is in memory alone for longer. */
const SYNC_BUCKETS_S = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5]

/**
 * Every metric of a recorder (contract, section 5), by the name it has in the code. Names stand here without the prefix that
 * `createMetrics` gives them. Alerts, dashboards and docs/operating.md are held against this table.
 */
export const RECORDER_METRICS = {
  messages: counter('messages_received_total', 'Messages of the venue, by what they are.', ['feed', 'symbol', 'kind']),
  changes: counter('book_changes_applied_total', 'Price levels set in books.', ['feed', 'symbol']),
  trades: counter('trades_received_total', 'Trades seen on a feed, before they are made one row.', ['feed', 'symbol']),
  gaps: counter('gaps_total', 'Gaps opened.', ['feed', 'symbol', 'stream', 'cause']),
  resyncs: counter('resyncs_total', 'Live books dropped to be taken anew.', ['feed', 'symbol', 'cause']),
  connects: counter('connects_total', 'Connections opened, refused and closed.', ['feed', 'result']),
  connections: gauge('connections', 'Connections open now.', ['feed']),
  bookLive: gauge('book_live', '1 while the book is proven continuous.', ['feed', 'symbol']),
  bookLevels: gauge('book_levels', 'Price levels in the book.', ['feed', 'symbol', 'side']),
  bestPrice: gauge('best_price', 'Best price, as a float: for looking at only.', ['feed', 'symbol', 'side']),
  lastMessageAge: gauge('last_message_age_seconds', 'Since the last message about the symbol.', ['feed', 'symbol']),
  eventLag: histogram(
    'event_lag_seconds',
    'Receive time minus the venue\u2019s event time.',
    ['feed'],
    EVENT_LAG_BUCKETS_S,
  ),
  commitLag: histogram(
    'commit_lag_seconds',
    'From receiving a message to its row being committed.',
    ['feed'],
    LAG_BUCKETS_S,
  ),
  journalBytes: gauge('journal_bytes', 'Journal on disk.', []),
  journalSync: histogram(
    'journal_sync_seconds',
    'From a message being written down to its being on disk.',
    [],
    SYNC_BUCKETS_S,
  ),
  backlog: gauge('backlog_messages', 'Journal entries whose rows are not in Postgres yet.', []),
  rows: counter('rows_written_total', 'Rows that were new to the database.', ['table']),
  writeFailures: counter('write_failures_total', 'Batches that Postgres did not take at once.', ['class']),
  audits: counter('audits_total', 'Audit rows by their result.', ['symbol', 'result']),
  quarantined: counter('quarantined_total', 'Messages kept aside, by class of reason.', ['feed', 'reason']),

  // Beside those of the contract:
  anomalies: counter('anomalies_total', 'Odd but harmless things seen.', ['feed', 'symbol', 'anomaly']),
  recorder: gauge('recorder_info', 'Always 1; the labels say which recorder this is.', ['line', 'shard']),
  shards: gauge('shards', 'Shards that the symbols are divided into (BOOKTAPE_SHARDS).', []),
  bookProvenAge: gauge(
    'book_proven_age_seconds',
    'Since the live book was last known to be the venue\u2019s, by a snapshot or an audit.',
    ['feed', 'symbol'],
  ),
  commitAge: gauge('last_commit_age_seconds', 'Since the database last took rows, or since the start.', []),
  journalLimit: gauge('journal_limit_bytes', 'What the journal may hold (BOOKTAPE_JOURNAL_LIMIT).', []),
  dialsWaiting: gauge('dials_waiting', 'Connections that wait for the dial budget.', []),
  tradesReadAge: gauge(
    'trades_read_age_seconds',
    'Since the symbol\u2019s trades were last read again from REST up to the newest.',
    ['symbol'],
  ),
  tradesUnfilled: gauge('trades_gaps_unfilled', 'Closed gaps of trades that REST has not filled yet.', ['symbol']),
  tradesSettled: counter('trades_gaps_settled_total', 'What became of gaps of trades: filled or unfillable.', [
    'state',
  ]),
  tradeConflicts: counter('trade_conflicts_total', 'Trades that came again with other content.', ['symbol']),
  defaultRows: gauge('default_partition_rows', 'Rows of days that have no partition.', ['table']),
  housekeepingAge: gauge('housekeeping_age_seconds', 'Since housekeeping last succeeded, or since the start.', []),
} as const

type Definition = Readonly<{
  type: 'counter' | 'gauge' | 'histogram'
  name: string
  help: string
  labels: readonly string[]
  buckets: readonly number[]
}>

type LabelsOf<D extends Definition> = D['labels'][number]
type InstrumentOf<D extends Definition> = D['type'] extends 'counter'
  ? Counter<LabelsOf<D>>
  : D['type'] extends 'gauge'
    ? Gauge<LabelsOf<D>>
    : Histogram<LabelsOf<D>>

/** What counts, by the names of the table. */
export type RecorderMetrics = Readonly<{
  [K in keyof typeof RECORDER_METRICS]: InstrumentOf<(typeof RECORDER_METRICS)[K]>
}>

export function declareMetrics(metrics: Metrics): RecorderMetrics {
  const declared = Object.entries(RECORDER_METRICS).map(([key, definition]) => [key, declare(metrics, definition)])
  return Object.fromEntries(declared) as RecorderMetrics // one instrument for each key, of the type in its row
}

function declare(metrics: Metrics, { type, name, help, labels, buckets }: Definition): Counter | Gauge | Histogram {
  switch (type) {
    case 'counter':
      return metrics.counter(name, help, labels)
    case 'gauge':
      return metrics.gauge(name, help, labels)
    case 'histogram':
      return metrics.histogram(name, help, buckets, labels)
  }
}

function counter<const L extends readonly string[]>(name: string, help: string, labels: L) {
  return { type: 'counter', name, help, labels, buckets: [] } as const
}

function gauge<const L extends readonly string[]>(name: string, help: string, labels: L) {
  return { type: 'gauge', name, help, labels, buckets: [] } as const
}

function histogram<const L extends readonly string[]>(
  name: string,
  help: string,
  labels: L,
  buckets: readonly number[],
) {
  return { type: 'histogram', name, help, labels, buckets } as const
}
