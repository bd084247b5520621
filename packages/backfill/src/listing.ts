import { MAX_TRADES_LIMIT, type RestTrade } from '@booktape/gemini'
import { CLOCK_DOUBT_MS, cursorAfter, REST_REACH_MS, type ReadFrom, UNDER_WAY_MS } from '@booktape/session'
import type { TradeHole, TradeRead, TradeSpan } from '@booktape/store'

const NS_PER_MS = 1_000_000n

/** What a listing is read for: a span of time, or a hole whose end is not known by time alone. */
export type Goal = Readonly<{ kind: 'span'; span: TradeSpan }> | Readonly<{ kind: 'hole'; hole: TradeHole }>

/** What a page came to. `next` null: the listing is at its end. */
export type Listed = Readonly<{
  next: ReadFrom | null
  fresh: readonly RestTrade[] // those that the page before did not hold, newest first
  filled: readonly TradeHole[] // everything they may lack has been read
  read: TradeRead | null // how far the listing has come
}>

/** As many full pages without a new trade are no forward reading. */
export const MAX_PAGES_WITHOUT_TRADES = 3

/**
 * Pages of one symbol's trades, forward from some point, each joined to the one before (docs/gemini.md, claim 22). While it lasts, everything
 * that REST has between its first and its last trade has been read; so a hole is proven to lack nothing when the listing began at or before the
 * last trade known before it, and came to one that is known after it, or to the newest there is.
 */
export class Listing {
  readonly goal: Goal
  readonly #reads: readonly TradeRead[] // of earlier runs: what they read is not asked for again
  readonly #nowNs: bigint
  readonly #quietNs: bigint // what was made after it may be under way to REST, behind trades of higher ids
  #cursor: ReadFrom
  #expectedId: bigint | null // what the next page must hold to join what was read before
  #fromNs: bigint | null // null: from its first trade on
  #anewNs: bigint | null // the same, where the first page does not join
  #isSinceTime: boolean // REST was asked for a time, and gave what it has since then
  #firstId: bigint | null
  #lastId: bigint | null
  #quietId: bigint | null // the last trade that is not too young
  #lastNs: bigint | null = null
  #page: ReadonlySet<bigint> = new Set()
  #idlePages = 0

  /** `nowNs`: our clock, at the beginning of the run. */
  constructor(goal: Goal, reads: readonly TradeRead[], nowNs: bigint) {
    this.goal = goal
    this.#reads = reads
    this.#nowNs = nowNs
    this.#quietNs = nowNs - BigInt(UNDER_WAY_MS) * NS_PER_MS
    const start = startOf(goal, reads)
    this.#cursor = start.cursor
    this.#expectedId = start.joins?.lastId ?? null
    this.#fromNs = start.joins?.fromNs ?? start.fromNs
    this.#anewNs = start.fromNs
    this.#isSinceTime = 'timeMs' in start.cursor || start.cursor.tradeId === EARLIEST
    this.#firstId = start.joins?.firstId ?? null
    this.#lastId = start.joins?.lastId ?? null
    this.#quietId = this.#lastId
  }

  get cursor(): ReadFrom {
    return this.#cursor
  }

  /** The newest trade read, by the venue's clock; null where there is none yet. */
  get lastNs(): bigint | null {
    return this.#lastNs
  }

  /** REST gives page after page and no new trade. */
  get isStuck(): boolean {
    return this.#idlePages >= MAX_PAGES_WITHOUT_TRADES
  }

  /** `page`: newest first. `holes`: those that are not filled yet. */
  take(page: readonly RestTrade[], holes: readonly TradeHole[]): Listed {
    const expectedId = this.#expectedId
    if (expectedId !== null && !page.some(({ tradeId }) => tradeId === expectedId)) this.#beginAnew()
    this.#expectedId = null
    this.#anewNs = null
    const fresh = page.filter(({ tradeId }) => !this.#page.has(tradeId))
    this.#page = new Set(page.map(({ tradeId }) => tradeId))
    const isEnd = page.length < MAX_TRADES_LIMIT
    this.#idlePages = fresh.length === 0 && !isEnd ? this.#idlePages + 1 : 0
    this.#extend(page)
    const begun = holes.filter((hole) => this.#holdsBeginOf(hole))
    const filled = begun.filter((hole) => (hole.endId === null ? isEnd : this.#isBeyond(hole)))
    const isDone = isEnd || (this.#isAtGoal() && filled.length === begun.length)
    const next = isDone ? null : this.#nextCursor(page)
    if (next !== null) this.#cursor = next
    return { next, fresh, filled, read: this.#readUntil(isEnd) }
  }

  /** The ids do not lead here from where we meant to begin: REST has forgotten what lies between, or counts anew. */
  #beginAnew(): void {
    this.#fromNs = this.#anewNs
    this.#isSinceTime = false
    this.#firstId = null
    this.#lastId = null
    this.#quietId = null
    this.#lastNs = null
  }

  #extend(page: readonly RestTrade[]): void {
    for (const { tradeId, eventTimeNs } of page) {
      if (this.#firstId === null || tradeId < this.#firstId) this.#firstId = tradeId
      if (this.#lastId === null || tradeId > this.#lastId) this.#lastId = tradeId
      if (this.#lastNs === null || eventTimeNs > this.#lastNs) this.#lastNs = eventTimeNs
      const isQuiet = eventTimeNs <= this.#quietNs
      if (isQuiet && (this.#quietId === null || tradeId > this.#quietId)) this.#quietId = tradeId
    }
    const oldest = page.at(-1)
    // Of its millisecond there may be more before it.
    if (oldest !== undefined) this.#fromNs ??= oldest.eventTimeNs + NS_PER_MS
  }

  #holdsBeginOf({ anchorId, startedNs }: TradeHole): boolean {
    if (anchorId !== null) {
      return this.#firstId !== null && this.#lastId !== null && this.#firstId <= anchorId && anchorId <= this.#lastId
    }
    // Without an id, by the rule of the recorder's repair: a time, so early that no clock is that wrong, within the reach of REST.
    const isSinceBefore = this.#isSinceTime && this.#fromNs !== null && this.#fromNs <= beforeHole(startedNs)
    return isSinceBefore && isWithinReach(startedNs, this.#nowNs)
  }

  #isBeyond({ endId }: TradeHole): boolean {
    return endId !== null && this.#lastId !== null && this.#lastId >= endId
  }

  #isAtGoal(): boolean {
    if (this.#lastNs === null) return false
    if (this.goal.kind === 'span') return this.#lastNs >= this.goal.span.untilNs
    const { hole } = this.goal
    if (hole.endId !== null) return this.#isBeyond(hole)
    return false // nothing is known behind it: it ends with the newest trade there is
  }

  /** Behind what an earlier run has read, where this listing has come into that. */
  #nextCursor(page: readonly RestTrade[]): ReadFrom | null {
    const lastId = this.#lastId
    const behindId = lastId === null ? null : endOfReadAround(this.#reads, lastId)
    if (behindId !== null) {
      this.#expectedId = behindId
      return { tradeId: behindId - 1n }
    }
    return cursorAfter(this.#cursor, page)
  }

  #readUntil(isEnd: boolean): TradeRead | null {
    const fromNs = this.#fromNs
    if (fromNs === null) return null
    // Of the last millisecond there may be more.
    const listedNs = isEnd && this.goal.kind === 'span' ? this.goal.span.untilNs : (this.#lastNs ?? fromNs)
    const untilNs = higher(lower(higher(listedNs, this.#lastNs ?? fromNs), this.#quietNs), fromNs)
    return { fromNs, untilNs, firstId: this.#quietId === null ? null : this.#firstId, lastId: this.#quietId }
  }
}

/** The venue's word for the earliest trade there is. */
const EARLIEST = 0n

/** `joins`: what was read before, which ends where this begins. */
type Start = Readonly<{
  cursor: ReadFrom
  joins: Readonly<{ fromNs: bigint | null; firstId: bigint | null; lastId: bigint | null }> | null
  fromNs: bigint | null
}>

function startOf(goal: Goal, reads: readonly TradeRead[]): Start {
  if (goal.kind === 'hole' && goal.hole.anchorId !== null) {
    const { anchorId } = goal.hole
    const joins = { fromNs: null, firstId: null, lastId: anchorId }
    return { cursor: { tradeId: anchorId - 1n }, joins, fromNs: null }
  }
  const fromNs = goal.kind === 'span' ? goal.span.fromNs : beforeHole(goal.hole.startedNs)
  const joins = reads.find(({ untilNs, lastId }) => untilNs === fromNs && lastId !== null) ?? null
  const joinedId = joins?.lastId ?? null
  if (joinedId !== null) return { cursor: { tradeId: joinedId - 1n }, joins, fromNs }
  // Whether a time means "after" or "from" is not known.
  const cursor = fromNs <= 0n ? { tradeId: EARLIEST } : { timeMs: fromNs / NS_PER_MS - 1n }
  return { cursor, joins: null, fromNs }
}

/** The last trade of what an earlier run read and that goes on behind `id`; null where none does. */
function endOfReadAround(reads: readonly TradeRead[], id: bigint): bigint | null {
  for (const { firstId, lastId } of reads) {
    if (firstId !== null && lastId !== null && firstId <= id && id < lastId) return lastId
  }
  return null
}

/** Whether the recorder's repair would trust REST with a time (packages/session, trade-repair.ts). */
export function isWithinReach(startedNs: bigint, nowNs: bigint): boolean {
  return nowNs - startedNs < BigInt(REST_REACH_MS) * NS_PER_MS
}

function beforeHole(startedNs: bigint): bigint {
  return higher(startedNs - BigInt(CLOCK_DOUBT_MS) * NS_PER_MS, 0n)
}

const lower = (a: bigint, b: bigint): bigint => (b < a ? b : a)
const higher = (a: bigint, b: bigint): bigint => (b > a ? b : a)
