import { MAX_TRADES_LIMIT, type RestTrade } from '@booktape/gemini'
import { msToNs } from './backoff.ts'
import type { CorridorEvent, Instant } from './event.ts'
import type { ReadFrom, Step } from './step.ts'
import type { OpenGap, Track } from './track.ts'
import { cursorAfter, readTradesPage, tradeRecords } from './trade-page.ts'

/**
 * Trades of the new API have no sequence: a lost one cannot be seen. So each symbol's trades are read again from REST, forward
 * from the last one that is proven (docs/gemini.md, claim 22): after every gap of its trades, which is then `filled`, and by
 * the clock. Each is read twice before it is left alone, because the venue may break a trade after the fact.
 */
export type TradeRepair = {
  beganNs: bigint | null // wall clock: what the venue made since then is ours to record
  dueNs: bigint // monotonic
  intervalMs: number
  endedNs: bigint // monotonic, when the last read did
  askedNs: bigint | null // a page is under way
  read: TradeRead | null
  failures: number // in a row
  proven: bigint | null // every trade up to this id has been read by the last read; 0 where there was none
  provenBefore: bigint | null // and by the one before
  provenNs: bigint // wall clock, when the last read ended
}

/** Pages under way, from the oldest trade that may be missing to the newest there is. */
export type TradeRead = {
  cursor: ReadFrom | null // where the next page begins; null for the newest trades there are
  anchor: bigint | null // the first page must hold this trade, or the ids do not lead to what we miss
  newest: bigint | null // the last trade read
  readonly gaps: readonly OpenGap[] // what the read settles
}

/** A silent loss of trades is found within this, or sooner where few symbols are recorded. */
export const REPAIR_INTERVAL_MS = 600_000
/** And the page itself takes a moment: within a minute in all. */
export const SHORTEST_REPAIR_INTERVAL_MS = 50_000
/** So that all symbols together take a third of what may be asked of REST (docs/gemini.md, claim 25). */
export const REPAIR_MS_PER_SYMBOL = 3_000
/** A page that did not come for this long will not: the reader of REST gives up before. */
export const PAGE_DEADLINE_MS = 180_000
export const REPAIR_RETRY_MS = 30_000
/** An hour of trying: what REST refuses for so long is beyond its reach. */
export const MAX_REPAIR_FAILURES = 120
/**
 * Where no trade is known yet, the read begins at a time, which is ours and not the venue's: so much earlier that a clock
 * that is a day wrong hides nothing. What is read too much is stored, or stored already.
 */
export const CLOCK_DOUBT_MS = 2 * 86_400_000
/** REST reaches back seven calendar days; beyond six, part of the seventh may be missing. */
export const REST_REACH_MS = 6 * 86_400_000

/** A trade that was under way when a read ended comes within this; after it, a lower id than those read is a new count. */
export const UNDER_WAY_MS = 60_000

export function newTradeRepair(): TradeRepair {
  return {
    beganNs: null,
    dueNs: 0n,
    intervalMs: REPAIR_INTERVAL_MS,
    endedNs: 0n,
    askedNs: null,
    read: null,
    failures: 0,
    proven: null,
    provenBefore: null,
    provenNs: 0n,
  }
}

/** Between two reads of one symbol, by the number of symbols that are read. */
export function repairIntervalMs(symbols: number): number {
  return Math.min(REPAIR_INTERVAL_MS, Math.max(SHORTEST_REPAIR_INTERVAL_MS, symbols * REPAIR_MS_PER_SYMBOL))
}

/** Asks for a page when a gap waits to be filled, or when it is time. `tracks`: the symbol's, of all feeds. */
export function repairWhenDue(repair: TradeRepair, tracks: readonly Track[], at: Instant, step: Step): void {
  if (repair.askedNs !== null) {
    if (at.monoNs - repair.askedNs > msToNs(PAGE_DEADLINE_MS)) abandonPage(repair, at)
    return
  }
  const symbol = tracks[0]?.symbol
  if (symbol === undefined) return
  repair.beganNs ??= at.wallNs
  repair.read ??= nextRead(repair, tracks, at, step)
  if (repair.read === null || at.monoNs < repair.dueNs) return
  repair.askedNs = at.monoNs
  step.orders.push({ kind: 'fetch_trades', symbol, from: repair.read.cursor })
}

/** A message of the symbol was lost: a trade may have been, too. Not oftener than so, however often that happens. */
export const HURRIED_INTERVAL_MS = 10_000

export function hurryRepair(repair: TradeRepair, at: Instant): void {
  if (repair.read !== null) return
  const soonestNs = repair.endedNs + msToNs(HURRIED_INTERVAL_MS)
  const dueNs = soonestNs > at.monoNs ? soonestNs : at.monoNs
  if (dueNs < repair.dueNs) repair.dueNs = dueNs
}

/** A page of trades, or the word that there is none. */
export function takePage(
  repair: TradeRepair,
  event: Extract<CorridorEvent, { kind: 'trades_page' }>,
  step: Step,
): void {
  const { read } = repair
  if (read === null) return // it was given up
  repair.askedNs = null
  const trades = readPage(event, step)
  if (trades === null) return failRead(repair, read, event.at, step)
  repair.failures = 0
  step.records.push(...tradeRecords(event.symbol, trades, event.at.wallNs))
  repair.read = readOn(repair, read, trades)
  if (repair.read !== null) return
  settle(read.gaps, 'filled', event.at, step)
  repair.provenBefore = repair.proven
  repair.proven = read.newest ?? repair.proven ?? NO_TRADE
  repair.provenNs = event.at.wallNs
  repair.endedNs = event.at.monoNs
  repair.dueNs = event.at.monoNs + msToNs(repair.intervalMs)
}

/** The process ended: nothing is under way any more, and what waits is read by the next run. */
export function interruptRepair(repair: TradeRepair): void {
  repair.askedNs = null
  repair.dueNs = 0n
}

/** Reads every trade there is: ids are positive. */
const NO_TRADE = 0n

/** Where the next read begins: before the oldest hole, or at the last trade that was not yet read twice. */
function nextRead(repair: TradeRepair, tracks: readonly Track[], at: Instant, step: Step): TradeRead | null {
  const waiting = tracks.flatMap((track) => track.unfilled.splice(0))
  const gaps = waiting.filter((gap) => at.wallNs - gap.startedNs < msToNs(REST_REACH_MS))
  const lost = waiting.filter((gap) => !gaps.includes(gap))
  settle(lost, 'unfillable', at, step)
  if (gaps.length === 0 && at.monoNs < repair.dueNs) return null
  repair.dueNs = at.monoNs
  if (countsAnew(repair, tracks)) {
    const sinceNs = gaps.reduce((least, { startedNs }) => lower(least, startedNs), repair.provenNs)
    repair.proven = null
    repair.provenBefore = null
    return readByTime(sinceNs, gaps)
  }
  const clock = repair.provenBefore ?? repair.proven
  const ids = gaps.flatMap(({ fromId }) => (fromId === null ? [] : [fromId]))
  if (clock !== null) ids.push(clock)
  const [first, ...others] = ids
  // Nothing is known yet: the newest trades tell where we begin.
  if (gaps.length === 0 && first === undefined) return { cursor: null, anchor: null, newest: null, gaps }
  if (first === undefined || (clock === null && ids.length < gaps.length)) return readByTime(oldestOf(gaps), gaps)
  const anchor = others.reduce(lower, first)
  if (anchor === NO_TRADE) return { cursor: { tradeId: NO_TRADE }, anchor: null, newest: null, gaps }
  return { cursor: { tradeId: anchor - 1n }, anchor, newest: null, gaps }
}

/** Live trades have lower ids than those that were read before them: from an id of the old count the new ones are not reached. */
function countsAnew({ proven, provenNs }: TradeRepair, tracks: readonly Track[]): boolean {
  return tracks.some(
    ({ lastTrade }) =>
      lastTrade !== null &&
      proven !== null &&
      lastTrade.tradeId < proven &&
      lastTrade.receivedNs > provenNs + msToNs(UNDER_WAY_MS),
  )
}

/** What is to be read after this page; null when it was the last. */
function readOn(repair: TradeRepair, read: TradeRead, page: readonly RestTrade[]): TradeRead | null {
  const { cursor, anchor, gaps } = read
  if (anchor !== null && gaps.length > 0 && !page.some(({ tradeId }) => tradeId === anchor)) {
    return readByTime(oldestOf(gaps), gaps)
  }
  read.newest = page[0]?.tradeId ?? read.newest // the page is newest first
  if (cursor === null) {
    const oldestNs = page.at(-1)?.eventTimeNs ?? 0n
    const beganNs = repair.beganNs ?? 0n
    return page.length >= MAX_TRADES_LIMIT && oldestNs > beganNs ? readByTime(beganNs, gaps) : null
  }
  const next = cursorAfter(cursor, page)
  if (next === null) return null
  return { cursor: next, anchor: null, newest: 'tradeId' in next ? next.tradeId : read.newest, gaps }
}

function readByTime(sinceNs: bigint, gaps: readonly OpenGap[]): TradeRead {
  const timeMs = sinceNs / 1_000_000n - BigInt(CLOCK_DOUBT_MS)
  return { cursor: { timeMs: timeMs > 0n ? timeMs : 0n }, anchor: null, newest: null, gaps }
}

function oldestOf([first, ...others]: readonly OpenGap[]): bigint {
  return others.reduce((least, { startedNs }) => lower(least, startedNs), first?.startedNs ?? 0n)
}

function readPage(event: Extract<CorridorEvent, { kind: 'trades_page' }>, step: Step) {
  if (event.status !== 200) return null
  const page = readTradesPage(event.body)
  if (typeof page !== 'string') return page
  step.observations.push({ kind: 'unreadable_reply', what: 'trades', reason: page })
  return null
}

function failRead(repair: TradeRepair, read: TradeRead, at: Instant, step: Step): void {
  repair.failures++
  repair.dueNs = at.monoNs + msToNs(REPAIR_RETRY_MS)
  if (repair.failures < MAX_REPAIR_FAILURES) return
  settle(read.gaps, 'unfillable', at, step)
  repair.read = null
  repair.failures = 0
  repair.dueNs = at.monoNs + msToNs(repair.intervalMs)
}

function abandonPage(repair: TradeRepair, at: Instant): void {
  repair.askedNs = null
  repair.dueNs = at.monoNs + msToNs(REPAIR_RETRY_MS)
}

function settle(gaps: readonly OpenGap[], state: 'filled' | 'unfillable', at: Instant, step: Step): void {
  for (const { gapId } of gaps) step.records.push({ kind: 'gap_settled', gapId, state, receivedTimeNs: at.wallNs })
}

const lower = (a: bigint, b: bigint): bigint => (b < a ? b : a)
