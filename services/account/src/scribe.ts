import { type Journal, JournalDamageError } from '@booktape/journal'
import { type Clock, linkSignals } from '@booktape/runtime'
import {
  ACCOUNT_TABLES,
  type AccountBatch,
  type AccountPosition,
  type AccountRows,
  type AccountWriteResult,
  noAccountRows,
  StoreError,
} from '@booktape/store'
import { type AccountState, advance, NEW_STATE, quarantineRow } from './advance.ts'
import { readEntry } from './event.ts'
import { readState, writeState } from './state-text.ts'

/** What is private is little: a batch of this many entries is far more than a second brings. */
export const MAX_BATCH_ENTRIES = 2_000
const RETRY_FIRST_MS = 250
const RETRY_CAP_MS = 5_000
/** How long after an entry its batch begins, so that those of one burst go together. */
const GATHER_MS = 20

/** The database has entries that the journal had lost when it was opened: going on would give their positions a second time. */
export class LostEntriesError extends Error {
  override name = 'LostEntriesError'

  constructor(written: number, syncedPosition: number) {
    super(`the database has this journal's entries up to ${written}, but its disk gave back only ${syncedPosition}`)
  }
}

export type ScribeParts = Readonly<{
  journal: Pick<Journal, 'read' | 'syncedPosition'>
  writer: Readonly<{
    readPosition(state: unknown): Promise<AccountPosition>
    write(batch: AccountBatch): Promise<AccountWriteResult>
  }>
  clock: Clock
  events: Readonly<{
    committed(rows: Readonly<Record<string, number>>): void
    damaged(reason: string): void // entries cannot be read again: what they told is told by a new subscription at best
    failed(failure: Readonly<{ class: string; reason: string; retryInMs: number }>): void
  }>
}>

/**
 * Stores what the journal holds, in its order, each entry once. Always from the journal on disk: what is private is little, and so the
 * live edge, a database that was away and a restart are one way. The state goes with the position, in the same transaction.
 */
export class AccountScribe {
  readonly #parts: ScribeParts
  readonly #drained = new AbortController()
  #written: number | null = null // null until Postgres was asked
  #state: AccountState = structuredClone(NEW_STATE)
  #isReachable = true
  #wake: (() => void) | null = null

  constructor(parts: ScribeParts) {
    this.#parts = parts
  }

  get writtenPosition(): number | null {
    return this.#written
  }

  /** Entries on disk and not yet in Postgres. */
  get backlog(): number {
    return this.#parts.journal.syncedPosition - (this.#written ?? 0)
  }

  /** False while the last try to store failed. */
  get isReachable(): boolean {
    return this.#isReachable
  }

  /** There is more in the journal. */
  wake(): void {
    this.#wake?.()
  }

  /** From now on no pause is made: `run` may be ended once `backlog` is 0. */
  drain(): void {
    this.#isReachable = true // until one more try says otherwise
    this.#drained.abort()
    this.wake()
  }

  /** Stores until the signal. @throws LostEntriesError; StoreError for what an operator must mend. */
  async run(signal: AbortSignal): Promise<void> {
    const stop = (): void => this.wake()
    signal.addEventListener('abort', stop)
    try {
      const first = await this.#insist(() => this.#parts.writer.readPosition(writeState(NEW_STATE)), signal)
      if (first === null) return
      this.#resumeFrom(first)
      while (!signal.aborted) {
        if (this.backlog === 0) await this.#untilWoken(signal)
        else await this.#storeNext(signal)
      }
    } finally {
      signal.removeEventListener('abort', stop)
    }
  }

  #resumeFrom({ position, state }: AccountPosition): void {
    const { syncedPosition } = this.#parts.journal
    if (position > syncedPosition) throw new LostEntriesError(position, syncedPosition)
    this.#written = position
    this.#state = readState(state)
  }

  async #storeNext(signal: AbortSignal): Promise<void> {
    const batch = await this.#gather()
    const result = await this.#insist(async () => {
      const written = await this.#parts.writer.write(batch).catch(movedOr)
      if (written !== 'moved' && written.outcome === 'retry') throw new RetryLater(written.class, written.reason)
      return written
    }, signal)
    if (result === null) return
    if (result === 'moved') {
      // A database that took over or was restored: it says where it stands, and gets the rest again.
      const found = await this.#insist(() => this.#parts.writer.readPosition(writeState(NEW_STATE)), signal)
      if (found !== null) this.#resumeFrom(found)
      return
    }
    this.#written = batch.toPosition
    this.#state = readState(batch.state)
    if (result.outcome === 'committed') this.#parts.events.committed(result.rows)
  }

  /** The rows of the next entries. Some that cannot be read again are one row that says so. */
  async #gather(): Promise<AccountBatch> {
    const { journal } = this.#parts
    const fromPosition = this.#written ?? 0
    const state = structuredClone(this.#state)
    const rows = noAccountRows()
    const to = Math.min(journal.syncedPosition, fromPosition + MAX_BATCH_ENTRIES)
    let toPosition = fromPosition
    let recordedUntilNs = 0n
    try {
      for await (const entries of journal.read(fromPosition + 1, to)) {
        for (const entry of entries) {
          toPosition = entry.position
          recordedUntilNs = entry.wallNs
          const event = readEntry(entry)
          if (event !== null) append(rows, advance(state, entry.position, event).rows)
        }
      }
    } catch (error) {
      if (!(error instanceof JournalDamageError)) throw error
      if (toPosition > fromPosition)
        return { fromPosition, toPosition, recordedUntilNs, state: writeState(state), rows }
      toPosition = error.resumesAt - 1
      recordedUntilNs = this.#parts.clock.wallNs()
      rows.quarantine.push(quarantineRow(toPosition, recordedUntilNs, 'journal', error.message, ''))
      const at = { wallNs: recordedUntilNs, monoNs: this.#parts.clock.monoNs() }
      append(rows, advance(state, toPosition, { kind: 'damaged', at }).rows)
      this.#parts.events.damaged(error.message)
    }
    return { fromPosition, toPosition, recordedUntilNs, state: writeState(state), rows }
  }

  /** Until it works; null when the signal came first. What an operator must mend is thrown. */
  async #insist<T>(attempt: () => Promise<T>, signal: AbortSignal): Promise<T | null> {
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        const result = await attempt()
        this.#isReachable = true
        return result
      } catch (error) {
        const trouble = troubleOf(error)
        const retryInMs = Math.min(RETRY_FIRST_MS * 2 ** Math.min(failures, 10), RETRY_CAP_MS)
        this.#isReachable = false
        this.#parts.events.failed({ ...trouble, retryInMs })
        await this.#pause(retryInMs, signal)
      }
    }
    return null
  }

  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    const either = linkSignals(signal, this.#drained.signal)
    await this.#parts.clock.sleep(ms, either.signal).catch(() => undefined)
    either.release()
  }

  async #untilWoken(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve
      if (signal.aborted || this.backlog > 0) resolve()
    })
    this.#wake = null
    if (!this.#drained.signal.aborted) await this.#pause(GATHER_MS, signal)
  }
}

function movedOr(error: unknown): 'moved' {
  if (error instanceof StoreError && error.code === 'POSITION_MOVED') return 'moved'
  throw error
}

class RetryLater extends Error {
  readonly retryClass: string

  constructor(retryClass: string, reason: string) {
    super(reason)
    this.retryClass = retryClass
  }
}

/** What a pause may cure, by its class; everything else is thrown. */
function troubleOf(error: unknown): Readonly<{ class: string; reason: string }> {
  if (error instanceof RetryLater) return { class: error.retryClass, reason: error.message }
  if (error instanceof StoreError && error.code !== 'UNSTORABLE')
    return { class: error.code.toLowerCase(), reason: error.message }
  throw error
}

function append(to: AccountRows, from: AccountRows): void {
  for (const table of ACCOUNT_TABLES) (to[table] as unknown[]).push(...from[table])
}
