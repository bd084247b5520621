import {
  applyChange,
  bookFromLevels,
  depth,
  emptyBook,
  levelCount,
  levelsDigest,
  type OrderBook,
  sameTop,
  topOfBook,
} from '@booktape/book'
import {
  type BookUpdate,
  deriveId,
  type Feed,
  type GapCause,
  type GapStream,
  invariant,
  type SnapshotReason,
  type TopOfBook,
  type Trade,
} from '@booktape/market'
import { type BookAudit, newAudit } from './audit.ts'
import { msToNs } from './backoff.ts'
import { type Crossing, noteCrossing } from './crossing.ts'
import type { Instant } from './event.ts'
import { newRestAudit, type RestAudit } from './rest-audit.ts'
import { isSnapshotDue } from './snapshot-due.ts'
import type { Step } from './step.ts'
import { auditTicker, newTickerAudit, type TickerAudit } from './ticker-audit.ts'

/**
 * One symbol on one feed: its book, and the ledger of what is proven about it. At every instant its book stream is
 * in exactly one of three conditions: not yet recorded, in an epoch (continuous, `epoch` is set), or in a gap.
 *
 * Both feeds use this file; what differs between them is only how a loss is found and how a snapshot is asked for.
 */
export type Track = {
  readonly symbol: string
  readonly feed: Feed
  book: OrderBook
  epoch: Epoch | null
  lastUpdateId: bigint | null // the last id that is proven, in this epoch or the one before
  lastTrade: Readonly<{ tradeId: bigint; receivedNs: bigint }> | null // the last one that came live
  gaps: { book: OpenGap | null; trades: OpenGap | null }
  unfilled: OpenGap[] // closed gaps of trades that REST may still fill
  gapCount: number
  levelsBefore: number | null // in the last book that was known, both sides
  top: TopOfBook
  crossing: Crossing | null
  crossedNotBeforeNs: bigint // monotonic: not taken anew for being crossed before
  ticker: TickerAudit
  audit: BookAudit
  restAudit: RestAudit
}

export type Epoch = {
  readonly epochId: string
  readonly sessionId: string
  readonly startedNs: bigint
  provenNs: bigint // receive time of the last message that continued it
  provenMonoNs: bigint
  messageSeq: number
  updates: number // deltas since the epoch began
  snapshotMonoNs: bigint // when the last snapshot was stored, or found not to be needed
  changesSinceSnapshot: number // price levels set
}

export type OpenGap = Readonly<{ gapId: string; fromId: bigint | null; startedNs: bigint; cause: GapCause }>

const NO_TOP: TopOfBook = { bidPrice: null, bidQuantity: null, askPrice: null, askQuantity: null }

export function newTrack(symbol: string, feed: Feed): Track {
  return {
    symbol,
    feed,
    book: emptyBook(),
    epoch: null,
    lastUpdateId: null,
    lastTrade: null,
    gaps: { book: null, trades: null },
    unfilled: [],
    gapCount: 0,
    levelsBefore: null,
    top: NO_TOP,
    crossing: null,
    crossedNotBeforeNs: 0n,
    ticker: newTickerAudit(),
    audit: newAudit({ wallNs: 0n, monoNs: 0n }, 0n),
    restAudit: newRestAudit({ wallNs: 0n, monoNs: 0n }, false),
  }
}

/** Where a message stands: its session and our count in it. */
export type MessagePlace = Readonly<{ at: Instant; sessionId: string; messageSeq: number }>

/** A believable snapshot has at least this share of the levels that the book had before. */
const LEAST_SHARE = 0.25

export function isSuspiciouslySmall(track: Track, snapshot: BookUpdate): boolean {
  const known =
    track.epoch === null ? track.levelsBefore : levelCount(track.book, 'bid') + levelCount(track.book, 'ask')
  return known !== null && snapshot.changes.length < known * LEAST_SHARE
}

/** A snapshot replaces the book, begins an epoch and ends the gap before it. */
export function beginEpoch(track: Track, place: MessagePlace, snapshot: BookUpdate, step: Step): void {
  invariant(track.epoch === null, `${track.symbol} ${track.feed}: an epoch begins only where none is live`)
  const { at, sessionId, messageSeq } = place
  const epochId = deriveId('epoch', sessionId, track.symbol, messageSeq)
  track.book = bookFromLevels(snapshot.changes)
  track.epoch = {
    epochId,
    sessionId,
    startedNs: at.wallNs,
    provenNs: at.wallNs,
    provenMonoNs: at.monoNs,
    messageSeq,
    updates: 0,
    snapshotMonoNs: at.monoNs,
    changesSinceSnapshot: 0,
  }
  const updateId = snapshot.lastUpdateId
  closeBookGap(track, updateId, at, step)
  track.lastUpdateId = updateId
  track.crossing = null
  track.ticker = newTickerAudit()
  track.audit = newAudit(at, updateId)
  track.restAudit = newRestAudit(at, track.restAudit.isDoubted)
  step.records.push({
    kind: 'epoch_started',
    epochId,
    sessionId,
    symbol: track.symbol,
    feed: track.feed,
    firstUpdateId: updateId,
    receivedTimeNs: at.wallNs,
  })
  takeSnapshot(track, track.epoch, 'initial', snapshot.eventTimeNs, at.wallNs, step)
  step.observations.push({ kind: 'changes', feed: track.feed, symbol: track.symbol, count: snapshot.changes.length })
  track.top = NO_TOP
  if (track.feed === 'v1') quoteFromBook(track, place, snapshot, step)
  if (noteCrossing(track, null, at)) noteAnomaly(track, 'crossed_book', 1, step)
}

/** The book goes on from another connection, with nothing between: the epoch ends, the next begins, and no gap is opened. */
export function passEpoch(track: Track, place: MessagePlace, snapshot: BookUpdate, step: Step): void {
  const { epoch, lastUpdateId } = track
  invariant(epoch !== null && lastUpdateId !== null, `${track.symbol} ${track.feed}: only a live epoch is passed on`)
  const endedNs = later(place.at.wallNs, epoch.provenNs)
  auditTicker(track, endedNs, step)
  takeSnapshot(track, epoch, 'epoch_end', null, endedNs, step)
  const { epochId } = epoch
  step.records.push({ kind: 'epoch_ended', epochId, lastUpdateId, reason: 'rotation', receivedTimeNs: endedNs })
  track.epoch = null
  beginEpoch(track, place, snapshot, step)
}

/** A delta that continues the epoch: the whole message is applied before anything is told of it. */
export function extendEpoch(track: Track, place: MessagePlace, update: BookUpdate, step: Step): void {
  const epoch = track.epoch
  invariant(epoch !== null, `${track.symbol} ${track.feed}: only a live epoch is extended`)
  invariant(track.lastUpdateId !== null, 'a live epoch has a last update id')
  const before = { at: { wallNs: epoch.provenNs, monoNs: epoch.provenMonoNs }, updateId: track.lastUpdateId }
  let absent = 0
  for (const { side, price, quantity } of update.changes) {
    if (applyChange(track.book, side, price, quantity) === 'absent') absent++
  }
  track.lastUpdateId = update.lastUpdateId
  epoch.provenNs = later(place.at.wallNs, epoch.startedNs)
  epoch.provenMonoNs = place.at.monoNs
  epoch.messageSeq = place.messageSeq
  epoch.updates++
  epoch.changesSinceSnapshot += update.changes.length
  step.records.push({
    kind: 'book_message',
    epochId: epoch.epochId,
    symbol: track.symbol,
    feed: track.feed,
    messageSeq: place.messageSeq,
    firstUpdateId: update.firstUpdateId,
    lastUpdateId: update.lastUpdateId,
    eventTimeNs: update.eventTimeNs,
    receivedTimeNs: place.at.wallNs,
    changes: update.changes,
  })
  step.observations.push({ kind: 'changes', feed: track.feed, symbol: track.symbol, count: update.changes.length })
  if (absent > 0) noteAnomaly(track, 'absent_level_removed', absent, step)
  if (track.feed === 'v1') quoteFromBook(track, place, update, step)
  if (noteCrossing(track, before, place.at)) noteAnomaly(track, 'crossed_book', 1, step)
}

/**
 * From `provenNs` on nothing is proven: the epoch ends there and a gap opens, before anything later of this symbol is
 * told. Without a live epoch only the gap is opened, and with an open gap there is nothing new to say.
 */
export function loseBook(track: Track, cause: GapCause, provenNs: bigint, runId: string, step: Step): void {
  const epoch = track.epoch
  // A book found wrong was last known to be right at its last good audit: what followed is stored, and not believed.
  const isWrong = epoch !== null && cause === 'divergence'
  if (isWrong) track.lastUpdateId = track.audit.good.updateId
  const startedNs = isWrong ? track.audit.good.at.wallNs : epoch === null ? provenNs : later(provenNs, epoch.provenNs)
  if (epoch !== null) {
    const lastUpdateId = track.lastUpdateId
    invariant(lastUpdateId !== null, `${track.symbol} ${track.feed}: a live epoch has a last update id`)
    auditTicker(track, startedNs, step)
    if (!isWrong) takeSnapshot(track, epoch, 'epoch_end', null, startedNs, step)
    step.records.push({
      kind: 'epoch_ended',
      epochId: epoch.epochId,
      lastUpdateId,
      reason: cause,
      receivedTimeNs: startedNs,
    })
    track.epoch = null
    track.levelsBefore = levelCount(track.book, 'bid') + levelCount(track.book, 'ask')
    track.book = emptyBook()
    step.observations.push({ kind: 'resync', feed: track.feed, symbol: track.symbol, cause })
  }
  if (track.gaps.book === null) {
    track.gaps.book = openGap(track, 'book', track.lastUpdateId, cause, startedNs, runId, step)
  }
}

/** Trades of the new API ride outside any sequence: what was sent while nobody listened is a gap of its own. */
export function loseTrades(track: Track, cause: GapCause, provenNs: bigint, runId: string, step: Step): void {
  if (track.gaps.trades !== null) return
  track.gaps.trades = openGap(track, 'trades', track.lastTrade?.tradeId ?? null, cause, provenNs, runId, step)
}

export function closeTradesGap(track: Track, at: Instant, step: Step): void {
  const gap = track.gaps.trades
  if (gap === null) return
  track.gaps.trades = null
  track.unfilled.push(gap)
  step.records.push({
    kind: 'gap_closed',
    gapId: gap.gapId,
    toId: null,
    receivedTimeNs: later(at.wallNs, gap.startedNs),
  })
}

export function recordTrade(track: Track, at: Instant, trade: Trade, step: Step): void {
  track.lastTrade = { tradeId: trade.tradeId, receivedNs: at.wallNs }
  step.records.push({
    kind: 'trade',
    symbol: track.symbol,
    tradeId: trade.tradeId,
    eventTimeNs: trade.eventTimeNs,
    receivedTimeNs: at.wallNs,
    price: trade.price,
    quantity: trade.quantity,
    takerSide: trade.takerSide,
    source: track.feed,
    broken: false,
  })
}

/** A snapshot by the clock, or sooner after many changes, so that a book of the past is never far from one (snapshot-due.ts). */
export function snapshotWhenDue(track: Track, at: Instant, intervalMs: number, step: Step): void {
  const { epoch, book } = track
  if (epoch === null) return
  const passedNs = at.monoNs - epoch.snapshotMonoNs
  const levels = levelCount(book, 'bid') + levelCount(book, 'ask')
  const isDue = isSnapshotDue({ passedNs, changes: epoch.changesSinceSnapshot, levels }, intervalMs)
  if (!isDue && passedNs < msToNs(intervalMs)) return
  auditTicker(track, at.wallNs, step)
  if (isDue) takeSnapshot(track, epoch, 'interval', null, at.wallNs, step)
  epoch.snapshotMonoNs = at.monoNs
  epoch.changesSinceSnapshot = 0
}

function takeSnapshot(
  track: Track,
  epoch: Epoch,
  reason: SnapshotReason,
  eventTimeNs: bigint | null,
  receivedTimeNs: bigint,
  step: Step,
): void {
  invariant(track.lastUpdateId !== null, 'a book that is known has an update id')
  const bids = depth(track.book, 'bid')
  const asks = depth(track.book, 'ask')
  step.records.push({
    kind: 'book_snapshot',
    epochId: epoch.epochId,
    symbol: track.symbol,
    feed: track.feed,
    messageSeq: epoch.messageSeq,
    updateId: track.lastUpdateId,
    eventTimeNs,
    receivedTimeNs,
    reason,
    bidPrices: bids.prices,
    bidQuantities: bids.quantities,
    askPrices: asks.prices,
    askQuantities: asks.quantities,
    digest: levelsDigest(bids, asks),
  })
}

function openGap(
  track: Track,
  stream: GapStream,
  fromId: bigint | null,
  cause: GapCause,
  startedNs: bigint,
  runId: string,
  step: Step,
): OpenGap {
  const { symbol, feed } = track
  // By its count and by what it says: two of one instant may say the same, and a state that was lost and made again counts otherwise.
  const gapId = deriveId('gap', runId, symbol, feed, stream, track.gapCount++, fromId ?? 'unknown', startedNs, cause)
  step.records.push({ kind: 'gap_opened', gapId, symbol, feed, stream, fromId, cause, receivedTimeNs: startedNs })
  return { gapId, fromId, startedNs, cause }
}

/**
 * The new API's ids are the venue's own: when the new snapshot stands at the very id at which we stopped, nothing was
 * missed, and a gap row would be a false claim (docs/gemini.md, claim 12). No book change also means no trade.
 */
function closeBookGap(track: Track, updateId: bigint, at: Instant, step: Step): void {
  const gap = track.gaps.book
  if (gap === null) return
  track.gaps.book = null
  if (track.feed === 'ws' && gap.fromId === updateId) {
    step.records.push({ kind: 'gap_withdrawn', gapId: gap.gapId, receivedTimeNs: at.wallNs })
    const trades = track.gaps.trades
    if (trades === null || trades.startedNs < gap.startedNs) return
    track.gaps.trades = null
    step.records.push({ kind: 'gap_withdrawn', gapId: trades.gapId, receivedTimeNs: at.wallNs })
    return
  }
  step.records.push({
    kind: 'gap_closed',
    gapId: gap.gapId,
    toId: gap.fromId !== null && updateId < gap.fromId ? null : updateId, // counted anew: the two ids bound no range
    receivedTimeNs: later(at.wallNs, gap.startedNs),
  })
}

function quoteFromBook(track: Track, place: MessagePlace, update: BookUpdate, step: Step): void {
  const top = topOfBook(track.book)
  if (sameTop(top, track.top)) return
  track.top = top
  step.records.push({
    kind: 'quote',
    epochId: track.epoch?.epochId ?? null,
    sessionId: place.sessionId,
    symbol: track.symbol,
    feed: track.feed,
    messageSeq: place.messageSeq,
    updateId: update.lastUpdateId,
    eventTimeNs: update.eventTimeNs,
    receivedTimeNs: place.at.wallNs,
    top,
  })
}

export function noteAnomaly(
  track: Track,
  anomaly: Extract<Step['observations'][number], { kind: 'anomaly' }>['anomaly'],
  count: number,
  step: Step,
): void {
  step.observations.push({ kind: 'anomaly', feed: track.feed, symbol: track.symbol, anomaly, count })
}

const later = (a: bigint, b: bigint): bigint => (a > b ? a : b)
