import { levelCount, topOfBook } from '@booktape/book'
import type { Feed } from '@booktape/market'
import { type CorridorState, type Instant, type Track, trackKey } from '@booktape/session'
import type { RecorderMetrics } from './metric-table.ts'
import type { Commit } from './readiness.ts'

/** What a recorder looks like at the moment when somebody asks. */
export type Look = Readonly<{
  state: Readonly<CorridorState>
  now: Instant
  startedNs: bigint // monotonic
  journalBytes: number
  backlog: number
  waitingDials: number
  lastCommit: Commit | null
}>

/** `lastMessageNs`: by feed and symbol. Both are monotonic. */
export type Seen = Readonly<{ lastMessageNs: ReadonlyMap<string, bigint>; housekeptNs: bigint | null }>

/** Brings the gauges up to date. What changes by events is counted when it happens (observe.ts). */
export function setGauges(metrics: RecorderMetrics, look: Look, seen: Seen): void {
  const { state, now, startedNs } = look
  metrics.journalBytes.set(look.journalBytes)
  metrics.backlog.set(look.backlog)
  metrics.dialsWaiting.set(look.waitingDials)
  metrics.commitAge.set(seconds(now.monoNs - (look.lastCommit?.monoNs ?? startedNs)))
  metrics.housekeepingAge.set(seconds(now.monoNs - (seen.housekeptNs ?? startedNs)))

  const connections: Record<Feed, number> = { v1: 0, ws: 0 }
  for (const session of state.sessions.values()) if (session.link.phase === 'open') connections[session.feed]++
  for (const feed of state.run?.feeds ?? []) metrics.connections.set({ feed }, connections[feed])

  for (const track of state.tracks.values()) setBook(metrics, track, now)
  for (const [key, lastNs] of seen.lastMessageNs) {
    const track = state.tracks.get(key)
    if (track === undefined) continue
    metrics.lastMessageAge.set({ feed: track.feed, symbol: track.symbol }, seconds(now.monoNs - lastNs))
  }
  setTrades(metrics, state, now)
}

function setBook(metrics: RecorderMetrics, track: Track, now: Instant): void {
  const { feed, symbol, epoch } = track
  const isLive = epoch !== null
  metrics.bookLive.set({ feed, symbol }, isLive ? 1 : 0)
  const top = topOfBook(track.book)
  for (const side of ['bid', 'ask'] as const) {
    metrics.bookLevels.set({ feed, symbol, side }, levelCount(track.book, side))
    const price = side === 'bid' ? top.bidPrice : top.askPrice
    // Prometheus knows only floats: this number is for looking at, never for reckoning.
    if (!isLive || price === null) metrics.bestPrice.remove({ feed, symbol, side })
    else metrics.bestPrice.set({ feed, symbol, side }, Number.parseFloat(price))
  }
  if (isLive) metrics.bookProvenAge.set({ feed, symbol }, seconds(now.monoNs - track.audit.good.at.monoNs))
  else metrics.bookProvenAge.remove({ feed, symbol })
}

function setTrades(metrics: RecorderMetrics, { repairs, tracks }: Readonly<CorridorState>, now: Instant): void {
  for (const [symbol, { provenNs, beganNs, read }] of repairs) {
    // By the wall clock: the last read may have been before a restart of the machine.
    const sinceNs = provenNs > 0n ? provenNs : (beganNs ?? now.wallNs)
    metrics.tradesReadAge.set({ symbol }, seconds(now.wallNs - sinceNs))
    let unfilled = read?.gaps.length ?? 0
    for (const feed of ['v1', 'ws'] as const) unfilled += tracks.get(trackKey(feed, symbol))?.unfilled.length ?? 0
    metrics.tradesUnfilled.set({ symbol }, unfilled)
  }
}

const seconds = (ns: bigint): number => Number(ns) / 1e9
