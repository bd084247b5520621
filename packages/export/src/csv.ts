import { depth } from '@booktape/book'
import type { TapeBook } from '@booktape/client'
import type { Encoder, EncoderParts, Format } from './encoder.ts'
import type { Step } from './playback.ts'

/** booktape's own CSV: the columns of the relations of the same names (docs/data.md), times as whole nanoseconds. */
export const csv: Format = {
  name: 'csv',
  data: { book_changes: bookChanges, trades, gaps },
  streamed: ['book_changes', 'trades', 'gaps'],
  levels: null,
  limits: [
    'a message without changes has no row, though its update id moved',
    'a book without levels has no rows of its own: the levels before it are removed instead',
  ],
}

const CHANGE_COLUMNS =
  'symbol,feed,line,epoch_id,message_seq,change_index,update_id,event_time_ns,received_time_ns,side,price,quantity,reason,is_snapshot'

function bookChanges(parts: EncoderParts): Encoder {
  const sink = parts.open(fileName(parts, 'book_changes'), 'gzip')
  sink.write(`${CHANGE_COLUMNS}\n`, 0)
  let messagesWithoutChanges = 0
  let held: Step['book'] | null = null // what a reader of the file has, to be removed by a book without levels
  return {
    take: (step) => {
      const { event } = step
      if (event.kind === 'book') {
        const rows = levelRows(event)
        if (rows.length === 0) sink.write(...removals(event, held))
        else sink.write(rows.join(''), rows.length)
        held = step.book
      } else if (event.kind === 'book_message') {
        if (event.changes.length === 0) messagesWithoutChanges++
        const { symbol, feed, line, epochId, messageSeq, lastUpdateId, eventTimeNs, receivedTimeNs } = event
        const head = `${symbol},${feed},${line},${epochId},${messageSeq},`
        const middle = `,${lastUpdateId},${eventTimeNs ?? ''},${receivedTimeNs},`
        let text = ''
        event.changes.forEach(({ side, price, quantity, reason }, i) => {
          text += `${head}${i}${middle}${side},${price},${quantity},${reason ?? ''},false\n`
        })
        sink.write(text, event.changes.length)
      }
    },
    end: () => ({ messages_without_changes: messagesWithoutChanges }),
  }
}

function levelRows(event: TapeBook): readonly string[] {
  const { symbol, feed, line, epochId, messageSeq, updateId, eventTimeNs, receivedTimeNs } = event
  const levels = [
    ...event.bids.map(({ price, quantity }) => `bid,${price},${quantity}`),
    ...event.asks.map(({ price, quantity }) => `ask,${price},${quantity}`),
  ]
  return levels.map(
    (level, i) =>
      `${symbol},${feed},${line},${epochId},${messageSeq},${i},${updateId},${eventTimeNs ?? ''},${receivedTimeNs},${level},,true\n`,
  )
}

function removals(event: TapeBook, held: Step['book'] | null): [string, number] {
  if (held === null) return ['', 0]
  const { symbol, feed, line, epochId, messageSeq, updateId, eventTimeNs, receivedTimeNs } = event
  const levels = (['bid', 'ask'] as const).flatMap((side) =>
    depth(held, side).prices.map((price) => `${side},${price},0`),
  )
  const rows = levels.map(
    (level, i) =>
      `${symbol},${feed},${line},${epochId},${messageSeq},${i},${updateId},${eventTimeNs ?? ''},${receivedTimeNs},${level},,false\n`,
  )
  return [rows.join(''), rows.length]
}

function trades(parts: EncoderParts): Encoder {
  const sink = parts.open(fileName(parts, 'trades'), 'gzip')
  sink.write('symbol,trade_id,event_time_ns,received_time_ns,price,quantity,taker_side,source,line,broken\n', 0)
  return {
    take: ({ event }) => {
      if (event.kind !== 'trade') return
      const { symbol, tradeId, eventTimeNs, receivedTimeNs, price, quantity, takerSide, source, line, broken } = event
      sink.write(
        `${symbol},${tradeId},${eventTimeNs},${receivedTimeNs},${price},${quantity},${takerSide},${source},${line},${broken}\n`,
        1,
      )
    },
    end: () => ({}),
  }
}

/** Spans in which the book is not known; between them it is. */
function gaps(parts: EncoderParts): Encoder {
  const sink = parts.open(fileName(parts, 'gaps'), 'plain')
  sink.write('symbol,feed,from_time_ns,to_time_ns,causes\n', 0)
  return {
    take: ({ event }) => {
      if (event.kind !== 'gap') return
      sink.write(`${event.symbol},${event.feed ?? ''},${event.fromNs},${event.toNs},${event.causes.join(' ')}\n`, 1)
    },
    end: () => ({}),
  }
}

function fileName({ part }: EncoderParts, data: string): string {
  return `${part.symbol}_${data}_${part.day}.csv${data === 'gaps' ? '' : '.gz'}`
}
