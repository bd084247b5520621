import type { RestTrade } from '@booktape/gemini'
import { invariant } from '@booktape/market'
import type { StoredTrades, TradeHole } from '@booktape/store'
import type { Goal, Listing } from './listing.ts'
import type { HoleLeft, SymbolPlan } from './plan.ts'

export type SymbolReport = Readonly<{
  symbol: string
  found: number // trades that REST gave
  added: number // of these, those that were not stored
  broken: number // of those found, withdrawn by the venue
  conflicts: number // of those found, stored with another price, quantity or side: the stored one stays
  pages: number
  firstNs: bigint | null // of the trades found, by the venue's clock
  lastNs: bigint | null
  filled: number // holes that are proven to lack nothing now
  left: readonly HoleLeft[]
  problem: string | null // why this symbol was not read to its end
}>

/** What a symbol came to by now. */
export class SymbolTally {
  problem: string | null = null
  found = 0
  readonly #symbol: string
  readonly #planned: SymbolPlan
  readonly #waiting: Map<string, TradeHole>
  #added = 0
  #broken = 0
  #conflicts = 0
  #pages = 0
  #filled = 0
  #firstNs: bigint | null = null
  #lastNs: bigint | null = null
  readonly #finished: Goal[] = []
  readonly #beyondReach = new Set<string>()

  constructor(symbol: string, planned: SymbolPlan) {
    this.#symbol = symbol
    this.#planned = planned
    this.#waiting = new Map(planned.provable.map((hole) => [hole.gapId, hole]))
  }

  get holes(): readonly TradeHole[] {
    return [...this.#waiting.values()]
  }

  waits(hole: TradeHole): boolean {
    return this.#waiting.has(hole.gapId)
  }

  take(
    fresh: readonly RestTrade[],
    { added, conflicts, filled }: Extract<StoredTrades, { outcome: 'committed' }>,
    proven: readonly TradeHole[],
  ): void {
    this.#pages++
    this.found += fresh.length
    this.#added += added
    this.#conflicts += conflicts.length
    this.#filled += filled.length // the recorder may have been first
    for (const { gapId } of proven) this.#waiting.delete(gapId)
    for (const { eventTimeNs, broken } of fresh) {
      if (broken) this.#broken++
      if (this.#firstNs === null || eventTimeNs < this.#firstNs) this.#firstNs = eventTimeNs
      if (this.#lastNs === null || eventTimeNs > this.#lastNs) this.#lastNs = eventTimeNs
    }
  }

  finished(goal: Goal): void {
    this.#finished.push(goal)
    if (goal.kind === 'hole' && this.waits(goal.hole)) this.#beyondReach.add(goal.hole.gapId)
  }

  /** By the time that lies behind. */
  reached({ goal, lastNs }: Listing): { doneNs: bigint; totalNs: bigint } {
    const fromNs = this.#startOf(goal)
    const inGoalNs = lastNs === null || lastNs < fromNs ? 0n : lastNs - fromNs
    const lengthNs = endOf(goal) - fromNs
    const behindNs = this.#finished.reduce((sum, one) => sum + endOf(one) - this.#startOf(one), 0n)
    const totalNs = this.#planned.goals.reduce((sum, one) => sum + endOf(one) - this.#startOf(one), 0n)
    return { doneNs: behindNs + (inGoalNs < lengthNs ? inGoalNs : lengthNs), totalNs }
  }

  report(): SymbolReport {
    const left = this.holes.map(({ gapId, cause, startedNs, endedNs }): HoleLeft => {
      return { gapId, cause, startedNs, endedNs, why: this.#beyondReach.has(gapId) ? 'beyond_reach' : 'not_read' }
    })
    return {
      symbol: this.#symbol,
      found: this.found,
      added: this.#added,
      broken: this.#broken,
      conflicts: this.#conflicts,
      pages: this.#pages,
      firstNs: this.#firstNs,
      lastNs: this.#lastNs,
      filled: this.#filled,
      left: [...left, ...this.#planned.left].sort((a, b) => (a.startedNs < b.startedNs ? -1 : 1)),
      problem: this.problem,
    }
  }

  /** How far back REST reaches is known once it gave a trade. */
  #startOf(goal: Goal): bigint {
    if (goal.kind === 'hole') return goal.hole.startedNs
    const { fromNs, untilNs } = goal.span
    if (fromNs > 0n) return fromNs
    return this.#firstNs !== null && this.#firstNs < untilNs ? this.#firstNs : untilNs
  }
}

function endOf(goal: Goal): bigint {
  if (goal.kind === 'span') return goal.span.untilNs
  const { endedNs } = goal.hole
  invariant(endedNs !== null, 'a hole that is read has an end')
  return endedNs
}
