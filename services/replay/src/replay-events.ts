import { instantOf, merge, type Tape, type TapeClock, type TapeEvent, type TapeTrade } from '@booktape/client'
import type { Feed } from '@booktape/market'
import type { BookName, ReplayEvent } from './replay-venue.ts'
import type { TradePool } from './trade-pool.ts'

/** A part of a recording. `feed`: null for both. */
export type ReplaySpan = Readonly<{
  symbols: readonly string[] // lower case
  fromNs: bigint
  toNs: bigint
  feed: Feed | null
  clock: TapeClock
}>

/** Where the trades of a symbol wait for their messages of v1. */
export type PoolOf = (symbol: string) => TradePool | undefined

const NS_PER_MS = 1_000_000n

/** The books that a recording knows anywhere in the span. */
export async function recordedBooks(tape: Tape, span: ReplaySpan): Promise<readonly BookName[]> {
  const { symbols, fromNs: from, toNs: to } = span
  const books: BookName[] = []
  for (const feed of span.feed === null ? (['v1', 'ws'] as const) : [span.feed]) {
    const coverage = await tape.coverage({ symbols, from, to, feed })
    const known = new Set(coverage.filter(({ isKnown }) => isKnown).map(({ symbol }) => symbol))
    books.push(...[...known].map((symbol) => ({ feed, symbol })))
  }
  return books
}

/** Everything that is told again, of both feeds, in the order of the clock. Before a message of v1 comes, its trades are in their pool. */
export function replayEvents(
  tape: Tape,
  span: ReplaySpan,
  books: readonly BookName[],
  poolOf: PoolOf,
): AsyncGenerator<readonly ReplayEvent[]> {
  const { fromNs: from, toNs: to, clock } = span
  const symbolsOf = (feed: Feed) => books.filter((book) => book.feed === feed).map(({ symbol }) => symbol)
  const [v1, ws] = [symbolsOf('v1'), symbolsOf('ws')]
  const symbols = [...new Set([...v1, ...ws])]
  // A trade of the same instant comes before the change that it makes, a quote after it.
  const streams: AsyncGenerator<readonly ReplayEvent[]>[] = [tape.pages({ symbols, from, to, clock, only: 'trades' })]
  if (v1.length > 0) {
    const trades = tape.pages({ symbols: v1, from, to, clock: 'exchange', only: 'trades' })
    streams.push(withTrades(tape.pages({ symbols: v1, from, to, clock, feed: 'v1', only: 'books' }), trades, poolOf))
  }
  if (ws.length > 0) {
    streams.push(
      tape.pages({ symbols: ws, from, to, clock, feed: 'ws', only: 'books' }),
      tape.quotes({ symbols: ws, from, to, feed: 'ws' }),
    )
  }
  return merge(streams, (event) => instantOfReplay(event, clock))
}

export function instantOfReplay(event: ReplayEvent, clock: TapeClock): bigint {
  if (event.kind !== 'quote') return instantOf(event, clock)
  return clock === 'exchange' ? (event.eventTimeNs ?? event.receivedTimeNs) : event.receivedTimeNs
}

/** Pages of v1 as they are, each after the trades up to its last event have been put into the pool. */
async function* withTrades(
  pages: AsyncGenerator<readonly TapeEvent[]>,
  trades: AsyncGenerator<readonly TapeEvent[]>,
  poolOf: PoolOf,
): AsyncGenerator<readonly TapeEvent[]> {
  let waiting: readonly TapeTrade[] = []
  let isOver = false
  try {
    for await (const page of pages) {
      let untilNs = 0n
      for (const event of page) {
        if (event.kind === 'book_message' && event.eventTimeNs !== null && event.eventTimeNs >= untilNs)
          untilNs = event.eventTimeNs + NS_PER_MS // v1 counts in milliseconds
      }
      for (;;) {
        const later = waiting.findIndex(({ eventTimeNs }) => eventTimeNs >= untilNs)
        for (const trade of later === -1 ? waiting : waiting.slice(0, later)) poolOf(trade.symbol)?.add(trade)
        waiting = later === -1 ? [] : waiting.slice(later)
        if (waiting.length > 0 || isOver) break
        const next = await trades.next()
        isOver = next.done === true
        if (next.done !== true) waiting = next.value.filter((event): event is TapeTrade => event.kind === 'trade')
      }
      yield page
    }
  } finally {
    await pages.return(undefined)
    await trades.return(undefined)
  }
}
