import type { Logger, Metrics } from '@booktape/runtime'
import type { QuoteAsk } from './config.ts'
import type { PrivateReply } from './private-client.ts'
import type { GapCause, StreamObservation } from './stream.ts'

/** Gaps that an operator made. */
const QUIET_CAUSES: readonly GapCause[] = ['first_start', 'restart', 'stop']

/** What was seen, as metrics and as log lines. */
export class AccountObserver {
  readonly #log: Logger
  readonly #quotes
  readonly #refusals
  readonly #rows
  readonly #failures
  readonly #answers
  readonly #live
  readonly #messages
  readonly #gaps
  readonly #connects
  readonly #anomalies
  readonly #backlog
  readonly #journalBytes

  constructor(metrics: Metrics, log: Logger) {
    this.#log = log
    this.#quotes = metrics.counter('instant_quotes_total', 'Instant quotes asked for, by what came of it.', [
      'symbol',
      'side',
      'result',
    ])
    this.#refusals = metrics.counter('private_refusals_total', 'Signed requests that were refused.', ['reason'])
    this.#rows = metrics.counter('account_rows_written_total', 'Rows stored in schema account.', ['table'])
    this.#failures = metrics.counter('write_failures_total', 'Tries to store that failed.', ['class'])
    this.#answers = metrics.counter('instant_quotes_priced_total', 'Quotes that the recorded book gave an answer to.')
    this.#live = metrics.gauge('account_feed_live', 'Whether every event of the account is heard on the feed.', [
      'feed',
    ])
    this.#messages = metrics.counter('account_messages_total', 'Messages of the private feeds.', ['feed', 'message'])
    this.#gaps = metrics.counter('account_gaps_total', 'Times in which a feed of the account was not heard.', [
      'feed',
      'cause',
    ])
    this.#connects = metrics.counter('account_connects_total', 'Connections to the private feeds, and their ends.', [
      'feed',
      'result',
    ])
    this.#anomalies = metrics.counter('account_anomalies_total', 'Odd but harmless messages.', ['feed', 'anomaly'])
    this.#backlog = metrics.gauge('backlog_messages', 'Entries on disk and not yet stored.')
    this.#journalBytes = metrics.gauge('journal_bytes', 'Bytes of the journal on disk.')
  }

  replied({ symbol, side }: QuoteAsk, reply: PrivateReply): void {
    this.#quotes.inc({ symbol, side, result: reply.kind })
    if (reply.kind === 'failed') this.#log.warn({ symbol, side, reason: reply.reason }, 'no quote came')
    if (reply.kind !== 'refused') return
    const { reason, remedy, sentence } = reply.refusal
    this.#refusals.inc({ reason: reason ?? 'unknown' })
    const level = remedy === 'operator' ? 'error' : 'warn'
    this.#log[level]({ symbol, side, reason, remedy, explanation: sentence }, 'a quote was refused')
  }

  saw(observations: readonly StreamObservation[]): void {
    for (const seen of observations) {
      const { feed } = seen
      switch (seen.kind) {
        case 'message':
          this.#messages.inc({ feed, message: seen.message })
          break
        case 'anomaly':
          this.#anomalies.inc({ feed, anomaly: seen.anomaly })
          break
        case 'live':
          this.#live.set({ feed }, 1)
          this.#log.info({ feed }, 'the feed of the account is live')
          break
        case 'gap':
          this.#live.set({ feed }, 0)
          this.#gaps.inc({ feed, cause: seen.cause })
          this.#log[QUIET_CAUSES.includes(seen.cause) ? 'info' : 'warn'](
            { feed, cause: seen.cause },
            'a feed of the account has a gap',
          )
          break
        case 'connect':
          this.#connects.inc({ feed, result: seen.result })
          this.#log[seen.result === 'opened' ? 'info' : 'warn'](
            { feed, reason: seen.reason },
            `connection ${seen.result}`,
          )
      }
    }
  }

  stored(rows: Readonly<Record<string, number>>): void {
    for (const [table, count] of Object.entries(rows)) if (count > 0) this.#rows.inc({ table }, count)
    if ((rows['quarantine'] ?? 0) > 0)
      this.#log.warn({ rows: rows['quarantine'] }, 'what could not be read is in quarantine')
  }

  writeFailed(failure: Readonly<{ class: string; reason: string; retryInMs: number }>): void {
    this.#failures.inc({ class: failure.class })
    this.#log.warn(failure, 'the database takes no rows now: they wait in the journal')
  }

  priced(count: number): void {
    this.#answers.inc(count)
  }

  gauge(backlog: number, journalBytes: number): void {
    this.#backlog.set(backlog)
    this.#journalBytes.set(journalBytes)
  }
}
