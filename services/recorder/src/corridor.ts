import type { Entry, Journal } from '@booktape/journal'
import type { Clock } from '@booktape/runtime'
import { advance, type CorridorState, type Order } from '@booktape/session'
import { type Checkpoint, saveCheckpoint } from './checkpoint.ts'
import { readEntry, type WrittenEvent, writeEntry } from './entries.ts'
import type { Observer } from './observe.ts'
import type { Scribe } from './scribe.ts'

/**
 * The corridor: read this file first. Every message walks it once, forward.
 *
 *   note ──► journal ──synced──► advance ──► records ──► scribe ──► Postgres
 *    ▲                              │
 *    └──────── fleet ◄── orders ────┘
 *
 * `note` writes down what happened. Once it is on disk, `advance` (packages/session) moves the state by it; the facts that
 * follow go to the scribe, which stores them in its own time, and the orders go back to the sockets. Nothing here waits for
 * the database: a scribe that falls behind reads what it missed from the journal.
 */
export class Corridor {
  readonly #journal: Journal
  readonly #clock: Clock
  readonly #scribe: Pick<Scribe, 'offer'>
  readonly #observer: Pick<Observer, 'observe' | 'journalSynced'>
  readonly #obey: (orders: readonly Order[]) => void
  readonly #state: CorridorState
  readonly #onCheckpointFailure: (error: unknown) => void
  #position: number

  constructor(parts: {
    journal: Journal
    clock: Clock
    live: Checkpoint // the state at the end of the journal
    scribe: Pick<Scribe, 'offer'>
    observer: Pick<Observer, 'observe' | 'journalSynced'>
    obey: (orders: readonly Order[]) => void
    onCheckpointFailure: (error: unknown) => void
  }) {
    this.#journal = parts.journal
    this.#clock = parts.clock
    this.#scribe = parts.scribe
    this.#observer = parts.observer
    this.#obey = parts.obey
    this.#state = parts.live.state
    this.#onCheckpointFailure = parts.onCheckpointFailure
    this.#position = parts.live.position
    this.#journal.onSynced((entries) => this.#take(entries))
    // A segment begins: the state now is the one after the last entry before it.
    this.#journal.onSegment(() => this.#checkpoint())
  }

  get state(): Readonly<CorridorState> {
    return this.#state
  }

  /** The last entry that the state has taken in. */
  get position(): number {
    return this.#position
  }

  /** Writes down what happened. It takes effect when it is on disk. */
  note(event: WrittenEvent): void {
    this.#journal.append(writeEntry(event))
  }

  async saveCheckpoint(): Promise<void> {
    await saveCheckpoint(this.#journal, this.#position, this.#state)
  }

  #take(entries: readonly Entry[]): void {
    const [oldest] = entries
    if (oldest !== undefined) this.#observer.journalSynced(Number(this.#clock.monoNs() - oldest.monoNs) / 1e9)
    for (const entry of entries) {
      const event = readEntry(entry)
      this.#position = entry.position
      if (event === null) continue
      const step = advance(this.#state, event)
      this.#observer.observe(event, step)
      this.#scribe.offer(entry.position, event.at.wallNs, step.records)
      if (step.orders.length > 0) this.#obey(step.orders)
      // A full journal lets go up to a checkpoint, and begins no segment any more: where all older ones are damaged, this one helps.
      if (event.kind === 'suspended') this.#checkpoint()
    }
  }

  #checkpoint(): void {
    this.saveCheckpoint().catch(this.#onCheckpointFailure)
  }
}
