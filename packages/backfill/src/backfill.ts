import { decodeRestError, type RestTrade, tradesUrl } from '@booktape/gemini'
import { invariant } from '@booktape/market'
import { REPAIR_RETRY_MS, type ReadFrom, readTradesPage, tradeRecords } from '@booktape/session'
import {
  type Database,
  missingTrades,
  type StoredTrades,
  StoreError,
  storeTradePage,
  type TradeConflict,
  type TradeHole,
  type TradePage,
  type TradeSpan,
  timestampText,
} from '@booktape/store'
import { type RestClient, type RestReply, retryDelayMs } from '@booktape/transport'
import { BackfillError } from './errors.ts'
import { type Goal, Listing } from './listing.ts'
import { type HoleLeft, plan, type SymbolPlan } from './plan.ts'

/** What comes of a backfill, as it comes; of each symbol the plan first and the report last. */
export type BackfillEvent =
  | Readonly<{ kind: 'plan'; symbol: string; spans: readonly TradeSpan[]; holes: readonly TradeHole[] }>
  | Readonly<{ kind: 'progress'; symbol: string; doneNs: bigint; totalNs: bigint; found: number }>
  | Readonly<{ kind: 'conflict'; conflict: TradeConflict }>
  | Readonly<{ kind: 'waiting'; sentence: string }> // for REST or for the database
  | Readonly<{ kind: 'report'; report: SymbolReport }>

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

export type BackfillOptions = Readonly<{
  database: Database
  rest: RestClient
  clock: Readonly<{ wallNs(): bigint; sleep(ms: number, signal?: AbortSignal): Promise<void> }>
  random: () => number // 0 to below 1, for jitter
  symbols: readonly string[]
  fromNs: bigint // 0: the earliest trade that REST has
  untilNs: bigint
  dryRun: boolean
  stopping: AbortSignal
}>

/** Each was tried five times by the REST client: five minutes and more without one answer. */
export const MAX_UNANSWERED = 10
/** A database that is away for longer is for the operator: what was stored stays, and the next run goes on there. */
export const MAX_STORE_TRIES = 6

/**
 * Fetches what is missing of the symbols' trades, one symbol after the other, a page at a time. Each page is stored before the next is asked
 * for. Throws BackfillError, StoreError; a symbol that REST refuses is a problem in its report, and the next one goes on.
 */
export async function* backfill(options: BackfillOptions): AsyncGenerator<BackfillEvent> {
  const run: Run = { ...options, answered: false }
  for (const symbol of options.symbols) yield* backfillSymbol(run, symbol)
}

/** `answered`: REST gave something; before, its address may be wrong. */
type Run = BackfillOptions & { answered: boolean }

async function* backfillSymbol(run: Run, symbol: string): AsyncGenerator<BackfillEvent> {
  const nowNs = run.clock.wallNs()
  const untilNs = run.untilNs < nowNs ? run.untilNs : nowNs
  const missing = await missingTrades(run.database, symbol, timestampText(run.fromNs), timestampText(untilNs))
  const planned = plan(missing, nowNs)
  yield { kind: 'plan', symbol, spans: missing.spans, holes: missing.holes }
  if (run.dryRun) return
  const tally = new SymbolTally(symbol, planned)
  try {
    for (const goal of planned.goals) {
      if (goal.kind === 'hole' && !tally.waits(goal.hole)) continue
      yield* readListing(run, symbol, new Listing(goal, missing.reads, nowNs), tally)
    }
  } catch (error) {
    if (!(error instanceof BackfillError)) throw error
    tally.problem = error.message
    yield { kind: 'report', report: tally.report() }
    if (error.code !== 'REFUSED' && error.code !== 'STUCK') throw error
    return
  }
  yield { kind: 'report', report: tally.report() }
}

async function* readListing(
  run: Run,
  symbol: string,
  listing: Listing,
  tally: SymbolTally,
): AsyncGenerator<BackfillEvent> {
  for (let cursor: ReadFrom | null = listing.cursor; cursor !== null; ) {
    const page = yield* fetchPage(run, symbol, cursor)
    const { next, fresh, filled, read } = listing.take(page, tally.holes)
    if (listing.isStuck) {
      throw new BackfillError(
        'STUCK',
        `${symbol}: REST gives the same page of trades again and again: report this as a defect, with the exchange's address.`,
      )
    }
    const trades = tradeRecords(symbol, fresh, run.clock.wallNs())
    const stored = yield* store(run, { symbol, trades, read, filled: filled.map(({ gapId }) => gapId) })
    for (const conflict of stored.conflicts) yield { kind: 'conflict', conflict }
    tally.take(fresh, stored, filled)
    yield { kind: 'progress', symbol, ...tally.reached(listing), found: tally.found }
    cursor = next
  }
  tally.finished(listing.goal)
}

/** Broken trades are asked for as well: what was stored may have become one. */
async function* fetchPage(
  run: Run,
  symbol: string,
  after: ReadFrom,
): AsyncGenerator<BackfillEvent, readonly RestTrade[]> {
  const { rest, clock, stopping } = run
  for (let unanswered = 1; ; unanswered++) {
    const reply = await rest.get(tradesUrl('', symbol, { after, includeBroken: true }), stopping)
    if (stopping.aborted) throw stopped()
    const page = reply.kind === 'reply' && reply.status === 200 ? readTradesPage(reply.body) : null
    if (page !== null && typeof page !== 'string') {
      run.answered = true
      return page
    }
    const why = page === null ? sentenceOf(reply) : `answered with what is no page of trades: ${page}`
    if (reply.kind === 'reply' && reply.status >= 300 && reply.status < 500 && reply.status !== 429) {
      throw new BackfillError(
        'REFUSED',
        `${symbol}: REST ${why}: is it a symbol of this exchange, and the time not too long ago?`,
      )
    }
    if (!run.answered || unanswered === MAX_UNANSWERED) {
      throw new BackfillError(
        'UNREACHABLE',
        `${symbol}: REST ${why}: check BOOKTAPE_GEMINI_REST_URL and the way there; what was fetched is stored, and the same command goes on behind it.`,
      )
    }
    yield { kind: 'waiting', sentence: `${symbol}: REST ${why}; asking again in ${REPAIR_RETRY_MS / 1000} s` }
    await sleep(clock, REPAIR_RETRY_MS, stopping)
  }
}

function sentenceOf(reply: RestReply): string {
  if (reply.kind === 'failed') return `did not answer (${reply.reason})`
  const { reason, message } = decodeRestError(reply.status, reply.body)
  const said = [reason, message].filter((text) => text !== null).join(', ')
  return `answered ${reply.status}${said === '' ? '' : ` (${said})`}`
}

/** A page is stored whole or not at all, so it is given again after any failure that may pass. */
async function* store(
  run: Run,
  page: TradePage,
): AsyncGenerator<BackfillEvent, Extract<StoredTrades, { outcome: 'committed' }>> {
  for (let attempt = 1; ; attempt++) {
    const stored = await storeTradePage(run.database, page)
    if (stored.outcome === 'committed') return stored
    if (attempt === MAX_STORE_TRIES) {
      throw new StoreError('AWAY', `${stored.reason}: the same command goes on behind what is stored, later`)
    }
    const waitMs = retryDelayMs(attempt, null, run.random())
    yield {
      kind: 'waiting',
      sentence: `the database takes no rows now (${stored.reason}); trying again in ${waitMs} ms`,
    }
    await sleep(run.clock, waitMs, run.stopping)
  }
}

async function sleep(clock: BackfillOptions['clock'], ms: number, stopping: AbortSignal): Promise<void> {
  try {
    await clock.sleep(ms, stopping)
  } catch (error) {
    throw stopping.aborted ? stopped() : error
  }
}

function stopped(): BackfillError {
  return new BackfillError(
    'STOPPED',
    'The backfill was stopped before its end: the same command goes on behind what is stored.',
  )
}

/** What a symbol came to by now. */
class SymbolTally {
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
  #doneNs = 0n
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
    this.#doneNs += lengthOf(goal)
    if (goal.kind === 'hole' && this.waits(goal.hole)) this.#beyondReach.add(goal.hole.gapId)
  }

  /** By the time that lies behind. */
  reached({ goal, lastNs }: Listing): { doneNs: bigint; totalNs: bigint } {
    const totalNs = this.#planned.goals.reduce((sum, one) => sum + lengthOf(one), 0n)
    const fromNs = goal.kind === 'span' ? goal.span.fromNs : goal.hole.startedNs
    const inGoalNs = lastNs === null || lastNs < fromNs ? 0n : lastNs - fromNs
    const length = lengthOf(goal)
    return { doneNs: this.#doneNs + (inGoalNs < length ? inGoalNs : length), totalNs }
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
}

function lengthOf(goal: Goal): bigint {
  if (goal.kind === 'span') return goal.span.untilNs - goal.span.fromNs
  const { startedNs, endedNs } = goal.hole
  invariant(endedNs !== null, 'a hole that is read has an end')
  return endedNs - startedNs
}
