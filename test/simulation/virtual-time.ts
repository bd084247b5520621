import type { Clock } from '@booktape/runtime'

/** Who is called back: one that is dead is called no more, one that is stalled only when it goes on. */
export type Gate = { isDead: boolean; stalledUntilUs: number }

export const US_PER_MS = 1_000
export const US_PER_S = 1_000_000
const NS_PER_US = 1_000n

/** Midday, so that neither a short run nor a jump of an hour changes the day. */
export const START_WALL_NS = 1_790_769_600_000_000_000n

type Appointment = { readonly gate: Gate | null; run: (() => void) | null; us: number; order: number }

/**
 * All time there is: what happens next, in the order of virtual microseconds, and of agreement where those are equal. Nothing
 * in a simulated world waits for a real clock.
 */
export class VirtualTime {
  nowUs = US_PER_S // monotonic clocks start somewhere
  /** Counts whatever moved: while it grows, there may be more to run at this instant. */
  activity = 0
  readonly #heap: Appointment[] = []
  #agreed = 0

  get monoNs(): bigint {
    return BigInt(this.nowUs) * NS_PER_US
  }

  /** The true time of day. What a process reads may be off. */
  get wallNs(): bigint {
    return START_WALL_NS + this.monoNs
  }

  /** When the next thing happens; infinity when nothing does. */
  get nextUs(): number {
    return this.#heap[0]?.us ?? Number.POSITIVE_INFINITY
  }

  /** Calls `run` after the delay, through the gate. Returns how to call it off. */
  after(delayUs: number, gate: Gate | null, run: () => void): () => void {
    const appointment: Appointment = {
      gate,
      run,
      us: this.nowUs + Math.max(0, Math.round(delayUs)),
      order: this.#agreed++,
    }
    this.#add(appointment)
    this.activity++
    return () => {
      appointment.run = null
    }
  }

  every(intervalUs: number, gate: Gate | null, run: () => void): () => void {
    let cancel = (): void => undefined
    const again = (): void => {
      cancel = this.after(intervalUs, gate, again)
      run()
    }
    cancel = this.after(intervalUs, gate, again)
    return () => cancel()
  }

  /** Runs the one thing that is next, if it is due by `untilUs`; the time moves to it. False when there is none. */
  runNext(untilUs: number): boolean {
    const next = this.#heap[0]
    if (next === undefined || next.us > untilUs) {
      this.nowUs = Math.max(this.nowUs, untilUs)
      return false
    }
    this.#removeFirst()
    this.nowUs = Math.max(this.nowUs, next.us)
    const { gate, run } = next
    if (run === null || gate?.isDead === true) return true
    if (gate !== null && gate.stalledUntilUs > this.nowUs) {
      next.us = gate.stalledUntilUs // the order stays: what came first is heard first
      this.#add(next)
      return true
    }
    this.activity++
    run()
    return true
  }

  /** Lets everything run that is ready to, until nothing moves. */
  async settle(): Promise<void> {
    for (let before = -1; before !== this.activity; ) {
      before = this.activity
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  /** The clock of one process; `wallOffsetNs` is how far its time of day is off. */
  clockOf(gate: Gate, wallOffsetNs: () => bigint): Clock {
    return {
      monoNs: () => this.monoNs,
      wallNs: () => this.wallNs + wallOffsetNs(),
      sleep: (ms, signal) =>
        new Promise((resolve, reject) => {
          const abort = (): void => {
            this.activity++
            cancel()
            reject(abortError(signal))
          }
          if (signal?.aborted === true) return reject(abortError(signal))
          const cancel = this.after(ms * US_PER_MS, gate, () => {
            signal?.removeEventListener('abort', abort)
            resolve()
          })
          signal?.addEventListener('abort', abort, { once: true })
        }),
    }
  }

  #add(appointment: Appointment): void {
    const heap = this.#heap
    let index = heap.push(appointment) - 1
    while (index > 0) {
      const parent = (index - 1) >>> 1
      const above = heap[parent]
      if (above === undefined || !isBefore(appointment, above)) break
      heap[index] = above
      index = parent
    }
    heap[index] = appointment
  }

  #removeFirst(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      const left = heap[child]
      const right = heap[child + 1]
      if (left === undefined) break
      if (right !== undefined && isBefore(right, left)) child++
      const least = heap[child]
      if (least === undefined || !isBefore(least, last)) break
      heap[index] = least
      index = child
    }
    heap[index] = last
  }
}

const isBefore = (a: Appointment, b: Appointment): boolean => a.us < b.us || (a.us === b.us && a.order < b.order)

function abortError(signal: AbortSignal | undefined): Error {
  const error = new Error('the sleep was called off', { cause: signal?.reason })
  error.name = 'AbortError'
  return error
}
