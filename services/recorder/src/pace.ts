import type { Pace as PaceLook } from './status-wire.ts'

/** Ten minutes, as fine as a chart of some hundred pixels shows them. */
export const PACE_EVERY_MS = 2_000
export const PACE_SAMPLES = 300
/** Without a commit for so long, rows are late whatever the last one said: an idle recorder commits once a second. */
export const LATE_AFTER_MS = 3_000

const NS_PER_MS = 1_000_000n

/** What storing looked like over the last minutes: the backlog, and how long the slowest message took to be committed. */
export class Pace {
  readonly #lagMs: (number | null)[] = []
  readonly #backlog: number[] = []
  #atNs: bigint | null = null // wall clock, of the last sample
  #dueNs: bigint | null = null // monotonic
  #slowestMs: number | null = null // since the last sample
  #lastLagMs: number | null = null

  /** A batch was committed, whose slowest message took so long. */
  committed(lagMs: number): void {
    this.#slowestMs = Math.max(this.#slowestMs ?? 0, lagMs)
  }

  /** To be called more often than samples are taken. `recordedUntilNs`: the last instant that is wholly stored. */
  tick(now: Readonly<{ wallNs: bigint; monoNs: bigint }>, backlog: number, recordedUntilNs: bigint | null): void {
    if (this.#dueNs !== null && now.monoNs < this.#dueNs) return
    this.#dueNs = now.monoNs + BigInt(PACE_EVERY_MS) * NS_PER_MS
    this.#atNs = now.wallNs
    const behindMs = recordedUntilNs === null ? null : Number((now.wallNs - recordedUntilNs) / NS_PER_MS)
    if (behindMs !== null && behindMs > LATE_AFTER_MS) this.#lastLagMs = behindMs
    else this.#lastLagMs = this.#slowestMs ?? this.#lastLagMs
    this.#slowestMs = null
    add(this.#lagMs, this.#lastLagMs)
    add(this.#backlog, backlog)
  }

  look(): PaceLook {
    return {
      everyMs: PACE_EVERY_MS,
      atMs: Number((this.#atNs ?? 0n) / NS_PER_MS),
      lagMs: this.#lagMs,
      backlog: this.#backlog,
    }
  }
}

function add<T>(samples: T[], sample: T): void {
  samples.push(sample)
  if (samples.length > PACE_SAMPLES) samples.shift()
}
