import type { TapeEvent } from './tape-event.ts'

/**
 * One event as a line of JSON with its line feed (docs/replay.md). Ids, times, prices and quantities are texts: no reader rounds them.
 * Only what is not ours to spell is escaped: it is twice as fast.
 */
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
