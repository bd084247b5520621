import { ALL_FAULT_KINDS, type FaultKind, KINDS_OFF } from './fault-kinds.ts'
import type { SeedEnd } from './seed-pool.ts'
import { US_PER_S } from './virtual-time.ts'

/** What many seeds came to. */
export class Summary {
  seeds = 0
  readonly broken: number[] = []
  readonly #faults = new Map<FaultKind, number>()
  readonly #unlike: number[] = []
  #simulatedS = 0
  #restarts = 0
  #rotations = 0
  #entries = 0
  #records = 0
  #twice = 0

  /** Counts one seed. Returns what is wrong with it, or null. */
  add(end: SeedEnd): string | null {
    this.seeds++
    if (!('report' in end)) {
      this.broken.push(end.seed)
      return `seed ${end.seed} ${end.failure}`
    }
    const { outcome, isTwice, isUnlike } = end.report
    for (const [kind, count] of outcome.faults) this.#faults.set(kind, (this.#faults.get(kind) ?? 0) + count)
    this.#simulatedS += outcome.simulatedS * (isTwice ? 2 : 1)
    this.#restarts += outcome.restarts
    this.#rotations += outcome.rotations
    this.#entries += outcome.entries
    this.#records += outcome.records
    if (isTwice) this.#twice++
    if (isUnlike) this.#unlike.push(end.seed)
    const [first] = outcome.violations
    if (first !== undefined) this.broken.push(end.seed)
    if (first !== undefined) return `seed ${end.seed} BREAKS a promise at ${inSeconds(first.us)}: ${first.text}`
    return isUnlike ? `seed ${end.seed} gave other events when it was run again` : null
  }

  get isClean(): boolean {
    return this.broken.length + this.#unlike.length === 0
  }

  lines(tookS: number): readonly string[] {
    const faults = this.#faults
    const count = [...faults.values()].reduce((sum, of) => sum + of, 0)
    const drawn = ALL_FAULT_KINDS.filter((kind) => !KINDS_OFF.includes(kind) || faults.has(kind))
    const missing = drawn.filter((kind) => !faults.has(kind))
    const again = this.#unlike.length === 0 ? 'each gave the same events' : `other events: ${inOrder(this.#unlike)}`
    return [
      ...drawn.map((kind) => `${String(faults.get(kind) ?? 0).padStart(8)}  ${kind}`),
      `${this.seeds} seeds, ${(this.#simulatedS / 3600).toFixed(1)} simulated hours in ${tookS.toFixed(0)} s ` +
        `(${Math.round(this.#simulatedS / tookS)} times real time); ${count} faults of ${drawn.length} kinds, ` +
        `${this.#restarts} restarts, ${this.#rotations} books rotated; ${this.#entries} entries, ${this.#records} records stored`,
      ...(missing.length > 0 ? [`these kinds never took effect: ${missing.join(', ')}`] : []),
      `${this.#twice} seeds were run twice; ${again}`,
      this.broken.length === 0 ? 'no promise was broken' : `broken by: ${inOrder(this.broken)}`,
    ]
  }
}

export function inSeconds(us: number): string {
  return `${(us / US_PER_S).toFixed(3).padStart(9)} s`
}

const inOrder = (seeds: readonly number[]): string => seeds.toSorted((a, b) => a - b).join(', ')
