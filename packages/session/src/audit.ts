import { depth } from '@booktape/book'
import { type DepthResult, depthRequest, MAX_DEPTH_LIMIT, type PriceQuantity } from '@booktape/gemini'
import type { Side } from '@booktape/market'
import { msToNs } from './backoff.ts'
import type { Instant } from './event.ts'
import type { Step } from './step.ts'
import type { Epoch, Track } from './track.ts'

/**
 * Whole books against whole books, at an equal update id: the new API's book against the venue's `depth` answer, and v1's
 * against the new API's. A sequence without a hole does not prove a book right; this does.
 */
export type BookAudit = {
  dueNs: bigint // monotonic
  tries: number // answers in this round that met no equal id
  waiting: Readonly<{ answer: DepthResult; sinceNs: bigint }> | null // an answer ahead of the book, and since when
  good: Readonly<{ at: Instant; updateId: bigint }> // the last instant at which the whole book is known to be right
  suspectedNs: bigint | null // v1, monotonic: it differed from the new API's book, and one of the two is wrong
}

/** A wrong book is found within this time and the few seconds until ids meet. */
export const AUDIT_INTERVAL_MS = 240_000
/** Ids of a busy book meet about every second answer; asked again after this long. */
export const AUDIT_RETRY_MS = 1_000
/** A book that never stands still: give up for this round, and say so. */
export const MAX_AUDIT_TRIES = 40
/**
 * An answer ahead of a book that has stood still for this long since: no update is on its way any more, so the two must be
 * equal whatever their ids. So the loss of the last update before a silence is found, too. Most of a minute, because the list of
 * subscriptions, which knows the cause better, comes once a minute; with the interval above still within 5 minutes.
 */
export const STILL_MS = 55_000

/** A snapshot is the venue's whole book: right by definition. The first look comes early, to find out that looking works. */
export function newAudit(at: Instant, updateId: bigint): BookAudit {
  const firstNs = at.monoNs + msToNs(AUDIT_INTERVAL_MS / 8)
  return { dueNs: firstNs, tries: 0, waiting: null, good: { at, updateId }, suspectedNs: null }
}

/** Asks the venue for its whole book when it is time; `missed` when an earlier answer holds what never came. */
export function askWhenDue(
  track: Track,
  at: Instant,
  ask: (make: (id: number) => string) => void,
  step: Step,
): 'missed' | null {
  const { audit, symbol, epoch } = track
  if (epoch === null || at.monoNs < audit.dueNs) return null
  const { waiting } = audit
  if (waiting !== null && isStill(epoch, waiting.sinceNs)) {
    if (at.monoNs - waiting.sinceNs < msToNs(STILL_MS)) return null
    audit.waiting = null
    return compare(track, waiting.answer, at, step) === 'different' ? 'missed' : null
  }
  if (audit.tries >= MAX_AUDIT_TRIES) {
    audit.tries = 0
    audit.dueNs = at.monoNs + msToNs(AUDIT_INTERVAL_MS)
    step.observations.push({ kind: 'anomaly', feed: track.feed, symbol, anomaly: 'audit_unaligned', count: 1 })
    return null
  }
  audit.tries++
  audit.dueNs = at.monoNs + msToNs(AUDIT_RETRY_MS)
  ask((n) => depthRequest(`depth:${symbol}:${n}`, symbol, MAX_DEPTH_LIMIT))
  return null
}

/** The venue's answer may be of an id that the book has not reached yet: it waits for it. */
export function takeAnswer(track: Track, answer: DepthResult, at: Instant, step: Step): 'equal' | 'different' | null {
  track.audit.waiting = { answer, sinceNs: at.monoNs }
  return compareWhenEqual(track, at, step)
}

/** After each update, and each answer: `different` when the book is not the venue's. */
export function compareWhenEqual(track: Track, at: Instant, step: Step): 'equal' | 'different' | null {
  const { waiting } = track.audit
  if (waiting === null || track.epoch === null || track.lastUpdateId === null) return null
  const { answer } = waiting
  if (answer.lastUpdateId > track.lastUpdateId) return null
  track.audit.waiting = null
  return answer.lastUpdateId < track.lastUpdateId ? null : compare(track, answer, at, step)
}

/** No message has moved the book since. */
function isStill(epoch: Epoch, sinceNs: bigint): boolean {
  return epoch.provenMonoNs <= sinceNs
}

function compare(track: Track, answer: DepthResult, at: Instant, step: Step): 'equal' | 'different' {
  const bids = compareSide(track, 'bid', answer.bids)
  const asks = compareSide(track, 'ask', answer.asks)
  return conclude(track, 'depth', bids.compared + asks.compared, bids.different + asks.different, at, step)
}

/** v1 against the new API, whenever both stand at one id: one counter numbers both (docs/gemini.md, claim 17). */
export function crossAudit(v1: Track, ws: Track, at: Instant, step: Step): 'equal' | 'different' | null {
  if (v1.epoch === null || ws.epoch === null || v1.lastUpdateId !== ws.lastUpdateId || at.monoNs < v1.audit.dueNs)
    return null
  let compared = 0
  let different = 0
  for (const side of ['bid', 'ask'] as const) {
    const { prices, quantities } = depth(ws.book, side)
    const found = compareSide(
      v1,
      side,
      prices.map((price, i): PriceQuantity => [price, quantities[i] ?? price]),
    )
    compared += found.compared
    different += found.different
  }
  return conclude(v1, 'cross_feed', compared, different, at, step)
}

/** An audit's row, and what follows from it. */
export function conclude(
  track: Track,
  method: 'depth' | 'cross_feed' | 'rest',
  compared: number,
  different: number,
  at: Instant,
  step: Step,
): 'equal' | 'different' {
  const { audit, lastUpdateId } = track
  const updateId = lastUpdateId ?? 0n
  const result = different === 0 ? 'equal' : 'different'
  audit.tries = 0
  audit.dueNs = at.monoNs + msToNs(AUDIT_INTERVAL_MS)
  if (result === 'equal') audit.good = { at, updateId }
  step.records.push({
    kind: 'audit',
    symbol: track.symbol,
    feed: track.feed,
    method,
    updateId,
    levelsCompared: compared,
    levelsDifferent: different,
    result,
    receivedTimeNs: at.wallNs,
  })
  return result
}

/**
 * Levels that one of the two has and the other has not, or with another quantity. An answer of exactly as many levels as were
 * asked for may be cut, and says nothing of the levels below.
 */
function compareSide(
  track: Track,
  side: Side,
  theirs: readonly PriceQuantity[],
): { compared: number; different: number } {
  const { prices, quantities } = depth(
    track.book,
    side,
    theirs.length === MAX_DEPTH_LIMIT ? MAX_DEPTH_LIMIT : undefined,
  )
  const left = new Map<string, string>(theirs.map(([price, quantity]) => [price, quantity]))
  let different = 0
  for (const [i, price] of prices.entries()) {
    if (left.get(price) !== quantities[i]) different++
    left.delete(price)
  }
  return { compared: prices.length + left.size, different: different + left.size }
}
