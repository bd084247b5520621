import { decodeRestTrades, MAX_TRADES_LIMIT, type RestTrade } from '@booktape/gemini'
import { type TradeRecord, VenueProtocolError } from '@booktape/market'
import type { ReadFrom } from './step.ts'

/** The trades of a page, newest first; or what is wrong with it. */
export function readTradesPage(body: string): readonly RestTrade[] | string {
  try {
    return decodeRestTrades(body)
  } catch (error) {
    if (!(error instanceof VenueProtocolError)) throw error
    return error.message
  }
}

/** Where the page after this one begins (docs/gemini.md, claim 22); null when it was the last. */
export function cursorAfter(cursor: ReadFrom, page: readonly RestTrade[]): ReadFrom | null {
  const [newest] = page
  if (page.length < MAX_TRADES_LIMIT || newest === undefined) return null
  if ('tradeId' in cursor) {
    return { tradeId: page.reduce((id, { tradeId }) => (tradeId > id ? tradeId : id), cursor.tradeId) }
  }
  // Whether the venue means "after" or "from" is not known: a millisecond is read twice rather than left out.
  const nextMs = newest.eventTimeNs / 1_000_000n - 1n
  return { timeMs: nextMs > cursor.timeMs ? nextMs : cursor.timeMs + 1n }
}

/** What is stored of a page, oldest first. */
export function tradeRecords(symbol: string, page: readonly RestTrade[], receivedTimeNs: bigint): TradeRecord[] {
  return page.toReversed().map(({ tradeId, eventTimeNs, price, quantity, takerSide, broken }) => ({
    kind: 'trade',
    symbol,
    tradeId,
    eventTimeNs,
    receivedTimeNs,
    price,
    quantity,
    takerSide,
    source: 'rest',
    broken,
  }))
}
