import type { DecimalText, Feed } from '@booktape/market'
import type { PoolClient } from 'pg'
import { orStoreError } from './failure.ts'
import type { MessageRange } from './stored-messages.ts'

/** A symbol within [fromTime, toTime) by receive time, as Postgres reads instants; feed null: the one that is known first. */
export type ReplayQuestion = Readonly<{ symbol: string; feed: Feed | null; fromTime: string; toTime: string }>

/**
 * A span in which one replay knows the book, by the rule of `market.changes_between`: one feed, and one line at a time. The book
 * as of its beginning, and the messages that follow it.
 */
export type BookSpan = Readonly<{
  symbol: string
  feed: Feed
  line: string
  epochId: string
  beginsNs: bigint // by receive time; the opening book is of this instant
  knownUntilNs: bigint // the last instant known, cut to the microsecond
  messageSeq: number // the message after which the opening book stood so
  updateId: bigint
  eventTimeNs: bigint | null
  messages: MessageRange
  state: string // for `openingBook`
}>

export type PriceLevels = readonly Readonly<{ price: DecimalText; quantity: DecimalText }>[]

/** All spans of a replay, in order. Throws `StoreError`; Postgres's own message for a question that no answer fits. */
export async function bookSpans(client: PoolClient, question: ReplayQuestion): Promise<readonly BookSpan[]> {
  const { symbol, fromTime, toTime, feed } = question
  const { rows } = await orStoreError(() => client.query<SpanRow>(SPANS, [symbol, fromTime, toTime, feed]))
  return rows.map((row) => ({
    symbol,
    feed: row.feed,
    line: row.line,
    epochId: row.epoch_id,
    beginsNs: row.begins_ns,
    knownUntilNs: row.known_until_ns,
    messageSeq: Number(row.message_seq), // counted by us in one session: far below 2^53
    updateId: row.update_id,
    eventTimeNs: row.event_time_ns,
    messages: {
      epochId: row.epoch_id,
      line: row.line,
      afterSeq: row.message_seq,
      lastSeq: row.last_seq,
      fromTime: row.from_time,
      untilTime: row.until_time,
    },
    state: row.state,
  }))
}

/** The whole book at the beginning of a span, best level first. */
export async function openingBook(
  client: PoolClient,
  span: BookSpan,
): Promise<Readonly<{ bids: PriceLevels; asks: PriceLevels }>> {
  type Level = Readonly<{ side: string; price: DecimalText; quantity: DecimalText }>
  const { rows } = await orStoreError(() => client.query<Level>(LEVELS, [span.state]))
  const ofSide = (wanted: string): PriceLevels =>
    rows.filter(({ side }) => side === wanted).map(({ price, quantity }) => ({ price, quantity }))
  return { bids: ofSide('bid'), asks: ofSide('ask') }
}

type SpanRow = Readonly<{
  epoch_id: string
  feed: Feed
  line: string
  begins_ns: bigint
  known_until_ns: bigint
  message_seq: bigint
  update_id: bigint
  event_time_ns: bigint | null
  last_seq: bigint
  from_time: string
  until_time: string
  state: string
}>

const SPANS = `select s.epoch_id, s.feed, s.line, s.begins_ns, booktape.nanoseconds(s.known_until) as known_until_ns,
  (s.opening).message_seq, (s.opening).update_id, (s.opening).event_time_ns, (s.closing).message_seq as last_seq,
  (s.opening).snapshot_time as from_time, (s.closing).message_time as until_time, s.opening::text as state
from booktape.book_spans($1, $2, $3, $4) s
order by s.place`

const LEVELS = `select l.side, l.price, l.quantity
from booktape.book_levels('{bid,ask}', $1::booktape.book_state, null) l`
