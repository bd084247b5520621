import { topOfBook } from '@booktape/book'
import type { AuditRecord } from '@booktape/market'
import { type CorridorState, type Instant, type RunSettings, type Track, trackKey } from '@booktape/session'
import { meaningOf } from './gap-meaning.ts'
import type { Recent, RecentGap } from './recent.ts'
import type { AuditLine, BookLine, GapLine, OpenGapLine, Overview } from './status-wire.ts'

/** What a recorder is, and where its storing stands. */
export type Standing = Omit<Overview, 'nowMs' | 'missing' | 'missingCount' | 'symbols' | 'audits' | 'gaps'> &
  Readonly<{ missing: readonly string[] }>

/** Sentences of what is missing; /readyz has all of them. */
export const MAX_MISSING = 5

/** The whole recorder at one look, of what is in memory. */
export function overview(standing: Standing, state: Readonly<CorridorState>, recent: Recent, now: Instant): Overview {
  const { missing } = standing
  const { equal, different } = recent.auditCounts
  return {
    ...standing,
    nowMs: msOf(now.wallNs),
    missing: missing.slice(0, MAX_MISSING),
    missingCount: missing.length,
    symbols: (recent.run?.symbols ?? []).map((symbol) => ({
      symbol,
      books: (recent.run?.feeds ?? []).map((feed) =>
        bookLine(feed, state.tracks.get(trackKey(feed, symbol)), state, now),
      ),
    })),
    audits: {
      equalCount: equal,
      differentCount: different,
      different: recent.differentAudits.map(auditLine),
      latest: recent.latestAudits.map(auditLine),
    },
    gaps: recent.gaps.map(gapLine),
  }
}

/** What a run records: every symbol on every feed. */
export function booksOfRun(run: RunSettings | null): readonly Readonly<{ symbol: string; feed: string }>[] {
  return (run?.symbols ?? []).flatMap((symbol) => (run?.feeds ?? []).map((feed) => ({ symbol, feed })))
}

export function auditLine(audit: AuditRecord): AuditLine {
  const { symbol, feed, method, result, levelsCompared, levelsDifferent, receivedTimeNs } = audit
  return { symbol, feed, method, result, levelsCompared, levelsDifferent, atMs: msOf(receivedTimeNs) }
}

/** As many digits after the point as the symbol's prices have, so that they stand below each other. */
export function padded(price: string, increment: string | undefined): string {
  const digits = increment?.split('.')[1]?.length ?? 0
  const [whole = '', fraction = ''] = price.split('.')
  return fraction.length >= digits ? price : `${whole}.${fraction.padEnd(digits, '0')}`
}

export const msOf = (ns: bigint): number => Number(ns / 1_000_000n)

function bookLine(
  feed: string,
  track: Track | undefined,
  { instruments }: Readonly<CorridorState>,
  now: Instant,
): BookLine {
  if (track === undefined) return { feed, liveSinceMs: null, quietMs: null, bid: null, ask: null, open: [] }
  const { epoch, gaps, symbol } = track
  const increment = instruments.get(symbol)?.priceIncrement
  const open = (['book', 'trades'] as const).flatMap((stream): OpenGapLine[] => {
    const gap = gaps[stream]
    if (gap === null) return []
    return [{ stream, cause: gap.cause, meaning: meaningOf(gap.cause), sinceMs: msOf(gap.startedNs) }]
  })
  if (epoch === null) return { feed, liveSinceMs: null, quietMs: null, bid: null, ask: null, open }
  const { bidPrice, askPrice } = topOfBook(track.book)
  return {
    feed,
    liveSinceMs: msOf(epoch.startedNs),
    quietMs: Math.max(0, msOf(now.monoNs - epoch.provenMonoNs)),
    bid: bidPrice === null ? null : padded(bidPrice, increment),
    ask: askPrice === null ? null : padded(askPrice, increment),
    open,
  }
}

function gapLine({ symbol, feed, stream, cause, state, fromNs, toNs }: RecentGap): GapLine {
  return {
    symbol,
    feed,
    stream,
    cause,
    meaning: meaningOf(cause),
    state,
    fromMs: msOf(fromNs),
    toMs: toNs === null ? null : msOf(toNs),
  }
}
