import { decodeRestError, type RestTrade, tradesUrl } from '@booktape/gemini'
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
import { Listing } from './listing.ts'
import { plan } from './plan.ts'
import { type SymbolReport, SymbolTally } from './symbol-tally.ts'

/** What comes of a backfill, as it comes; of each symbol the plan first and the report last. */
export type BackfillEvent =
  | Readonly<{ kind: 'plan'; symbol: string; spans: readonly TradeSpan[]; holes: readonly TradeHole[] }>
  | Readonly<{ kind: 'progress'; symbol: string; doneNs: bigint; totalNs: bigint; found: number }>
  | Readonly<{ kind: 'conflict'; conflict: TradeConflict }>
  | Readonly<{ kind: 'waiting'; sentence: string }> // for REST or for the database
  | Readonly<{ kind: 'report'; report: SymbolReport }>

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

/** Failures of one symbol alone: what REST says of it, or a row of it that the database refuses. */
const OF_ONE_SYMBOL: ReadonlySet<string> = new Set(['REFUSED', 'STUCK', 'UNSTORABLE'])
/** Each was tried five times by the REST client: five minutes and more without one answer. */
export const MAX_UNANSWERED = 10
/** A database that is away for longer is for the operator: what was stored stays, and the next run goes on there. */
export const MAX_STORE_TRIES = 6

/**
 * Fetches what is missing of the symbols' trades, one symbol after the other, a page at a time. Each page is stored before the next is asked
 * for. Throws BackfillError, StoreError; what REST or the database refuses of one symbol is a problem in its report, and the next one goes on.
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
    if (!(error instanceof BackfillError || error instanceof StoreError)) throw error
    tally.problem = error.message
    yield { kind: 'report', report: tally.report() }
    if (!OF_ONE_SYMBOL.has(error.code)) throw error
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
