import type { TapeEvent } from '@booktape/client'
import type { Encoder, EncoderParts, Format } from './encoder.ts'

/** One event of the tape a line, everything in it, exactly: prices, quantities, ids and nanoseconds are texts, which no reader rounds. */
export const ndjson: Format = { name: 'ndjson', data: { events }, streamed: ['events'], levels: null, limits: [] }

function events(parts: EncoderParts): Encoder {
  const { symbol, day } = parts.part
  const sink = parts.open(`${symbol}_${day}.ndjson.gz`, 'gzip')
  return {
    take: ({ event }) => sink.write(eventLine(event), 1),
    end: () => ({}),
  }
}

/** A line of JSON with its line feed. Only what is not ours to spell is escaped: it is twice as fast. */
export function eventLine(event: TapeEvent): string {
  switch (event.kind) {
    case 'book':
      return (
        `{"kind":"book",${originOf(event)},"update_id":"${event.updateId}",${timesOf(event)},` +
        `"bids":[${levelsOf(event.bids)}],"asks":[${levelsOf(event.asks)}]}\n`
      )
    case 'book_message': {
      const changes = event.changes.map(
        ({ side, price, quantity, reason }) =>
          `["${side}","${price}","${quantity}",${reason === null ? 'null' : `"${reason}"`}]`,
      )
      return (
        `{"kind":"book_message",${originOf(event)},"first_update_id":"${event.firstUpdateId}",` +
        `"update_id":"${event.lastUpdateId}",${timesOf(event)},"changes":[${changes.join(',')}]}\n`
      )
    }
    case 'trade':
      return (
        `{"kind":"trade","symbol":"${event.symbol}","trade_id":"${event.tradeId}",${timesOf(event)},"price":"${event.price}",` +
        `"quantity":"${event.quantity}","taker_side":"${event.takerSide}","source":"${event.source}",` +
        `"line":${JSON.stringify(event.line)},"broken":${event.broken}}\n`
      )
    case 'gap':
      return (
        `{"kind":"gap","symbol":"${event.symbol}","feed":${JSON.stringify(event.feed)},"from_ns":"${event.fromNs}",` +
        `"to_ns":"${event.toNs}","causes":${JSON.stringify(event.causes)}}\n`
      )
  }
}

type OfBook = Extract<TapeEvent, { kind: 'book' | 'book_message' }>

function originOf({ symbol, feed, line, epochId, messageSeq }: OfBook): string {
  return `"symbol":"${symbol}","feed":"${feed}","line":${JSON.stringify(line)},"epoch_id":"${epochId}","message_seq":${messageSeq}`
}

function timesOf(event: Readonly<{ eventTimeNs: bigint | null; receivedTimeNs: bigint }>): string {
  const eventTime = event.eventTimeNs === null ? 'null' : `"${event.eventTimeNs}"`
  return `"event_time_ns":${eventTime},"received_time_ns":"${event.receivedTimeNs}"`
}

function levelsOf(levels: readonly Readonly<{ price: string; quantity: string }>[]): string {
  return levels.map(({ price, quantity }) => `["${price}","${quantity}"]`).join(',')
}
