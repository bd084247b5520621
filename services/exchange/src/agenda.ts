import { invariant } from '@booktape/market'

/** Something that happens at an instant. `run` returns the next instant, or null when it happens no more. */
export type Appointment = { atNs: bigint; order: number; readonly run: (atNs: bigint) => bigint | null }

/** What happens next, in the order of time; equal instants in the order in which they were first agreed. A binary heap. */
export class Agenda {
  readonly #heap: Appointment[] = []
  #agreed = 0

  add(atNs: bigint, run: (atNs: bigint) => bigint | null): void {
    this.#heap.push({ atNs, order: this.#agreed++, run })
    this.#rise(this.#heap.length - 1)
  }

  /** Runs everything due up to and including `nowNs`; `onInstant` is told the time of each before it runs. */
  runUntil(nowNs: bigint, onInstant: (atNs: bigint) => void): void {
    for (let due = this.#heap[0]; due !== undefined && due.atNs <= nowNs; due = this.#heap[0]) {
      onInstant(due.atNs)
      const again = due.run(due.atNs)
      if (again === null) this.#remove(due)
      else {
        invariant(again > due.atNs, 'time goes forward')
        due.atNs = again
        this.#sink(this.#heap.indexOf(due))
      }
    }
  }

  /** Puts everything off by the same time: nothing happens in between. */
  postpone(byNs: bigint): void {
    for (const appointment of this.#heap) appointment.atNs += byNs
  }

  #remove(done: Appointment): void {
    const index = this.#heap.indexOf(done)
    const last = this.#heap.pop()
    if (last === undefined || last === done) return
    this.#heap[index] = last
    this.#sink(index)
    this.#rise(index)
  }

  #rise(start: number): void {
    let index = start
    while (index > 0) {
      const parent = (index - 1) >>> 1
      if (!this.#isBefore(index, parent)) return
      this.#swap(index, parent)
      index = parent
    }
  }

  #sink(start: number): void {
    let index = start
    for (;;) {
      let first = index
      if (this.#isBefore(2 * index + 1, first)) first = 2 * index + 1
      if (this.#isBefore(2 * index + 2, first)) first = 2 * index + 2
      if (first === index) return
      this.#swap(index, first)
      index = first
    }
  }

  #isBefore(index: number, other: number): boolean {
    const a = this.#heap[index]
    const b = this.#heap[other]
    if (a === undefined || b === undefined) return false
    return a.atNs < b.atNs || (a.atNs === b.atNs && a.order < b.order)
  }

  #swap(index: number, other: number): void {
    const a = this.#heap[index]
    const b = this.#heap[other]
    if (a === undefined || b === undefined) return
    this.#heap[index] = b
    this.#heap[other] = a
  }
}
