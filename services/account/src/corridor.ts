import type { Journal } from '@booktape/journal'
import type { Instant } from '@booktape/session'
import { type AccountState, advance, NEW_STATE } from './advance.ts'
import { type AccountEvent, writeEntry } from './event.ts'
import type { StreamObservation, StreamOrder } from './stream.ts'

/**
 * The live edge: every event goes into the journal, moves a state of its own, and its orders are obeyed. Rows are not made here: Postgres
 * is given those that the journal gives (`scribe.ts`). A run begins with a state that knows nothing: `started` ends whatever an earlier
 * one left open, so the orders are the same.
 */
export class AccountCorridor {
  readonly #journal: Pick<Journal, 'append' | 'isFull'>
  readonly #obey: (orders: readonly StreamOrder[]) => void
  readonly #observe: (observations: readonly StreamObservation[]) => void
  readonly #state: AccountState = structuredClone(NEW_STATE)
  #isFull = false

  constructor(
    parts: Readonly<{
      journal: Pick<Journal, 'append' | 'isFull'>
      obey: (orders: readonly StreamOrder[]) => void
      observe: (observations: readonly StreamObservation[]) => void
    }>,
  ) {
    this.#journal = parts.journal
    this.#obey = parts.obey
    this.#observe = parts.observe
  }

  /** The feeds that do not hear everything now, in words; none when all is well. */
  get missing(): readonly string[] {
    return Object.values(this.#state.streams).flatMap(({ feed, gap }) => (gap === null ? [] : [feed]))
  }

  note(event: AccountEvent): void {
    const position = this.#journal.append(writeEntry(event))
    const { orders, observations } = advance(this.#state, position, event)
    if (observations.length > 0) this.#observe(observations)
    if (orders.length > 0) this.#obey(orders)
  }

  /** Time passes. A full journal ends all connections, and the room that is left is for saying so. `changed` says that it is, or is not any more. */
  tick(at: Instant): 'full' | 'room' | null {
    const { isFull } = this.#journal
    if (isFull === this.#isFull) {
      if (!isFull) this.note({ kind: 'tick', at })
      return null
    }
    this.#isFull = isFull
    this.note({ kind: isFull ? 'suspended' : 'resumed', at })
    return isFull ? 'full' : 'room'
  }

  /** Subscribes anew: what entries told that cannot be read again is told by the venue once more, as far as it is still so. */
  renew(at: Instant): void {
    if (this.#isFull) return
    this.note({ kind: 'suspended', at })
    this.note({ kind: 'resumed', at })
  }
}
