import type { Journal, JournalDamageError } from '@booktape/journal'
import { invariant, type MarketRecord } from '@booktape/market'
import type { Clock } from '@booktape/runtime'
import { advance } from '@booktape/session'
import { type Batch, StoreError, type WriteResult } from '@booktape/store'
import { loadCheckpoint } from './checkpoint.ts'
import { replay } from './replay.ts'

/** Records that may wait in memory for the database. Past it the journal is the queue. */
export const MAX_WAITING_RECORDS = 50_000
/** Enough for each statement to pay, few enough for a transaction to stay short. */
export const MAX_BATCH_RECORDS = 5_000
/** Entries without records still move the position: ticks make batches of nothing this large at most. */
export const MAX_BATCH_ENTRIES = 50_000
/** Commits no closer than this: the goal is 100 ms from receive to row, and a commit costs a few ms. */
export const COMMIT_INTERVAL_MS = 40
/** While nothing is recorded the position still moves this often, so that `recorded_until` tells of life. */
export const IDLE_COMMIT_MS = 1_000
const RETRY_FIRST_MS = 250
const RETRY_CAP_MS = 10_000

export type BatchWriter = Readonly<{
  readPosition(): Promise<number>
  write(batch: Batch): Promise<WriteResult>
}>

export type ScribeEvents = Readonly<{
  committed(batch: Batch, result: Extract<WriteResult, { outcome: 'committed' | 'already' }>): void
  failed(failure: Readonly<{ class: string; reason: string; retryInMs: number }>): void
  level(isLevel: boolean): void
}>

/**
 * The database has entries that the journal had lost when it was opened: its disk gave back less than it had confirmed. Going
 * on would give their positions a second time, and the database would take the new entries for the old.
 */
export class LostEntriesError extends Error {
  override name = 'LostEntriesError'

  constructor(written: number, lastPosition: number) {
    super(
      `the database has this journal's entries up to ${written}, but the journal ended at ${lastPosition} when it was opened: ` +
        'its disk lost what it had confirmed; it is set aside and a new one is begun',
    )
  }
}

/**
 * Entries that the live edge acted upon, or the checkpoint they led to, cannot be read again. Its state knows what storage never
 * will, so both must begin anew, from what is left, and disclose the loss alike.
 */
export class DamageFoundError extends Error {
  override name = 'DamageFoundError'

  constructor(what: string, damage?: JournalDamageError) {
    super(`${what}; the recorder begins anew from what is left, and the loss is a gap`, { cause: damage })
  }
}

type Waiting = { position: number; wallNs: bigint; records: readonly MarketRecord[] }

/**
 * Stores what the corridor finds, in the journal's order, each entry once. At the live edge (`level`) it is handed the
 * records; when the database is away and too many wait, it lets them go and later makes the same records again from the
 * journal, which is also how it begins: from the position that Postgres says it has.
 */
export class Scribe {
  readonly #journal: Journal
  readonly #writer: BatchWriter
  readonly #clock: Clock
  readonly #events: ScribeEvents
  #mode: 'behind' | 'level' = 'behind'
  #waiting: Waiting[] = []
  #waitingRecords = 0
  #offeredTo: number
  #written: number | null = null // null until Postgres was asked
  #lastCommitNs = 0n
  #wake: (() => void) | null = null
  #isDraining = false
  readonly #drained = new AbortController()
  #isReachable = true
  readonly #knownDamage: ReadonlySet<number>
  readonly #isLiveBlank: boolean
  readonly #isSuccessor: boolean

  constructor(parts: {
    journal: Journal
    live: Readonly<{ position: number; isBlank: boolean; damage: ReadonlySet<number> }> // where the live edge began
    isSuccessor?: boolean // another journal went before this one, and was lost
    writer: BatchWriter
    clock: Clock
    events: ScribeEvents
  }) {
    this.#journal = parts.journal
    this.#writer = parts.writer
    this.#clock = parts.clock
    this.#events = parts.events
    this.#offeredTo = parts.live.position
    this.#knownDamage = parts.live.damage
    this.#isLiveBlank = parts.live.isBlank
    this.#isSuccessor = parts.isSuccessor ?? false
  }

  /** The last position whose records are in Postgres; null before Postgres was reached. */
  get writtenPosition(): number | null {
    return this.#written
  }

  get backlog(): number {
    return this.#written === null ? this.#offeredTo : this.#offeredTo - this.#written
  }

  /** False while the last try to store failed. */
  get isReachable(): boolean {
    return this.#isReachable
  }

  /** Records of the next entry at the live edge. Never waits, never refuses. */
  offer(position: number, wallNs: bigint, records: readonly MarketRecord[]): void {
    this.#offeredTo = position
    if (this.#mode === 'behind') return
    if (this.#waitingRecords + records.length > MAX_WAITING_RECORDS) return this.#fallBehind()
    this.#waiting.push({ position, wallNs, records })
    this.#waitingRecords += records.length
    this.#wake?.()
  }

  /** Stores until `signal` fires. Fails only with a broken belief. */
  async run(signal: AbortSignal): Promise<void> {
    const wake = (): void => this.#wake?.()
    signal.addEventListener('abort', wake)
    try {
      this.#written = await this.#readPosition(signal)
      while (!signal.aborted && this.#written !== null) {
        if (this.#mode === 'behind') await this.#catchUp(this.#written, signal)
        else await this.#writeWaiting(signal)
      }
    } finally {
      signal.removeEventListener('abort', wake)
    }
  }

  /** From now on nothing new is awaited and no pause is made: `run` may be ended once `backlog` is 0. */
  drain(): void {
    this.#isDraining = true
    this.#isReachable = true // until one more try says otherwise: the last failure may be long past
    this.#drained.abort()
    this.#wake?.()
  }

  async #readPosition(signal: AbortSignal): Promise<number | null> {
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        const position = await this.#writer.readPosition()
        const { lastPosition } = this.#journal.recovery
        if (position > lastPosition) throw new LostEntriesError(position, lastPosition)
        return position
      } catch (error) {
        if (!(error instanceof StoreError) || !OPERATOR_MENDS.has(error.code)) throw error
        await this.#pause(attempt, error.code.toLowerCase(), error.message, signal)
      }
    }
    return null
  }

  /** Makes the records after `written` again from the journal, and joins the live edge without losing an entry between. */
  async #catchUp(written: number, signal: AbortSignal): Promise<void> {
    const checkpoint = await loadCheckpoint(this.#journal, written, this.#isSuccessor)
    if (checkpoint.isBlank && !this.#isLiveBlank) {
      // The one just before the first entry too: the live edge would stand on it again, and storage find it too late, for ever.
      await this.#journal.forgetCheckpointsAfter(checkpoint.position - 1)
      throw new DamageFoundError(`no checkpoint at or before position ${written} can be read`)
    }
    const { state } = checkpoint
    let replayed = checkpoint.position
    let batch: Waiting[] = []
    let records = 0
    let isSaidAgain = false
    let target = this.#journal.syncedPosition
    while (!signal.aborted) {
      for await (const entries of replay(this.#journal, replayed + 1, target, (damage) => this.#onDamage(damage))) {
        for (const { position, wallNs, event } of entries) {
          const step = event === null ? null : advance(state, event)
          replayed = position
          // After damage even what is stored is said again: the gap it makes is new to storage, and rows know themselves.
          isSaidAgain ||= event?.kind === 'damaged'
          if (replayed <= written && !isSaidAgain) continue
          batch.push({ position: replayed, wallNs, records: step?.records ?? [] })
          records += step?.records.length ?? 0
          if (replayed <= written || (records < MAX_BATCH_RECORDS && batch.length < MAX_BATCH_ENTRIES)) continue
          await this.#write(batch, signal)
          batch = []
          records = 0
        }
        if (signal.aborted) return
      }
      if (this.#isLevelMode()) {
        // Everything up to the hand-over is replayed; what was offered since waits behind it.
        this.#waiting.unshift(...batch)
        this.#waitingRecords += records
        return
      }
      target = this.#journal.syncedPosition
      if (target - replayed <= MAX_BATCH_ENTRIES) {
        // Close enough: from here on offers are kept, and the entries before them are read as the last piece.
        target = this.#offeredTo
        this.#mode = 'level'
        this.#waiting = []
        this.#waitingRecords = 0
        this.#events.level(true)
      }
    }
  }

  /** Damage that the live edge passed over too is disclosed by both; what it does not know of, it must learn. */
  async #onDamage(damage: JournalDamageError): Promise<void> {
    if (this.#knownDamage.has(damage.position)) return
    await this.#journal.forgetCheckpointsAfter(damage.position - 1)
    throw new DamageFoundError(damage.message, damage)
  }

  // A method, because control flow analysis cannot know that `offer` may change the mode between two awaits.
  #isLevelMode(): boolean {
    return this.#mode === 'level'
  }

  async #writeWaiting(signal: AbortSignal): Promise<void> {
    const sinceCommitMs = Number((this.#clock.monoNs() - this.#lastCommitNs) / 1_000_000n)
    const dueMs = this.#waitingRecords > 0 || this.#isDraining ? COMMIT_INTERVAL_MS : IDLE_COMMIT_MS
    if (this.#waiting.length === 0 || sinceCommitMs < dueMs) {
      const isFull = this.#waitingRecords >= MAX_BATCH_RECORDS
      if (!isFull) return this.#sleepUntilOffer(Math.max(1, dueMs - sinceCommitMs), signal)
    }
    let count = 0
    let records = 0
    for (const entry of this.#waiting) {
      const isNew = entry.position > (this.#written ?? 0)
      if (isNew && (count >= MAX_BATCH_ENTRIES || records >= MAX_BATCH_RECORDS)) break
      records += entry.records.length
      count++
    }
    const batch = this.#waiting.slice(0, count)
    if ((batch.at(-1)?.position ?? 0) <= (this.#written ?? 0)) return this.#sleepUntilOffer(COMMIT_INTERVAL_MS, signal)
    await this.#write(batch, signal)
    if (!this.#isLevelMode()) return // fell behind meanwhile: the journal gives the rest again
    this.#waiting.splice(0, count)
    this.#waitingRecords -= records
  }

  /** One batch, until it is stored or the signal fires. */
  async #write(waiting: readonly Waiting[], signal: AbortSignal): Promise<void> {
    const last = waiting.at(-1)
    const from = this.#written
    if (last === undefined) return
    invariant(from !== null, 'nothing is written before Postgres was asked for its position')
    const batch: Batch = {
      fromPosition: from,
      toPosition: last.position,
      recordedUntilNs: last.wallNs,
      records: waiting.flatMap((entry) => entry.records),
    }
    for (let attempt = 1; ; attempt++) {
      const result = await this.#writer.write(batch).catch(waitForOperator)
      if (result.outcome !== 'retry') {
        this.#written = batch.toPosition
        this.#isReachable = true
        this.#lastCommitNs = this.#clock.monoNs()
        this.#events.committed(batch, result)
        return
      }
      if (signal.aborted) return
      await this.#pause(attempt, result.class, result.reason, signal)
      if (signal.aborted) return
    }
  }

  async #pause(attempt: number, failureClass: string, reason: string, signal: AbortSignal): Promise<void> {
    const retryInMs = Math.min(RETRY_CAP_MS, RETRY_FIRST_MS * 2 ** Math.min(attempt - 1, 10))
    this.#isReachable = false
    this.#events.failed({ class: failureClass, reason, retryInMs })
    const ended = AbortSignal.any([signal, this.#drained.signal])
    if (!ended.aborted) await this.#clock.sleep(retryInMs, ended).catch(ignoreAbort(ended))
    else if (!signal.aborted) await this.#clock.sleep(RETRY_FIRST_MS, signal).catch(ignoreAbort(signal))
  }

  #fallBehind(): void {
    this.#mode = 'behind'
    this.#waiting = []
    this.#waitingRecords = 0
    this.#events.level(false)
    this.#wake?.()
  }

  async #sleepUntilOffer(ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    const woken = new AbortController()
    // Once something waits, the sleep is for the commit interval alone and is not cut short by every offer.
    this.#wake = (): void => {
      if (
        signal.aborted ||
        this.#isDraining ||
        this.#waitingRecords === 0 ||
        this.#waitingRecords >= MAX_BATCH_RECORDS ||
        ms > COMMIT_INTERVAL_MS
      )
        woken.abort()
    }
    await this.#clock.sleep(ms, woken.signal).catch(ignoreAbort(woken.signal))
    this.#wake = null
  }
}

/** Away, or mended by an operator while we wait: a password, a permission, a certificate, a migration. Nothing is lost meanwhile. */
const OPERATOR_MENDS: ReadonlySet<string> = new Set(['AWAY', 'REFUSED', 'TLS', 'SCHEMA'])

function waitForOperator(error: unknown): Readonly<{ outcome: 'retry'; class: string; reason: string }> {
  if (!(error instanceof StoreError) || !OPERATOR_MENDS.has(error.code)) throw error
  return { outcome: 'retry', class: error.code.toLowerCase(), reason: error.message }
}

function ignoreAbort(signal: AbortSignal): (error: unknown) => void {
  return (error) => {
    if (!signal.aborted) throw error
  }
}
