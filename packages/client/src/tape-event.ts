import type { Feed, TradeRecord } from '@booktape/market'
import type { PriceLevels, StoredMessage, StoredQuote } from '@booktape/store'

/**
 * What a recording tells, in its order. Prices and quantities are exact texts, ids and times bigints.
 *
 * A book stands until the next `book` of its symbol replaces it or a `gap` ends it; `book_message` changes it, all of its changes
 * together. Between a `gap` and the next `book` nothing is known.
 */
export type TapeEvent = TapeBook | TapeMessage | TapeTrade | TapeGap

/** The whole book, best level first: at the start, after a gap, and where another epoch or line goes on. */
export type TapeBook = Readonly<{
  kind: 'book'
  symbol: string
  feed: Feed
  line: string
  epochId: string
  messageSeq: number // the message after which it stood so
  updateId: bigint
  eventTimeNs: bigint | null
  receivedTimeNs: bigint // the instant it is given for
  bids: PriceLevels
  asks: PriceLevels
}>

/** One message of the venue, whose changes hold together. */
export type TapeMessage = StoredMessage

/** `source` is `rest` where it was not seen live: then it stands at the venue's time. */
export type TapeTrade = TradeRecord & Readonly<{ line: string }>

/** The best bid and offer: of `ws` the venue's own bookTicker, of `v1` the top of the book after each message that changed it. */
export type TapeQuote = StoredQuote

/** No line of the feed knows the book in [fromNs, toNs). */
export type TapeGap = Readonly<{
  kind: 'gap'
  symbol: string
  feed: Feed | null // null: no feed has anything in all of the span asked for
  fromNs: bigint
  toNs: bigint
  /** Causes of the gaps that lie in it (docs/data.md); none where nothing was to be recorded. */
  causes: readonly string[]
}>

/** Whose time orders the events of several symbols, and books among trades. */
export type TapeClock = 'received' | 'exchange'

const REST_OF_MICROSECOND_NS = 999n

/**
 * The instant of an event on a clock; what the venue gave no time for stands at ours. A gap begins at a microsecond, and what it follows
 * was received within it: everything of that microsecond comes first.
 */
export function instantOf(event: TapeEvent, clock: TapeClock): bigint {
  if (event.kind === 'gap') return event.fromNs + REST_OF_MICROSECOND_NS
  if (event.kind === 'trade' && (clock === 'exchange' || event.source === 'rest')) return event.eventTimeNs
  return clock === 'exchange' ? (event.eventTimeNs ?? event.receivedTimeNs) : event.receivedTimeNs
}
