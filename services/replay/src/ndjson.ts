import { instantOf, type Tape, type TapeEvent, type TapeQuestion } from '@booktape/client'
import type { Clock } from '@booktape/runtime'
import { type Pace, Pacer } from './pacer.ts'

/** Lines are gathered up to about so many characters before they are handed on. */
const CHARACTERS_AT_ONCE = 65_536

export type NdjsonOptions = Readonly<{
  tape: Tape
  question: TapeQuestion & Readonly<{ from: bigint }>
  pace: Pace
  clock: Clock
  signal: AbortSignal
  /** Told how far the replay has come, now and then. */
  onPassed?: (nowNs: bigint, events: number) => void
}>

/** A recording as lines of JSON, some at a time, each event when its instant has come. Ends early when the signal fires. */
export async function* ndjson(options: NdjsonOptions): AsyncGenerator<string> {
  const { tape, question, signal, onPassed } = options
  const { from, clock = 'received' } = question
  const pacer = new Pacer(options.pace, options.clock, from)
  let text = ''
  let events = 0
  let nowNs = from
  for await (const page of tape.pages(question)) {
    for (const event of page) {
      const instantNs = instantOf(event, clock)
      if (instantNs > nowNs) {
        nowNs = instantNs
        if (!pacer.isDue(instantNs)) {
          if (text !== '') yield text
          text = ''
          await pacer.passTo(instantNs, signal)
        }
      }
      if (signal.aborted) return
      text += `${eventLine(event)}\n`
      events++
      if (text.length < CHARACTERS_AT_ONCE) continue
      yield text
      text = ''
    }
    onPassed?.(nowNs, events)
  }
  if (text !== '') yield text
}

/** One event as JSON on one line (docs/replay.md). Ids, times, prices and quantities are texts: no reader rounds them. */
export function eventLine(event: TapeEvent): string {
  switch (event.kind) {
    case 'book':
      return (
        `{"kind":"book",${named(event)},"update_id":"${event.updateId}",${timed(event)},` +
        `"bids":[${levels(event.bids)}],"asks":[${levels(event.asks)}]}`
      )
    case 'book_message': {
      const changes = event.changes.map(({ side, price, quantity, reason }) => {
        return `["${side}","${price}","${quantity}",${reason === null ? 'null' : `"${reason}"`}]`
      })
      return (
        `{"kind":"book_message",${named(event)},"first_update_id":"${event.firstUpdateId}",` +
        `"update_id":"${event.lastUpdateId}",${timed(event)},"changes":[${changes.join(',')}]}`
      )
    }
    case 'trade':
      return (
        `{"kind":"trade","symbol":"${event.symbol}","trade_id":"${event.tradeId}",${timed(event)},"price":"${event.price}",` +
        `"quantity":"${event.quantity}","taker_side":"${event.takerSide}","source":"${event.source}",` +
        `"line":${JSON.stringify(event.line)},"broken":${event.broken}}`
      )
    case 'gap': {
      const feed = event.feed === null ? 'null' : `"${event.feed}"`
      return (
        `{"kind":"gap","symbol":"${event.symbol}","feed":${feed},"from_ns":"${event.fromNs}","to_ns":"${event.toNs}",` +
        `"causes":${JSON.stringify(event.causes)}}`
      )
    }
  }
}

type Named = Extract<TapeEvent, { kind: 'book' | 'book_message' }>

function named({ symbol, feed, line, epochId, messageSeq }: Named): string {
  return `"symbol":"${symbol}","feed":"${feed}","line":${JSON.stringify(line)},"epoch_id":"${epochId}","message_seq":${messageSeq}`
}

function timed({
  eventTimeNs,
  receivedTimeNs,
}: Readonly<{ eventTimeNs: bigint | null; receivedTimeNs: bigint }>): string {
  return `"event_time_ns":${eventTimeNs === null ? 'null' : `"${eventTimeNs}"`},"received_time_ns":"${receivedTimeNs}"`
}

function levels(of: readonly Readonly<{ price: string; quantity: string }>[]): string {
  return of.map(({ price, quantity }) => `["${price}","${quantity}"]`).join(',')
}
