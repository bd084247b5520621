import type { TapeEvent } from '@booktape/client'
import type { LevelChange } from '@booktape/market'
import type { Encoder, EncoderParts, Format } from './encoder.ts'

/** One event of the tape a line, everything in it, exactly: prices, quantities, ids and nanoseconds are strings. */
export const ndjson: Format = { name: 'ndjson', data: { events }, streamed: ['events'], levels: null, limits: [] }

function events(parts: EncoderParts): Encoder {
  const { symbol, day } = parts.part
  const sink = parts.open(`${symbol}_${day}.ndjson.gz`, 'gzip')
  return {
    take: ({ event }) => sink.write(eventLine(event), 1),
    end: () => ({}),
  }
}

/** A line of JSON, with its line feed. */
export function eventLine(event: TapeEvent): string {
  return `${JSON.stringify(plain(event))}\n`
}

function plain(event: TapeEvent): unknown {
  switch (event.kind) {
    case 'book':
      return {
        ...origin(event),
        update_id: `${event.updateId}`,
        ...times(event),
        bids: event.bids.map(({ price, quantity }) => [price, quantity]),
        asks: event.asks.map(({ price, quantity }) => [price, quantity]),
      }
    case 'book_message':
      return {
        ...origin(event),
        first_update_id: `${event.firstUpdateId}`,
        last_update_id: `${event.lastUpdateId}`,
        ...times(event),
        changes: event.changes.map(changeOf),
      }
    case 'trade':
      return {
        kind: event.kind,
        symbol: event.symbol,
        trade_id: `${event.tradeId}`,
        ...times(event),
        price: event.price,
        quantity: event.quantity,
        taker_side: event.takerSide,
        source: event.source,
        line: event.line,
        broken: event.broken,
      }
    case 'gap':
      return {
        kind: event.kind,
        symbol: event.symbol,
        feed: event.feed,
        from_time_ns: `${event.fromNs}`,
        to_time_ns: `${event.toNs}`,
        causes: event.causes,
      }
  }
}

type OfBook = Extract<TapeEvent, { kind: 'book' | 'book_message' }>

function origin({ kind, symbol, feed, line, epochId, messageSeq }: OfBook) {
  return { kind, symbol, feed, line, epoch_id: epochId, message_seq: messageSeq }
}

function times({ eventTimeNs, receivedTimeNs }: Readonly<{ eventTimeNs: bigint | null; receivedTimeNs: bigint }>) {
  return {
    event_time_ns: eventTimeNs === null ? null : `${eventTimeNs}`,
    received_time_ns: `${receivedTimeNs}`,
  }
}

/** `[side, price, quantity]`, and the reason where the feed gives one. */
function changeOf({ side, price, quantity, reason }: LevelChange): readonly string[] {
  return reason === null ? [side, price, quantity] : [side, price, quantity, reason]
}
