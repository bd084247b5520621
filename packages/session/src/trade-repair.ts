import { decodeRestTrades, MAX_TRADES_LIMIT } from '@booktape/gemini'
import { type MarketRecord, VenueProtocolError } from '@booktape/market'
import { msToNs } from './backoff.ts'
import type { CorridorEvent, Instant } from './event.ts'
import type { ReadFrom, Step } from './step.ts'
import type { OpenGap, Track } from './track.ts'

/**
 * Trades of the new API have no sequence: a lost one cannot be seen. So each symbol's trades are read again from REST, forward
 * from the last one that is proven (docs/gemini.md, claim 22): after every gap of its trades, which is then `filled`, and by
 * the clock. Each is read twice before it is left alone, because the venue may break a trade after the fact.
 */
export type TradeRepair = {
  dueNs: bigint // monotonic
  askedNs: bigint | null // a page is under way
  from: ReadFrom | null // where the read under way began
  gaps: OpenGap[] // what the read under way settles
  failures: number // in a row
  proven: bigint | null // every trade up to this id has been read by the last read
  provenBefore: bigint | null // and by the one before
  highest: bigint | null // of the read under way
}

export const REPAIR_INTERVAL_MS = 600_000
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

export function newTradeRepair(): TradeRepair {
  return {
    dueNs: 0n,
    askedNs: null,
    from: null,
    gaps: [],
    failures: 0,
    proven: null,
    provenBefore: null,
    highest: null,
  }
}

/** Asks for a page when a gap waits to be filled, or when it is time. `tracks`: the symbol's, of all feeds. */
export function repairWhenDue(repair: TradeRepair, tracks: readonly Track[], at: Instant, step: Step): void {
  if (repair.askedNs !== null) {
    if (at.monoNs - repair.askedNs > msToNs(PAGE_DEADLINE_MS)) abandonRead(repair, at)
    return
  }
  const symbol = tracks[0]?.symbol
  if (symbol === undefined) return
  if (repair.from === null && !beginRead(repair, tracks, at, step)) return
  if (repair.from === null || at.monoNs < repair.dueNs) return
  repair.askedNs = at.monoNs
  step.orders.push({
    kind: 'fetch_trades',
    symbol,
    from: repair.highest === null ? repair.from : { tradeId: repair.highest },
  })
}

/** A page of trades, or the word that there is none. */
export function takePage(
  repair: TradeRepair,
  event: Extract<CorridorEvent, { kind: 'trades_page' }>,
  step: Step,
): void {
  if (repair.from === null) return // of a read that was given up
  repair.askedNs = null
  const trades = readPage(event, step)
  if (trades === null) return failRead(repair, event.at, step)
  repair.failures = 0
  for (const { tradeId, eventTimeNs, price, quantity, takerSide, broken } of [...trades].reverse()) {
    if (repair.highest === null || tradeId > repair.highest) repair.highest = tradeId
    step.records.push({
      kind: 'trade',
      symbol: event.symbol,
      tradeId,
      eventTimeNs,
      receivedTimeNs: event.at.wallNs,
      price,
      quantity,
      takerSide,
      source: 'rest',
      broken,
    })
  }
  if (trades.length >= MAX_TRADES_LIMIT) return // the next page begins at `highest`
  settle(repair, 'filled', event.at, step)
  repair.provenBefore = repair.proven
  repair.proven = repair.highest ?? repair.proven
  endRead(repair, event.at)
}

/** The process ended: nothing is under way any more, and what waits is read by the next run. */
export function interruptRepair(repair: TradeRepair): void {
  repair.askedNs = null
  repair.dueNs = 0n
}

/** Where the next read begins: before the oldest hole, or at the last trade that was not yet read twice. */
function beginRead(repair: TradeRepair, tracks: readonly Track[], at: Instant, step: Step): boolean {
  const waiting = tracks.flatMap((track) => track.unfilled.splice(0))
  const reachable = waiting.filter((gap) => at.wallNs - gap.startedNs < msToNs(REST_REACH_MS))
  for (const gap of waiting) if (!reachable.includes(gap)) pushSettled(gap, 'unfillable', at, step)
  if (reachable.length === 0 && at.monoNs < repair.dueNs) return false
  const last = tracks.reduce<bigint | null>((id, track) => higher(id, track.lastTradeId), null)
  const clock = repair.provenBefore ?? repair.proven
  if (reachable.length === 0 && clock === null) {
    // Nothing was ever read: what this recorder has seen is the beginning.
    repair.proven = last
    repair.dueNs = at.monoNs + msToNs(last === null ? REPAIR_RETRY_MS : REPAIR_INTERVAL_MS)
    return false
  }
  repair.gaps = reachable
  repair.highest = null
  repair.dueNs = at.monoNs
  repair.from = earliest(reachable, clock)
  return true
}

function earliest(gaps: readonly OpenGap[], clock: bigint | null): ReadFrom {
  const nameless = gaps.filter((gap) => gap.fromId === null)
  if (nameless.length > 0) {
    const startedNs = nameless.reduce(
      (least, gap) => (gap.startedNs < least ? gap.startedNs : least),
      nameless[0]?.startedNs ?? 0n,
    )
    return { timeMs: startedNs / 1_000_000n - BigInt(CLOCK_DOUBT_MS) }
  }
  const ids = [...gaps.flatMap((gap) => (gap.fromId === null ? [] : [gap.fromId])), ...(clock === null ? [] : [clock])]
  return { tradeId: ids.reduce((least, id) => (id < least ? id : least)) }
}

function readPage(event: Extract<CorridorEvent, { kind: 'trades_page' }>, step: Step) {
  if (event.status !== 200) return null
  try {
    return decodeRestTrades(event.body)
  } catch (error) {
    if (!(error instanceof VenueProtocolError)) throw error
    step.observations.push({ kind: 'unreadable_reply', what: 'trades', reason: error.message })
    return null
  }
}

function failRead(repair: TradeRepair, at: Instant, step: Step): void {
  repair.failures++
  repair.dueNs = at.monoNs + msToNs(REPAIR_RETRY_MS)
  if (repair.failures < MAX_REPAIR_FAILURES) return
  settle(repair, 'unfillable', at, step)
  endRead(repair, at)
}

function abandonRead(repair: TradeRepair, at: Instant): void {
  repair.askedNs = null
  repair.dueNs = at.monoNs + msToNs(REPAIR_RETRY_MS)
}

function endRead(repair: TradeRepair, at: Instant): void {
  repair.from = null
  repair.gaps = []
  repair.failures = 0
  repair.highest = null
  repair.dueNs = at.monoNs + msToNs(REPAIR_INTERVAL_MS)
}

function settle(repair: TradeRepair, state: 'filled' | 'unfillable', at: Instant, step: Step): void {
  for (const gap of repair.gaps) pushSettled(gap, state, at, step)
}

function pushSettled(gap: OpenGap, state: 'filled' | 'unfillable', at: Instant, step: Step): void {
  const record: Extract<MarketRecord, { kind: 'gap_settled' }> = {
    kind: 'gap_settled',
    gapId: gap.gapId,
    state,
    receivedTimeNs: at.wallNs,
  }
  step.records.push(record)
}

const higher = (a: bigint | null, b: bigint | null): bigint | null => (a === null || (b !== null && b > a) ? b : a)
