import type { Logger, Metrics } from '@booktape/runtime'
import { type CorridorEvent, type Observation, type Step } from '@booktape/session'
import type { GatheredRows, PoisonRow } from '@booktape/store'
import { type Look, setGauges } from './gauges.ts'
import { declareMetrics, type RecorderMetrics } from './metric-table.ts'
import { SeenBooks } from './seen-books.ts'

/** What a recorder was told of itself. */
export type Identity = Readonly<{ line: string; shard: number; shards: number; journalLimitBytes: number }>

/** What was seen at the live edge, as metrics (contract, section 5) and as log lines. Stores nothing, decides nothing. */
export class Observer {
  readonly #log: Logger
  readonly #metrics: RecorderMetrics
  readonly #books = new SeenBooks()
  #housekeptNs: bigint | null = null // monotonic

  constructor(metrics: Metrics, log: Logger, { line, shard, shards, journalLimitBytes }: Identity) {
    this.#metrics = declareMetrics(metrics)
    this.#metrics.recorder.set({ line, shard: String(shard) }, 1)
    this.#metrics.shards.set(shards)
    this.#metrics.journalLimit.set(journalLimitBytes)
    // What is rare and alarming stands at 0 from the start: Prometheus sees no increase in a series that begins at 1.
    for (const state of ['filled', 'unfillable']) this.#metrics.tradesSettled.inc({ state }, 0)
    this.#log = log
  }

  observe(event: CorridorEvent, step: Step): void {
    if (event.kind === 'started') this.#expect(event.run.symbols)
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
          this.#metrics.tradesSettled.inc({ state: record.state })
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

  /** Rare and alarming too. */
  #expect(symbols: readonly string[]): void {
    for (const symbol of symbols) {
      for (const result of ['equal', 'different']) this.#metrics.audits.inc({ symbol, result }, 0)
      this.#metrics.tradeConflicts.inc({ symbol }, 0)
    }
  }

  #count(event: CorridorEvent, seen: Observation): void {
    switch (seen.kind) {
      case 'message':
        this.#books.message(seen.feed, seen.symbol, seen.message, event.at.monoNs)
        if (seen.eventTimeNs !== null) {
          this.#metrics.eventLag.observe({ feed: seen.feed }, seconds(event.at.wallNs - seen.eventTimeNs))
        }
        return
      case 'changes':
        this.#books.changes(seen.feed, seen.symbol, seen.count)
        return
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

  /** A trade came twice with different content: the first is kept. */
  conflicted(tradeId: bigint, symbol: string): void {
    this.#metrics.tradeConflicts.inc({ symbol })
    this.#log.error(
      { tradeId: tradeId.toString(), symbol },
      'a trade came twice with different content: the first is kept',
    )
  }

  writeFailed(failureClass: string): void {
    this.#metrics.writeFailures.inc({ class: failureClass })
  }

  journalSynced(tookSeconds: number): void {
    this.#metrics.journalSync.observe(tookSeconds)
  }

  /** Rows of days that nobody made a partition for, by table. */
  foundDefaultRows(rows: Readonly<Record<string, bigint>>): void {
    for (const [table, count] of Object.entries(rows)) this.#metrics.defaultRows.set({ table }, Number(count))
  }

  /** Written segments were let go, partitions made ahead and messages settled. */
  housekept(nowMonoNs: bigint): void {
    this.#housekeptNs = nowMonoNs
  }

  /** Brings everything up to date; called when somebody asks for metrics. */
  gauge(look: Look): void {
    this.#books.count({
      messages: (labels, by) => this.#metrics.messages.inc(labels, by),
      changes: (labels, by) => this.#metrics.changes.inc(labels, by),
    })
    setGauges(this.#metrics, look, { lastMessageNs: this.#books.lastNs(), housekeptNs: this.#housekeptNs })
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
