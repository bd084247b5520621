import { depth, levelCount } from '@booktape/book'
import type { Side } from '@booktape/market'
import { type CorridorState, type Instant, type Track, trackKey } from '@booktape/session'
import type { Recent } from './recent.ts'
import { auditLine, msOf, padded } from './status-overview.ts'
import type { LevelText, SymbolLook } from './status-wire.ts'

/** Levels of a side: what a chart of some hundred pixels shows of a book around its top. */
export const DEPTH_LEVELS = 150

/** One book in depth, and its symbol's newest trades; null for what this recorder does not record. */
export function symbolLook(
  { symbol, feed }: Readonly<{ symbol: string; feed: string }>,
  state: Readonly<CorridorState>,
  recent: Recent,
  now: Instant,
): SymbolLook | null {
  const { run } = recent
  const isRecorded = run?.symbols.includes(symbol) === true && run.feeds.some((name) => name === feed)
  if (!isRecorded) return null
  const track = state.tracks.get(trackKey(feed, symbol))
  const increment = state.instruments.get(symbol)?.priceIncrement
  return {
    symbol,
    feed,
    nowMs: msOf(now.wallNs),
    ...bookLook(track, increment),
    trades: recent
      .trades(symbol)
      .filter(({ broken }) => !broken)
      .map(({ tradeId, eventTimeNs, price, quantity, takerSide, source }) => ({
        id: tradeId.toString(),
        atMs: msOf(eventTimeNs),
        price: padded(price, increment),
        quantity,
        takerSide,
        source,
      })),
    audits: recent.audits(symbol).map(auditLine),
  }
}

type BookLook = Pick<SymbolLook, 'liveSinceMs' | 'updateId' | 'bids' | 'asks' | 'bidLevels' | 'askLevels'>

/** A book that is not live is not shown: what is left of it is not the venue's any more. */
function bookLook(track: Track | undefined, increment: string | undefined): BookLook {
  if (track === undefined || track.epoch === null)
    return { liveSinceMs: null, updateId: null, bids: [], asks: [], bidLevels: 0, askLevels: 0 }
  const { book, epoch, lastUpdateId } = track
  const levels = (side: Side): LevelText[] => {
    const { prices, quantities } = depth(book, side, DEPTH_LEVELS)
    return prices.map((price, i) => [padded(price, increment), quantities[i] ?? ''])
  }
  return {
    liveSinceMs: msOf(epoch.startedNs),
    updateId: lastUpdateId?.toString() ?? null,
    bids: levels('bid'),
    asks: levels('ask'),
    bidLevels: levelCount(book, 'bid'),
    askLevels: levelCount(book, 'ask'),
  }
}
