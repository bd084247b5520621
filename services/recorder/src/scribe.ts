import { type Journal, type JournalDamageError, JournalError } from '@booktape/journal'
import { invariant, type MarketRecord } from '@booktape/market'
import { type Clock, linkSignals } from '@booktape/runtime'
import { advance } from '@booktape/session'
import { type Batch, type GatheredRows, StoreError, type WriteResult } from '@booktape/store'
import { type Checkpoint, loadCheckpoint } from './checkpoint.ts'
import { replay } from './replay.ts'

/** Rows that may wait in memory for the database. Past it the journal is the queue. */
export const MAX_WAITING_BYTES = 64 * 2 ** 20
/** Enough for each statement to pay, few enough for a transaction to stay short. */
export const MAX_BATCH_RECORDS = 10_000
/** Whole books are big: some hundred of them make a batch by themselves. */
export const MAX_BATCH_BYTES = 8 * 2 ** 20
/** Records that may wait for the last piece of what is made again from the journal. */
export const MAX_EARLY_RECORDS = 50_000
/** Entries without records still move the position: ticks make batches of nothing this large at most. */
export const MAX_BATCH_ENTRIES = 50_000
/** Commits no closer than this: the goal is 100 ms from receive to row, and a commit costs a few ms. */
export const COMMIT_INTERVAL_MS = 40
/** While nothing is recorded the position still moves this often, so that `recorded_until` tells of life. */
export const IDLE_COMMIT_MS = 1_000
const RETRY_FIRST_MS = 250
const RETRY_CAP_MS = 3_000

/** The records of one batch, in whatever form its writer wants them; `bytes` is about what they hold in memory. */
export type Gathering = { add(record: MarketRecord): void; readonly bytes: number }

/** What is gathered and what it covers. */
export type Gathered<G> = Omit<Batch, 'records'> & Readonly<{ records: G }>

export type BatchWriter<G extends Gathering = GatheredRows> = Readonly<{
  readPosition(): Promise<number>
  gather(): G
  write(batch: Gathered<G>): Promise<WriteResult>
}>

export type ScribeEvents<G = GatheredRows> = Readonly<{
  committed(batch: Gathered<G>, result: Extract<WriteResult, { outcome: 'committed' | 'already' }>): void
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

type Offer = Readonly<{ position: number; wallNs: bigint; records: readonly MarketRecord[] }>

/** A batch as it gathers: the entries up to `position`. */
type Waiting<G> = { readonly gathered: G; position: number; wallNs: bigint; records: number; entries: number }

/**
 * Stores what the corridor finds, in the journal's order, each entry once. At the live edge (`level`) it is handed the
 * records; when the database is away and too many wait, it lets them go and later makes the same records again from the
 * journal, which is also how it begins: from the position that Postgres says it has.
 */
export class Scribe<G extends Gathering = GatheredRows> {
  readonly #journal: Journal
  readonly #writer: BatchWriter<G>
  readonly #clock: Clock
  readonly #events: ScribeEvents<G>
  #mode: 'behind' | 'level' = 'behind'
  #waiting: Waiting<G>[] = [] // all but the last are full, or being written
  #early: Offer[] | null = null // while what goes before is still made again from the journal
  #earlyRecords = 0
  #offeredTo: number
  #written: number | null = null // null until Postgres was asked
  #furthest = 0 // the last position that this journal was ever seen to have in a database
  #lastCommitNs = 0n
  #wake: (() => void) | null = null
  #isDraining = false
  readonly #drained = new AbortController()
  #isReachable = true
  readonly #knownDamage: ReadonlySet<number>
  readonly #liveBlankFrom: number | null
  readonly #isSuccessor: boolean

  constructor(parts: {
    journal: Journal
    live: Readonly<{ position: number; blankFrom: number | null; damage: ReadonlySet<number> }> // where the live edge began
    isSuccessor?: boolean // another journal went before this one, and was lost
    writer: BatchWriter<G>
    clock: Clock
    events: ScribeEvents<G>
  }) {
    this.#journal = parts.journal
    this.#writer = parts.writer
    this.#clock = parts.clock
    this.#events = parts.events
    this.#offeredTo = parts.live.position
    this.#knownDamage = parts.live.damage
    this.#liveBlankFrom = parts.live.blankFrom
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
    if (this.#early !== null) {
      this.#early.push({ position, wallNs, records })
      this.#earlyRecords += records.length
      if (this.#earlyRecords > MAX_EARLY_RECORDS) this.#fallBehind()
      return
    }
    this.#keep({ position, wallNs, records })
    this.#wake?.()
  }

  /** Stores until `signal` fires. Fails only with a broken belief. */
  async run(signal: AbortSignal): Promise<void> {
    const wake = (): void => this.#wake?.()
    signal.addEventListener('abort', wake)
    try {
      const { lastPosition } = this.#journal.recovery
      this.#furthest = lastPosition // of an earlier life, whose last commit may only now be through
      this.#written = await this.#readPosition(signal)
      if (this.#written !== null && this.#written > lastPosition)
        throw new LostEntriesError(this.#written, lastPosition)
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
        return await this.#writer.readPosition()
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
    // An empty state knows what came after it began, and nothing else: the live edge's is the same only if it began there too.
    if (checkpoint.blankFrom !== null && checkpoint.blankFrom !== this.#liveBlankFrom) {
      // The one just before the first entry too: the live edge would stand on it again, and storage find it too late, for ever.
      await this.#journal.forgetCheckpointsAfter(checkpoint.position - 1)
      throw new DamageFoundError(`no checkpoint at or before position ${written} can be read`)
    }
    const writing = new OneAtATime((batch: Waiting<G>) => this.#write(batch, signal))
    try {
      await this.#replayFrom(checkpoint, written, writing, signal)
    } catch (error) {
      // Let go on the word of a database that has given way to an older one since: the next try begins with what is left.
      if (!(error instanceof JournalError) || error.code !== 'RELEASED') throw error
    } finally {
      await writing.settled()
    }
  }

  /** While one batch is written the next is made: neither the database nor this process waits for the other. */
  async #replayFrom(
    checkpoint: Checkpoint,
    written: number,
    writing: OneAtATime<Waiting<G>>,
    signal: AbortSignal,
  ): Promise<void> {
    const { state } = checkpoint
    let replayed = checkpoint.position
    let batch = this.#newWaiting()
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
          take(batch, { position: replayed, wallNs, records: step?.records ?? [] })
          if (replayed <= written || !isFull(batch)) continue
          if (!(await writing.next(batch))) return
          batch = this.#newWaiting()
        }
        if (signal.aborted) return
      }
      if (this.#isLevelMode()) {
        if (!(await writing.done()) || !this.#isLevelMode()) return
        // Everything up to the hand-over is replayed; what was offered since follows it.
        this.#waiting = [batch]
        const early = this.#early ?? []
        this.#early = null
        for (const offer of early) if (this.#isLevelMode()) this.#keep(offer)
        return
      }
      target = this.#journal.syncedPosition
      if (target - replayed <= MAX_BATCH_ENTRIES) {
        // Close enough: from here on offers are kept, and the entries before them are read as the last piece.
        target = this.#offeredTo
        this.#mode = 'level'
        this.#early = []
        this.#earlyRecords = 0
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
    const first = this.#waiting[0]
    const hasRecords = this.#waiting.some(({ records }) => records > 0)
    const dueMs = hasRecords || this.#isDraining ? COMMIT_INTERVAL_MS : IDLE_COMMIT_MS
    if (first === undefined || first.entries === 0 || (sinceCommitMs < dueMs && !isFull(first))) {
      return this.#sleepUntilOffer(Math.max(1, dueMs - sinceCommitMs), signal)
    }
    // What is only said again after damage moves nothing forward by itself: it goes with the first entry that does.
    if (first.position <= (this.#written ?? 0)) return this.#sleepUntilOffer(COMMIT_INTERVAL_MS, signal)
    if (this.#waiting.length === 1) this.#waiting.push(this.#newWaiting()) // what comes while it is written is the next batch
    if (!(await this.#write(first, signal)) || !this.#isLevelMode()) return // fell behind meanwhile: the journal gives the rest again
    this.#waiting.shift()
  }

  /** One batch, until it is stored. False when it was not: the signal fired, or the position moved. */
  async #write(waiting: Waiting<G>, signal: AbortSignal): Promise<boolean> {
    const from = this.#written
    invariant(from !== null, 'nothing is written before Postgres was asked for its position')
    const batch: Gathered<G> = {
      fromPosition: from,
      toPosition: waiting.position,
      recordedUntilNs: waiting.wallNs,
      records: waiting.gathered,
    }
    for (let attempt = 1; ; attempt++) {
      const result = await this.#writer.write(batch).catch(positionMoved).catch(waitForOperator)
      if (result instanceof StoreError) {
        await this.#goOnElsewhere(result, signal)
        return false
      }
      if (result.outcome !== 'retry') {
        this.#written = batch.toPosition
        this.#furthest = Math.max(this.#furthest, batch.toPosition)
        this.#isReachable = true
        this.#lastCommitNs = this.#clock.monoNs()
        this.#events.committed(batch, result)
        return true
      }
      if (signal.aborted) return false
      await this.#pause(attempt, result.class, result.reason, signal)
      if (signal.aborted) return false
    }
  }

  /**
   * Another database answers than the one that took the last batch: a standby took over without our last commits, the old primary
   * came back, or a backup was restored. Each has the journal up to a position of its own, and what follows is stored there
   * from the journal; rows know themselves, so nothing is there twice.
   *
   *   written 100, found 80   a copy that lacks the last 20: they are stored again
   *   written 80, found 100   the first one again, which had been given them: it goes on at 100
   *   written 80, found more than this journal ever had stored: someone else writes it, which nobody can mend here
   */
  async #goOnElsewhere(moved: StoreError, signal: AbortSignal): Promise<void> {
    const found = await this.#readPosition(signal)
    if (found === null) return
    if (found > this.#furthest) throw moved
    this.#written = found
    this.#fallBehind()
    await this.#pause(1, moved.code.toLowerCase(), moved.message, signal) // two that answer in turn are no reason to hurry
  }

  async #pause(attempt: number, failureClass: string, reason: string, signal: AbortSignal): Promise<void> {
    const retryInMs = Math.min(RETRY_CAP_MS, RETRY_FIRST_MS * 2 ** Math.min(attempt - 1, 10))
    this.#isReachable = false
    this.#events.failed({ class: failureClass, reason, retryInMs })
    const { signal: ended, release } = linkSignals(signal, this.#drained.signal)
    if (!ended.aborted) await this.#clock.sleep(retryInMs, ended).catch(ignoreAbort(ended)).finally(release)
    else if (!signal.aborted) await this.#clock.sleep(RETRY_FIRST_MS, signal).catch(ignoreAbort(signal))
  }

  #keep(offer: Offer): void {
    const gathering = this.#gathering()
    take(gathering, offer)
    if (isFull(gathering) && this.#waitingBytes() > MAX_WAITING_BYTES) this.#fallBehind()
  }

  /** The batch that takes the next entry. */
  #gathering(): Waiting<G> {
    const last = this.#waiting.at(-1)
    if (last !== undefined && (!isFull(last) || last.position <= (this.#written ?? 0))) return last
    const next = this.#newWaiting()
    this.#waiting.push(next)
    return next
  }

  #newWaiting(): Waiting<G> {
    return { gathered: this.#writer.gather(), position: 0, wallNs: 0n, records: 0, entries: 0 }
  }

  #waitingBytes(): number {
    return this.#waiting.reduce((sum, { gathered }) => sum + gathered.bytes, 0)
  }

  #fallBehind(): void {
    this.#mode = 'behind'
    this.#waiting = []
    this.#early = null
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
        !this.#waiting.some(({ records }) => records > 0) ||
        this.#waiting.some(isFull) ||
        ms > COMMIT_INTERVAL_MS
      )
        woken.abort(WOKEN)
    }
    await this.#clock.sleep(ms, woken.signal).catch(ignoreAbort(woken.signal))
    this.#wake = null
  }
}

/** Given as a reason because without one an abort makes an error, with its stack, some dozen times a second. */
const WOKEN = 'woken'

/** Runs one job while the next is prepared. A job that gives false is the last. */
class OneAtATime<T> {
  readonly #run: (job: T) => Promise<boolean>
  #running: Promise<boolean> = Promise.resolve(true)

  constructor(run: (job: T) => Promise<boolean>) {
    this.#run = run
  }

  /** Begins a job once the one before it is done; false when that one was the last. Throws what that one threw. */
  async next(job: T): Promise<boolean> {
    if (!(await this.#running)) return false
    this.#running = this.#run(job)
    this.#running.catch(() => undefined) // thrown to whoever asks next
    return true
  }

  done(): Promise<boolean> {
    return this.#running
  }

  async settled(): Promise<void> {
    await this.#running.catch(() => undefined)
  }
}

function take<G extends Gathering>(waiting: Waiting<G>, { position, wallNs, records }: Offer): void {
  for (const record of records) waiting.gathered.add(record)
  waiting.records += records.length
  waiting.position = position
  waiting.wallNs = wallNs
  waiting.entries++
}

function isFull({ gathered, records, entries }: Waiting<Gathering>): boolean {
  return records >= MAX_BATCH_RECORDS || entries >= MAX_BATCH_ENTRIES || gathered.bytes >= MAX_BATCH_BYTES
}

/** Away, or mended by an operator while we wait: a password, a permission, a certificate, a migration. Nothing is lost meanwhile. */
export const OPERATOR_MENDS: ReadonlySet<string> = new Set(['AWAY', 'REFUSED', 'TLS', 'SCHEMA'])

function waitForOperator(error: unknown): Readonly<{ outcome: 'retry'; class: string; reason: string }> {
  if (!(error instanceof StoreError) || !OPERATOR_MENDS.has(error.code)) throw error
  return { outcome: 'retry', class: error.code.toLowerCase(), reason: error.message }
}

/** As a value: it is mended by asking where the journal stands. */
function positionMoved(error: unknown): StoreError {
  if (!(error instanceof StoreError) || error.code !== 'POSITION_MOVED') throw error
  return error
}

function ignoreAbort(signal: AbortSignal): (error: unknown) => void {
  return (error) => {
    if (!signal.aborted) throw error
  }
}
