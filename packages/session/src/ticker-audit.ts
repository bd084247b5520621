import { type OrderBook, sameTop, topOfBook } from '@booktape/book'
import type { Feed, TopOfBook } from '@booktape/market'
import type { Step } from './step.ts'

/**
 * The venue's bookTicker and the book share ids: at an equal id, best prices and quantities must be equal (docs/gemini.md,
 * claim 9). Whichever of the two comes first waits here for the other.
 */
export type TickerAudit = {
  waiting: { updateId: bigint; top: TopOfBook } | null
  compared: number
  different: number
  updateId: bigint // of the last comparison
}

/** What is audited: a track, of which only this much matters here. */
type Audited = {
  readonly symbol: string
  readonly feed: Feed
  book: OrderBook
  epoch: object | null
  lastUpdateId: bigint | null
  ticker: TickerAudit
}

/** Each comparison looks at the best level of both sides. */
const LEVELS_A_TICKER = 2

export function newTickerAudit(): TickerAudit {
  return { waiting: null, compared: 0, different: 0, updateId: 0n }
}

/** A ticker came: `different` when the book is not the venue's. */
export function expectTop(track: Audited, updateId: bigint, top: TopOfBook, step: Step): 'equal' | 'different' | null {
  track.ticker.waiting = { updateId, top }
  return checkTicker(track, step)
}

/** After each update: `different` when the book is not the venue's. */
export function checkTicker(track: Audited, step: Step): 'equal' | 'different' | null {
  const { waiting } = track.ticker
  if (waiting === null || track.epoch === null || waiting.updateId !== track.lastUpdateId) return null
  track.ticker.waiting = null
  track.ticker.compared++
  track.ticker.updateId = waiting.updateId
  if (sameTop(waiting.top, topOfBook(track.book))) return 'equal'
  track.ticker.different++
  const { feed, symbol } = track
  step.observations.push({ kind: 'anomaly', feed, symbol, anomaly: 'ticker_mismatch', count: 1 })
  return 'different'
}

/** One row for all comparisons since the last row: a row each would be most of the database. */
export function auditTicker(track: Audited, receivedTimeNs: bigint, step: Step): void {
  const { compared, different, updateId } = track.ticker
  if (compared === 0) return
  track.ticker.compared = 0
  track.ticker.different = 0
  step.records.push({
    kind: 'audit',
    symbol: track.symbol,
    feed: track.feed,
    method: 'book_ticker',
    updateId,
    levelsCompared: compared * LEVELS_A_TICKER,
    levelsDifferent: different,
    result: different === 0 ? 'equal' : 'different',
    receivedTimeNs,
  })
}
