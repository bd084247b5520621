import type { Logger, Metrics } from '@booktape/runtime'
import type { QuoteAsk } from './config.ts'
import type { PrivateReply } from './private-client.ts'

/** What was seen, as metrics and as log lines. */
export class AccountObserver {
  readonly #log: Logger
  readonly #quotes
  readonly #refusals
  readonly #rows
  readonly #failures
  readonly #answers
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
