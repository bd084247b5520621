import {
  bookTickerStream,
  depthStream,
  type Remedy,
  subscribeRequest,
  tradeStream,
  unsubscribeRequest,
} from '@booktape/gemini'
import {
  type BookUpdate,
  compareDecimals,
  type DecimalText,
  type GapCause,
  isZero,
  type LevelChange,
} from '@booktape/market'
import { askWhenDue, compareWhenEqual } from './audit.ts'
import { backoffMs, msToNs, PARK_BACKOFF, RESYNC_BACKOFF, STABLE_MS } from './backoff.ts'
import { continuity } from './continuity.ts'
import { distrustCrossed } from './crossing.ts'
import type { Instant, RunSettings } from './event.ts'
import type { Step } from './step.ts'
import { checkTicker } from './ticker-audit.ts'
import {
  beginEpoch,
  closeTradesGap,
  extendEpoch,
  isSuspiciouslySmall,
  loseBook,
  loseTrades,
  type MessagePlace,
  noteAnomaly,
  type Track,
} from './track.ts'

/**
 * One symbol on a connection of the new API, from the wish to subscribe to a live book and back.
 *
 *   idle ──opened──► awaiting_snapshot ──first depth──► live
 *                        ▲     │ none in time, or unbelievable │ gap, malformed, not listed
 *                        │     ▼                               ▼
 *   parked ──tick──►  backing_off ◄──reply── unsubscribing ◄───┘
 *      ▲                                (drops depth frames until the reply)
 *      └── refused by the venue
 */
export type Subscription = {
  readonly track: Track
  phase: SubscriptionPhase
  attempt: number // resyncs in a row
  liveSinceNs: bigint | null // monotonic
  doubts: number // first depth messages in a row that could be a snapshot, and were not believed to be one
  doubtedId: bigint | null // where the last of them that had a range ended
  staleInARow: number // updates that told nothing new
  tradesListed: boolean // the venue confirmed that it sends us this symbol's trades
}

export type SubscriptionPhase =
  | Readonly<{ phase: 'idle' }>
  | Readonly<{ phase: 'awaiting_snapshot'; sinceNs: bigint; requestId: string }>
  | Readonly<{ phase: 'live' }>
  | Readonly<{ phase: 'unsubscribing'; sinceNs: bigint; requestId: string }>
  | Readonly<{ phase: 'backing_off'; resumeAtNs: bigint }>
  | Readonly<{ phase: 'parked'; resumeAtNs: bigint }>

/** Sends a request made from the next request number. */
export type Ask = (make: (id: number) => string) => void

/** No snapshot, or no reply, for this long: ask again. */
export const REPLY_DEADLINE_MS = 10_000
/**
 * A snapshot has equal first and last ids on the wire, though the documents allow a range. A first message with a range, or one
 * far smaller than the book before, is believed only after this many others in a row, all with a snapshot's looks.
 */
export const DOUBTS_BEFORE_BELIEF = 2
/**
 * The window that was open at a snapshot brings one or two stale updates, a resubscription some more. This many in a row
 * are no echo: the venue counts from an earlier id again, and the book has not moved since.
 */
export const MAX_STALE_IN_A_ROW = 20

export function newSubscription(track: Track): Subscription {
  return {
    track,
    phase: { phase: 'idle' },
    attempt: 0,
    liveSinceNs: null,
    doubts: 0,
    doubtedId: null,
    staleInARow: 0,
    tradesListed: false,
  }
}

/** Of a symbol whose streams came before it did: from a rotation (rotation.ts). */
export function subscribed(track: Track, at: Instant): Subscription {
  return { ...newSubscription(track), phase: { phase: 'live' }, liveSinceNs: at.monoNs, tradesListed: true }
}

export function onOpened(subscription: Subscription, at: Instant, ask: Ask): void {
  if (subscription.phase.phase !== 'parked') subscribe(subscription, at, ask)
}

/** The connection is over: a parked symbol stays parked, the others wait for the next connection. */
export function onEnded(subscription: Subscription): void {
  subscription.tradesListed = false
  subscription.liveSinceNs = null
  if (subscription.phase.phase !== 'parked') subscription.phase = { phase: 'idle' }
}

export function onTick(subscription: Subscription, at: Instant, run: RunSettings, ask: Ask, step: Step): void {
  const { phase } = subscription
  switch (phase.phase) {
    case 'idle':
      return
    case 'live':
      if (askWhenDue(subscription.track, at, ask, step) === 'missed') {
        const { epoch } = subscription.track
        resync(subscription, 'sequence', epoch?.provenNs ?? at.wallNs, at, run, ask, step)
      }
      if (distrustCrossed(subscription.track, at)) resync(subscription, 'divergence', at.wallNs, at, run, ask, step)
      return
    case 'backing_off':
    case 'parked':
      if (at.monoNs >= phase.resumeAtNs) subscribe(subscription, at, ask)
      return
    case 'awaiting_snapshot':
      if (at.monoNs - phase.sinceNs < msToNs(REPLY_DEADLINE_MS)) return
      return resync(subscription, 'snapshot_missing', at.wallNs, at, run, ask, step)
    case 'unsubscribing':
      if (at.monoNs - phase.sinceNs < msToNs(REPLY_DEADLINE_MS)) return
      return unsubscribe(subscription, at, ask)
  }
}

/** A depth message of this symbol: the snapshot, a delta, or an echo of the subscription before. */
export function onDepth(
  subscription: Subscription,
  update: BookUpdate,
  place: MessagePlace,
  run: RunSettings,
  ask: Ask,
  step: Step,
): void {
  const { track, phase } = subscription
  switch (phase.phase) {
    case 'awaiting_snapshot':
      // Gemini marks no snapshot: the first depth message of a subscription is one (docs/gemini.md, claim 3).
      if (!isBelievable(subscription, update, step)) {
        return resync(subscription, 'snapshot_missing', place.at.wallNs, place.at, run, ask, step)
      }
      subscription.doubts = 0
      subscription.doubtedId = null
      subscription.staleInARow = 0
      subscription.phase = { phase: 'live' }
      subscription.liveSinceNs = place.at.monoNs
      return beginEpoch(track, place, update, step)
    case 'live':
      return onDelta(subscription, update, place, run, ask, step)
    case 'idle':
    case 'unsubscribing':
    case 'backing_off':
    case 'parked':
      return // sent before the venue read our unsubscribe; the next snapshot holds it
  }
}

/** The reply to our subscribe or unsubscribe; `error` is null for an acknowledgement. */
export function onReply(
  subscription: Subscription,
  id: string,
  error: Readonly<{ message: string; remedy: Remedy }> | null,
  at: Instant,
  run: RunSettings,
  ask: Ask,
  step: Step,
): void {
  const { phase, track } = subscription
  if (id.startsWith('sub:')) {
    if (error === null) {
      subscription.tradesListed = true
      closeTradesGap(track, at, step)
      return
    }
    if (phase.phase !== 'awaiting_snapshot' || phase.requestId !== id) return
    if (error.remedy === 'refused') return park(subscription, error.message, at, run, step)
    return delaySubscribe(subscription, at, run, step)
  }
  // An unsubscribe that fails leaves nothing to wait for either: the next subscribe decides.
  if (phase.phase !== 'unsubscribing' || phase.requestId !== id) return
  const waitMs = subscription.attempt <= 1 ? 0 : backoffMs(RESYNC_BACKOFF, subscription.attempt - 1, track.symbol)
  if (waitMs === 0) return subscribe(subscription, at, ask)
  subscription.phase = { phase: 'backing_off', resumeAtNs: at.monoNs + msToNs(waitMs) }
}

/** What `list_subscriptions` says of this symbol. */
export function onListed(
  subscription: Subscription,
  hasDepth: boolean,
  hasTrades: boolean,
  at: Instant,
  run: RunSettings,
  ask: Ask,
  step: Step,
): void {
  const { phase, track } = subscription
  if (phase.phase !== 'live' && phase.phase !== 'awaiting_snapshot') return
  if (hasTrades) {
    subscription.tradesListed = true
    closeTradesGap(track, at, step)
  } else if (subscription.tradesListed) {
    subscription.tradesListed = false
    loseTrades(track, 'subscription_lost', track.epoch?.provenNs ?? at.wallNs, run.runId, step)
  }
  if (phase.phase !== 'live') return
  if (!hasDepth) {
    loseBook(track, 'subscription_lost', track.epoch?.provenNs ?? at.wallNs, run.runId, step)
    subscribe(subscription, at, ask)
  } else if (!hasTrades) {
    ask((n) =>
      subscribeRequest(`sub:${track.symbol}:${n}`, [tradeStream(track.symbol), bookTickerStream(track.symbol)]),
    )
  }
}

/** Drops the book and takes a new snapshot of this one symbol, on the same connection. */
export function resync(
  subscription: Subscription,
  cause: GapCause,
  provenNs: bigint,
  at: Instant,
  run: RunSettings,
  ask: Ask,
  step: Step,
): void {
  const { phase, track } = subscription
  if (phase.phase !== 'live' && phase.phase !== 'awaiting_snapshot') return
  loseBook(track, cause, provenNs, run.runId, step)
  const wasStable = subscription.liveSinceNs !== null && at.monoNs - subscription.liveSinceNs >= msToNs(STABLE_MS)
  subscription.attempt = wasStable ? 1 : subscription.attempt + 1
  subscription.liveSinceNs = null
  unsubscribe(subscription, at, ask)
}

function onDelta(
  subscription: Subscription,
  update: BookUpdate,
  place: MessagePlace,
  run: RunSettings,
  ask: Ask,
  step: Step,
): void {
  const { track } = subscription
  const last = track.lastUpdateId ?? -1n
  switch (continuity(last, update)) {
    case 'stale':
      noteAnomaly(track, 'stale_update', 1, step)
      if (++subscription.staleInARow < MAX_STALE_IN_A_ROW) return
      return resync(subscription, 'sequence', track.epoch?.provenNs ?? place.at.wallNs, place.at, run, ask, step)
    case 'next':
      subscription.staleInARow = 0
      // Right after a snapshot the window that was open then may reach back; later nothing should (docs/gemini.md, claim 7).
      if (update.firstUpdateId < last && (track.epoch?.updates ?? 0) > 0)
        noteAnomaly(track, 'overlapping_update', 1, step)
      extendEpoch(track, place, update, step)
      if (checkTicker(track, step) === 'different' || compareWhenEqual(track, place.at, step) === 'different') {
        resync(subscription, 'divergence', place.at.wallNs, place.at, run, ask, step)
      }
      return
    case 'gap':
      if (update.firstUpdateId === last + 1n) noteAnomaly(track, 'next_convention', 1, step)
      return resync(subscription, 'sequence', track.epoch?.provenNs ?? place.at.wallNs, place.at, run, ask, step)
  }
}

/**
 * Whether the first depth message of a subscription is its snapshot. On the wire each one had equal ids, but a delta of one event
 * has them, too, and comes first where the snapshot went missing: then it is far too small, or has not a snapshot's looks.
 */
function isBelievable(subscription: Subscription, update: BookUpdate, step: Step): boolean {
  const { track } = subscription
  const isBookLike = looksLikeSnapshot(update)
  const isSmall = isSuspiciouslySmall(track, update)
  const hasRange = update.firstUpdateId !== update.lastUpdateId
  if (!hasRange && isBookLike && !isSmall) return true
  if (hasRange) {
    noteAnomaly(track, 'unmarked_snapshot', 1, step)
    // One delta may be echoed at each new subscription: however often it comes, it is one reason to doubt, and none to believe.
    if (subscription.doubtedId === update.lastUpdateId) return false
    subscription.doubtedId = update.lastUpdateId
  }
  // A book that has shrunk and stands still comes again as it is, and a venue that tells books with a range does so each time: one that
  // could not be a book in between means that deltas come where snapshots are missing.
  const couldBeBook = isBookLike && (!hasRange || (!isSmall && isWholeBook(update)))
  if (couldBeBook && subscription.doubts >= DOUBTS_BEFORE_BELIEF) return true
  subscription.doubts = couldBeBook ? subscription.doubts + 1 : 0
  return false
}

/** Nothing removed, and each side sorted from the best, as deltas hardly ever are (docs/gemini.md, claim 3). */
function looksLikeSnapshot({ changes }: BookUpdate): boolean {
  if (changes.some(({ quantity }) => isZero(quantity))) return false
  const [bids, asks] = sidesOf(changes)
  return (
    bids.every((price, i) => i === 0 || compareDecimals(price, bids[i - 1] ?? price) < 0) &&
    asks.every((price, i) => i === 0 || compareDecimals(price, asks[i - 1] ?? price) > 0)
  )
}

/** Both sides, not crossed: the least that is asked of a book that is told in an unusual way. */
function isWholeBook({ changes }: BookUpdate): boolean {
  const [[bestBid], [bestAsk]] = sidesOf(changes)
  return bestBid !== undefined && bestAsk !== undefined && compareDecimals(bestBid, bestAsk) < 0
}

const sidesOf = (changes: readonly LevelChange[]): readonly [bids: DecimalText[], asks: DecimalText[]] => [
  changes.filter(({ side }) => side === 'bid').map(({ price }) => price),
  changes.filter(({ side }) => side === 'ask').map(({ price }) => price),
]

// All three streams of one symbol and of no other in one request: a bad name refuses the whole request (docs/gemini.md, claim 5).
function subscribe(subscription: Subscription, at: Instant, ask: Ask): void {
  const { symbol } = subscription.track
  const streams = subscription.tradesListed
    ? [depthStream(symbol)]
    : [depthStream(symbol), bookTickerStream(symbol), tradeStream(symbol)]
  ask((n) => {
    const requestId = `sub:${symbol}:${n}`
    // Armed when sent: on a fresh connection the snapshot comes before the acknowledgement (docs/gemini.md, claim 4).
    subscription.phase = { phase: 'awaiting_snapshot', sinceNs: at.monoNs, requestId }
    return subscribeRequest(requestId, streams)
  })
}

function unsubscribe(subscription: Subscription, at: Instant, ask: Ask): void {
  const { symbol } = subscription.track
  ask((n) => {
    const requestId = `unsub:${symbol}:${n}`
    subscription.phase = { phase: 'unsubscribing', sinceNs: at.monoNs, requestId }
    return unsubscribeRequest(requestId, [depthStream(symbol)])
  })
}

/** The venue does not know the symbol: the others go on, and it is asked again ever more rarely. */
function park(subscription: Subscription, reason: string, at: Instant, run: RunSettings, step: Step): void {
  const { track } = subscription
  loseBook(track, 'refused', at.wallNs, run.runId, step)
  loseTrades(track, 'refused', at.wallNs, run.runId, step)
  subscription.attempt++
  subscription.tradesListed = false
  const retryInMs = backoffMs(PARK_BACKOFF, subscription.attempt, track.symbol)
  subscription.phase = { phase: 'parked', resumeAtNs: at.monoNs + msToNs(retryInMs) }
  step.observations.push({ kind: 'parked', feed: 'ws', symbol: track.symbol, reason, retryInMs })
}

function delaySubscribe(subscription: Subscription, at: Instant, run: RunSettings, step: Step): void {
  const { track } = subscription
  loseBook(track, 'connect', at.wallNs, run.runId, step)
  subscription.attempt++
  const waitMs = backoffMs(RESYNC_BACKOFF, subscription.attempt, track.symbol)
  subscription.phase = { phase: 'backing_off', resumeAtNs: at.monoNs + msToNs(waitMs) }
}
