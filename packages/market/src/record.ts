import type { ChangeReason, Feed, Instrument, LevelChange, TakerSide, TopOfBook } from './book-update.ts'
import type { DecimalText } from './decimal.ts'

/**
 * What the corridor gives to storage: facts, in the order in which they became true. Each is a deterministic
 * function of the journal, so writing one twice changes nothing.
 *
 * Every record carries the receive time of the journal entry it came from. Ids of sessions are chosen when a
 * connection is dialed and are in the journal; ids of epochs and gaps are derived (`derive-id.ts`).
 */
export type MarketRecord =
  | SessionOpened
  | SessionClosed
  | EpochStarted
  | EpochEnded
  | GapOpened
  | GapClosed
  | GapWithdrawn
  | GapSettled
  | BookMessage
  | BookSnapshot
  | QuoteRecord
  | TradeRecord
  | InstrumentRecord
  | AuditRecord
  | QuarantineRecord

export type SessionOpened = Readonly<{
  kind: 'session_opened'
  sessionId: string
  feed: Feed
  url: string
  receivedTimeNs: bigint
}>

export type SessionClosed = Readonly<{
  kind: 'session_closed'
  sessionId: string
  code: number | null // null: the process ended before a close was seen
  reason: string
  receivedTimeNs: bigint
}>

/** A span in which the book is proven continuous begins. A `book_snapshot` with reason `initial` follows it. */
export type EpochStarted = Readonly<{
  kind: 'epoch_started'
  epochId: string
  sessionId: string
  symbol: string
  feed: Feed
  firstUpdateId: bigint
  receivedTimeNs: bigint // when the book became known
}>

export type EpochEnded = Readonly<{
  kind: 'epoch_ended'
  epochId: string
  lastUpdateId: bigint
  reason: string
  receivedTimeNs: bigint // the last instant for which continuity is proven, not the instant of detection
}>

export type GapStream = 'book' | 'trades'

/** What was lost, from the last id and instant that are proven. */
export type GapOpened = Readonly<{
  kind: 'gap_opened'
  gapId: string
  symbol: string
  feed: Feed
  stream: GapStream
  fromId: bigint | null // exclusive
  cause: GapCause
  receivedTimeNs: bigint // start: the last instant that is proven
}>

export type GapClosed = Readonly<{
  kind: 'gap_closed'
  gapId: string
  toId: bigint | null // inclusive
  receivedTimeNs: bigint // end
}>

/** The gap proved empty: the venue's id did not move while we were away (docs/gemini.md, claim 12). */
export type GapWithdrawn = Readonly<{ kind: 'gap_withdrawn'; gapId: string; receivedTimeNs: bigint }>

/** What became of a closed gap of trades: REST had what was missing, or could not have it. */
export type GapSettled = Readonly<{
  kind: 'gap_settled'
  gapId: string
  state: 'filled' | 'unfillable'
  receivedTimeNs: bigint
}>

export const GAP_CAUSES = [
  'sequence', // an id was skipped
  'disconnect', // the connection closed
  'liveness', // the connection went silent and was ended by us
  'malformed', // a message could not be read
  'protocol', // a message broke the venue's rules
  'snapshot_missing', // no believable snapshot came in time
  'subscription_lost', // the venue no longer lists the stream
  'connect', // the connection could not be made
  'refused', // the venue refused the symbol
  'restart', // this process ended without a stop
  'stopped', // this process was stopped
  'journal_full', // nothing more could be written down
  'journal_damaged', // what was written down could not be read again
  'divergence', // an audit found another book at the venue
  'unstorable', // the database refused a row (docs/adr/0005-poison-rows.md)
] as const
export type GapCause = (typeof GAP_CAUSES)[number]

/** The level changes of one delta. Snapshots are `BookSnapshot` records. */
export type BookMessage = Readonly<{
  kind: 'book_message'
  epochId: string
  symbol: string
  feed: Feed
  messageSeq: number // our count in the session, from 1
  firstUpdateId: bigint
  lastUpdateId: bigint
  eventTimeNs: bigint | null
  receivedTimeNs: bigint
  changes: readonly LevelChange[] // may be empty: the id still moved
}>

export type SnapshotReason = 'initial' | 'interval' | 'epoch_end' | 'audit'

/** A whole book, best level first. `digest` is `bookDigest` of packages/book, 64 hex digits. */
export type BookSnapshot = Readonly<{
  kind: 'book_snapshot'
  epochId: string
  symbol: string
  feed: Feed
  messageSeq: number // the message after which the book stood so
  updateId: bigint
  eventTimeNs: bigint | null
  receivedTimeNs: bigint
  reason: SnapshotReason
  bidPrices: readonly DecimalText[]
  bidQuantities: readonly DecimalText[]
  askPrices: readonly DecimalText[]
  askQuantities: readonly DecimalText[]
  digest: string
}>

export type QuoteRecord = Readonly<{
  kind: 'quote'
  epochId: string | null // a ticker may come while the book is not known
  sessionId: string
  symbol: string
  feed: Feed
  messageSeq: number
  updateId: bigint
  eventTimeNs: bigint | null
  receivedTimeNs: bigint
  top: TopOfBook
}>

export type TradeRecord = Readonly<{
  kind: 'trade'
  symbol: string
  tradeId: bigint
  eventTimeNs: bigint
  receivedTimeNs: bigint
  price: DecimalText
  quantity: DecimalText
  takerSide: TakerSide
  source: 'v1' | 'ws' | 'rest'
  broken: boolean
}>

export type InstrumentRecord = Readonly<{ kind: 'instrument'; instrument: Instrument; receivedTimeNs: bigint }>

export type AuditRecord = Readonly<{
  kind: 'audit'
  symbol: string
  feed: Feed
  method: 'book_ticker' | 'depth' | 'rest' | 'cross_feed'
  updateId: bigint
  levelsCompared: number
  levelsDifferent: number
  result: 'equal' | 'different'
  receivedTimeNs: bigint
}>

/** A message we could not use, as it came. `symbol` only when it is one of ours. */
export type QuarantineRecord = Readonly<{
  kind: 'quarantine'
  sessionId: string
  messageSeq: number
  feed: Feed
  symbol: string | null
  reason: string
  payload: Uint8Array // at most 4 KiB
  receivedTimeNs: bigint
}>

export type { ChangeReason }
