import { levelCount, topOfBook } from '@booktape/book'
import type { Feed, Side } from '@booktape/market'
import type { Logger, Metrics } from '@booktape/runtime'
import type { CorridorEvent, CorridorState, Observation, Step } from '@booktape/session'
import type { GatheredRows, PoisonRow } from '@booktape/store'
import { Tally } from './tally.ts'

/** A few ms is a good day, a few seconds is a page. */
const LAG_BUCKETS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]
const SYNC_BUCKETS_S = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5]

/** What was seen at the live edge, as metrics (contract, section 5) and as log lines. Stores nothing, decides nothing. */
export class Observer {
  readonly #log: Logger
  readonly #metrics: ReturnType<typeof declareMetrics>
  readonly #messages: Tally<{ feed: Feed; symbol: string; kind: string }>
  readonly #changes: Tally<{ feed: Feed; symbol: string }>
  readonly #lastMessageNs = new Map<string, bigint>() // monotonic, by feed and symbol

  constructor(metrics: Metrics, log: Logger) {
    this.#metrics = declareMetrics(metrics)
    this.#messages = new Tally((labels, by) => this.#metrics.messages.inc(labels, by))
    this.#changes = new Tally((labels, by) => this.#metrics.changes.inc(labels, by))
    this.#log = log
  }

  observe(event: CorridorEvent, step: Step): void {
    for (const observation of step.observations) this.#count(event, observation)
    for (const record of step.records) {
      switch (record.kind) {
        case 'gap_opened': {
          const { feed, symbol, stream, cause } = record
          this.#metrics.gaps.inc({ feed, symbol, stream, cause })
          const level = cause === 'stopped' ? 'info' : 'warn' // a stop is no surprise to whoever asked for it
          this.#log[level](
            { symbol, feed, stream, cause, gapId: record.gapId, fromId: text(record.fromId) },
            'a gap opened',
          )
          break
        }
        case 'gap_closed':
          this.#log.info({ gapId: record.gapId, toId: text(record.toId) }, 'a gap closed')
          break
        case 'gap_settled':
          this.#log.info({ gapId: record.gapId, state: record.state }, 'a gap of trades was read again from REST')
          break
        case 'gap_withdrawn':
          this.#log.info({ gapId: record.gapId }, 'a gap proved empty: the id did not move')
          break
        case 'epoch_started':
          this.#log.info(
            { symbol: record.symbol, feed: record.feed, updateId: text(record.firstUpdateId) },
            'a book is live',
          )
          break
        case 'trade':
          if (record.source !== 'rest') this.#metrics.trades.inc({ feed: record.source, symbol: record.symbol })
          break
        case 'audit':
          this.#metrics.audits.inc({ symbol: record.symbol, result: record.result })
          if (record.result === 'different')
            this.#log.error({ ...record, updateId: text(record.updateId) }, 'an audit found another book at the venue')
          break
        case 'quarantine':
          this.#metrics.quarantined.inc({ feed: record.feed, reason: quarantineClass(record.reason) })
          this.#log.warn(
            { feed: record.feed, symbol: record.symbol, reason: record.reason },
            'a message was kept in quarantine',
          )
          break
        case 'session_opened':
        case 'session_closed':
        case 'epoch_ended':
        case 'book_message':
        case 'book_snapshot':
        case 'quote':
        case 'instrument':
          break
      }
    }
  }

  #count(event: CorridorEvent, seen: Observation): void {
    switch (seen.kind) {
      case 'message': {
        const { feed, message } = seen
        const symbol = seen.symbol ?? 'none'
        this.#messages.add(`${feed} ${symbol} ${message}`, 1, () => ({ feed, symbol, kind: message }))
        if (seen.symbol !== null) this.#lastMessageNs.set(`${seen.feed}:${seen.symbol}`, event.at.monoNs)
        if (seen.eventTimeNs !== null) {
          this.#metrics.eventLag.observe({ feed: seen.feed }, seconds(event.at.wallNs - seen.eventTimeNs))
        }
        return
      }
      case 'changes': {
        const { feed, symbol } = seen
        this.#changes.add(`${feed} ${symbol}`, seen.count, () => ({ feed, symbol }))
        return
      }
      case 'anomaly':
        this.#metrics.anomalies.inc(
          { feed: seen.feed, symbol: seen.symbol ?? 'none', anomaly: seen.anomaly },
          seen.count,
        )
        return
      case 'resync':
        this.#metrics.resyncs.inc({ feed: seen.feed, symbol: seen.symbol, cause: seen.cause })
        return
      case 'connect':
        this.#metrics.connects.inc({ feed: seen.feed, result: seen.result })
        this.#log[seen.result === 'opened' || seen.reason === 'stopped' ? 'info' : 'warn'](
          { session: seen.session, reason: seen.reason },
          `a connection was ${seen.result}`,
        )
        return
      case 'parked':
        this.#log.warn(
          { symbol: seen.symbol, feed: seen.feed, reason: seen.reason, retryInMs: seen.retryInMs },
          'the venue refuses a symbol: it is asked again later, the others go on',
        )
        return
      case 'unrecorded':
        this.#metrics.quarantined.inc({ feed: seen.feed, reason: 'over_limit' })
        return
      case 'rate_limits':
        this.#log.info({ limits: seen.text }, 'what the venue counts of us')
        return
      case 'unreadable_reply':
        this.#log.warn({ what: seen.what, reason: seen.reason }, 'a reply of REST could not be read')
        return
    }
  }

  /** After a commit: rows, and how long each message took from its receipt. */
  committed({ receivedMs }: GatheredRows, rows: Readonly<Record<string, number>>, nowNs: bigint): void {
    for (const [table, count] of Object.entries(rows)) this.#metrics.rows.inc({ table }, count)
    const nowMs = Number(nowNs / 1_000n) / 1_000
    for (const feed of ['v1', 'ws'] as const) {
      for (const ms of receivedMs[feed]) this.#metrics.commitLag.observe({ feed }, (nowMs - ms) / 1_000)
    }
  }

  /** Rows that the database refused: told loudly, for it is a mistake of ours or of the schema. */
  poisoned(rows: readonly PoisonRow[]): void {
    if (rows.length > 0) this.#metrics.writeFailures.inc({ class: 'poison' })
    for (const { table, feed, symbol, gap, reason } of rows) {
      this.#metrics.quarantined.inc({ feed, reason: 'unstorable' })
      if (gap !== null) {
        const { stream } = gap
        this.#metrics.gaps.inc({ feed: gap.feed ?? 'none', symbol: symbol ?? 'none', stream, cause: 'unstorable' })
      }
      this.#log.error(
        { table, feed, symbol, stream: gap?.stream ?? null, reason },
        'the database refuses a row: it is kept in quarantine',
      )
    }
  }

  writeFailed(failureClass: string): void {
    this.#metrics.writeFailures.inc({ class: failureClass })
  }

  journalSynced(tookSeconds: number): void {
    this.#metrics.journalSync.observe(tookSeconds)
  }

  /** Brings everything up to date; called when somebody asks for metrics. */
  gauge(state: Readonly<CorridorState>, nowMonoNs: bigint, journalBytes: number, backlog: number): void {
    this.#messages.flush()
    this.#changes.flush()
    this.#metrics.journalBytes.set(journalBytes)
    this.#metrics.backlog.set(backlog)
    const connections: Record<Feed, number> = { v1: 0, ws: 0 }
    for (const session of state.sessions.values()) if (session.link.phase === 'open') connections[session.feed]++
    for (const feed of state.run?.feeds ?? []) this.#metrics.connections.set({ feed }, connections[feed])
    for (const track of state.tracks.values()) {
      const { feed, symbol } = track
      const isLive = track.epoch !== null
      this.#metrics.bookLive.set({ feed, symbol }, isLive ? 1 : 0)
      const top = topOfBook(track.book)
      for (const side of ['bid', 'ask'] as const) {
        this.#metrics.bookLevels.set({ feed, symbol, side }, levelCount(track.book, side))
        this.#setBestPrice(feed, symbol, side, isLive ? (side === 'bid' ? top.bidPrice : top.askPrice) : null)
      }
      const lastNs = this.#lastMessageNs.get(`${feed}:${symbol}`)
      if (lastNs !== undefined) this.#metrics.lastMessageAge.set({ feed, symbol }, seconds(nowMonoNs - lastNs))
    }
  }

  // Prometheus knows only floats: this number is for looking at, never for reckoning.
  #setBestPrice(feed: Feed, symbol: string, side: Side, price: string | null): void {
    if (price === null) this.#metrics.bestPrice.remove({ feed, symbol, side })
    else this.#metrics.bestPrice.set({ feed, symbol, side }, Number.parseFloat(price))
  }
}

function declareMetrics(metrics: Metrics) {
  const { counter, gauge, histogram } = metrics
  return {
    messages: counter('messages_received_total', 'Messages of the venue, by what they are.', [
      'feed',
      'symbol',
      'kind',
    ]),
    changes: counter('book_changes_applied_total', 'Price levels set in books.', ['feed', 'symbol']),
    trades: counter('trades_received_total', 'Trades seen on a feed, before they are made one row.', [
      'feed',
      'symbol',
    ]),
    gaps: counter('gaps_total', 'Gaps opened.', ['feed', 'symbol', 'stream', 'cause']),
    resyncs: counter('resyncs_total', 'Live books dropped to be taken anew.', ['feed', 'symbol', 'cause']),
    connects: counter('connects_total', 'Connections opened, refused and closed.', ['feed', 'result']),
    connections: gauge('connections', 'Connections open now.', ['feed']),
    bookLive: gauge('book_live', '1 while the book is proven continuous.', ['feed', 'symbol']),
    bookLevels: gauge('book_levels', 'Price levels in the book.', ['feed', 'symbol', 'side']),
    bestPrice: gauge('best_price', 'Best price, as a float: for looking at only.', ['feed', 'symbol', 'side']),
    lastMessageAge: gauge('last_message_age_seconds', 'Since the last message about the symbol.', ['feed', 'symbol']),
    eventLag: histogram('event_lag_seconds', 'Receive time minus the venue\u2019s event time.', LAG_BUCKETS_S, [
      'feed',
    ]),
    commitLag: histogram('commit_lag_seconds', 'From receiving a message to its row being committed.', LAG_BUCKETS_S, [
      'feed',
    ]),
    journalBytes: gauge('journal_bytes', 'Journal on disk.'),
    journalSync: histogram(
      'journal_sync_seconds',
      'From a message being written down to its being on disk.',
      SYNC_BUCKETS_S,
    ),
    backlog: gauge('backlog_messages', 'Journal entries whose rows are not in Postgres yet.'),
    rows: counter('rows_written_total', 'Rows that were new to the database.', ['table']),
    writeFailures: counter('write_failures_total', 'Batches that Postgres did not take at once.', ['class']),
    audits: counter('audits_total', 'Audit rows by their result.', ['symbol', 'result']),
    quarantined: counter('quarantined_total', 'Messages kept aside, by class of reason.', ['feed', 'reason']),
    anomalies: counter('anomalies_total', 'Odd but harmless things seen.', ['feed', 'symbol', 'anomaly']),
  }
}

/** A closed set: reasons may hold text of the venue, and labels must not. */
function quarantineClass(reason: string): string {
  const code = /^([A-Z_]+):/.exec(reason)?.[1]
  if (code !== undefined) return code.toLowerCase()
  if (reason.startsWith('unknown message type')) return 'unknown_message'
  if (reason.startsWith('event type')) return 'unknown_event'
  return reason.startsWith('not recorded') ? 'not_recorded' : 'other'
}

const seconds = (ns: bigint): number => Number(ns) / 1e9
const text = (id: bigint | null): string | null => (id === null ? null : id.toString())
