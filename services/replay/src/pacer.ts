import type { Clock } from '@booktape/runtime'

/** How many times faster than it was recorded; `full`: as fast as it can be read. */
export type Pace = number | 'full'

/** Shorter waits are not worth a timer: what is due within one goes out together. */
const LEAST_WAIT_MS = 1

/** Lets time pass in the recording as in the room, times the pace. */
export class Pacer {
  readonly #pace: Pace
  readonly #clock: Clock
  readonly #fromNs: bigint
  #startedNs: bigint // monotonic, when the recording's first instant was; later by all the time that stood still

  constructor(pace: Pace, clock: Clock, fromNs: bigint) {
    this.#pace = pace
    this.#clock = clock
    this.#fromNs = fromNs
    this.#startedNs = clock.monoNs()
  }

  get isFull(): boolean {
    return this.#pace === 'full'
  }

  /** Time stood still for so long. */
  standStill(ns: bigint): void {
    this.#startedNs += ns
  }

  /** Whether the instant has come, or nearly. */
  isDue(instantNs: bigint): boolean {
    return this.#waitMs(instantNs) < LEAST_WAIT_MS
  }

  /** Resolves when the instant has come, or the signal fires. */
  async passTo(instantNs: bigint, signal: AbortSignal): Promise<void> {
    const waitMs = this.#waitMs(instantNs)
    if (waitMs >= LEAST_WAIT_MS) await this.#clock.sleep(waitMs, signal).catch(() => undefined)
  }

  #waitMs(instantNs: bigint): number {
    if (this.#pace === 'full') return 0
    const passedMs = Number(this.#clock.monoNs() - this.#startedNs) / 1e6
    return Number(instantNs - this.#fromNs) / 1e6 / this.#pace - passedMs // a double holds a century of these
  }
}
