import { sameTop, topOfBook } from '@booktape/book'
import type { TopOfBook } from '@booktape/market'
import type { Step } from './step.ts'
import type { Track } from './track.ts'

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

/** Each comparison looks at the best level of both sides. */
const LEVELS_A_TICKER = 2

export function newTickerAudit(): TickerAudit {
  return { waiting: null, compared: 0, different: 0, updateId: 0n }
}

export function expectTop(track: Track, updateId: bigint, top: TopOfBook, step: Step): void {
  track.ticker.waiting = { updateId, top }
  checkTicker(track, step)
}

export function checkTicker(track: Track, step: Step): void {
  const { waiting } = track.ticker
  if (waiting === null || track.epoch === null || waiting.updateId !== track.lastUpdateId) return
  track.ticker.waiting = null
  track.ticker.compared++
  track.ticker.updateId = waiting.updateId
  if (sameTop(waiting.top, topOfBook(track.book))) return
  track.ticker.different++
  step.observations.push({
    kind: 'anomaly',
    feed: track.feed,
    symbol: track.symbol,
    anomaly: 'ticker_mismatch',
    count: 1,
  })
}

/** One row for all comparisons since the last row: a row each would be most of the database. */
export function auditTicker(track: Track, receivedTimeNs: bigint, step: Step): void {
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
