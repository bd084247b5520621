import { depth, levelCount, sameTop, topOfBook } from '@booktape/book'
import type { TapeBook } from '@booktape/client'
import { compareDecimals, type DecimalText, type LevelChange, type TopOfBook } from '@booktape/market'
import type { Encoder, EncoderParts, Format } from './encoder.ts'
import type { Step } from './playback.ts'
import { eventTimeOf } from './sidecar.ts'
import type { Sink } from './sink.ts'

/**
 * The CSV files of tardis.dev, columns exactly and in order: their loaders compare them so. Times are whole microseconds since 1970
 * UTC, rows in the order of `local_timestamp`; rows of one message share it and hold together.
 */
export const tardis: Format = {
  name: 'tardis',
  data: {
    incremental_book_L2: incrementalBook,
    trades,
    quotes,
    book_snapshot_25: snapshots,
  },
  streamed: ['trades', 'quotes', 'book_snapshot_25'],
  levels: null,
  limits: [
    'times are cut to microseconds',
    'ids of messages and updates are not there',
    'a gap is not there: incremental_book_L2 ends a file at each and begins the next with a whole book, quotes and book_snapshot_25 have a row of empty cells',
    'quotes are the top of the recorded book, as at tardis.dev, and not the ticker of the venue',
  ],
}

/** Loaders know a file's content by its name: `incremental_book_L2` or `trades` must stand in it. */
function fileName({ part }: EncoderParts, data: string, number = 1): string {
  const more = number === 1 ? '' : `_${number}`
  return `gemini_${data}_${part.day}_${part.symbol.toUpperCase()}${more}.csv.gz`
}

/**
 * One file a whole book: hftbacktest's converter cuts a second snapshot in the same file to the size of the first, in silence, and
 * drops one that no delta follows, so a file that would end with it has a delta that says the best level again.
 */
function incrementalBook(parts: EncoderParts): Encoder {
  const prefix = `gemini,${parts.part.symbol.toUpperCase()},`
  let sink: Sink | null = null
  let files = 0
  let again: string | null = null // that delta; null where none is needed
  const row = (times: string, isSnapshot: boolean, { side, price, quantity }: Level) =>
    `${prefix}${times}${isSnapshot},${side},${price},${quantity}\n`

  function begin(step: Step, event: TapeBook): void {
    finish()
    sink = parts.open(fileName(parts, 'incremental_book_L2', ++files), 'gzip')
    sink.write('exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n', 0)
    const times = timesOf(step)
    const levels: readonly Level[] = [
      ...event.bids.map((level): Level => ({ side: 'bid', ...level })),
      ...event.asks.map((level): Level => ({ side: 'ask', ...level })),
    ]
    for (const level of levels) sink.write(row(times, true, level), 1)
    again = levels[0] === undefined ? null : row(times, false, levels[0])
  }

  function finish(): void {
    if (sink !== null && again !== null) sink.write(again, 1)
    again = null
    sink?.close()
    sink = null
  }

  return {
    take: (step) => {
      const { event } = step
      if (event.kind === 'book') begin(step, event)
      else if (event.kind === 'gap') finish()
      else if (event.kind === 'book_message' && event.changes.length > 0) {
        const times = timesOf(step)
        let text = ''
        for (const change of event.changes) text += row(times, false, change)
        sink?.write(text, event.changes.length)
        again = null
      }
    },
    end: () => {
      finish()
      return { files }
    },
  }
}

type Level = Pick<LevelChange, 'side' | 'price' | 'quantity'>

function trades(parts: EncoderParts): Encoder {
  const sink = parts.open(fileName(parts, 'trades'), 'gzip')
  const prefix = `gemini,${parts.part.symbol.toUpperCase()},`
  sink.write('exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n', 0)
  return {
    take: (step) => {
      const { event } = step
      if (event.kind !== 'trade') return
      if (event.broken) return parts.sidecar.trade(step, event, 'broken')
      const isKnown = event.takerSide === 'buy' || event.takerSide === 'sell'
      const side = isKnown ? event.takerSide : 'unknown'
      if (!isKnown && event.takerSide !== 'unknown') parts.sidecar.trade(step, event, 'side_unknown')
      sink.write(`${prefix}${timesOf(step)}${event.tradeId},${side},${event.price},${event.quantity}\n`, 1)
    },
    end: () => ({}),
  }
}

function quotes(parts: EncoderParts): Encoder {
  const sink = parts.open(fileName(parts, 'quotes'), 'gzip')
  const prefix = `gemini,${parts.part.symbol.toUpperCase()},`
  sink.write('exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount\n', 0)
  let before: TopOfBook = NO_QUOTE
  return {
    take: (step) => {
      if (step.event.kind === 'trade') return
      const top = step.isKnown ? topOfBook(step.book) : NO_QUOTE
      if (sameTop(top, before)) return
      before = top
      const { askQuantity, askPrice, bidPrice, bidQuantity } = top
      sink.write(
        `${prefix}${timesOf(step)}${askQuantity ?? ''},${askPrice ?? ''},${bidPrice ?? ''},${bidQuantity ?? ''}\n`,
        1,
      )
    },
    end: () => ({}),
  }
}

const NO_QUOTE: TopOfBook = { bidPrice: null, bidQuantity: null, askPrice: null, askQuantity: null }

const SNAPSHOT_LEVELS = 25

function snapshots(parts: EncoderParts): Encoder {
  const sink = parts.open(fileName(parts, `book_snapshot_${SNAPSHOT_LEVELS}`), 'gzip')
  const prefix = `gemini,${parts.part.symbol.toUpperCase()},`
  const columns = Array.from({ length: SNAPSHOT_LEVELS }, (_, i) =>
    ['asks', 'bids'].map((side) => `${side}[${i}].price,${side}[${i}].amount`).join(','),
  )
  sink.write(`exchange,symbol,timestamp,local_timestamp,${columns.join(',')}\n`, 0)
  const nothing = rowOf([], [], [], [])
  let before = nothing
  let worst: Readonly<Record<'bid' | 'ask', DecimalText | null>> = { bid: null, ask: null } // null: shallower than the row
  return {
    take: (step) => {
      const { event, book, isKnown } = step
      if (event.kind === 'trade') return
      if (event.kind === 'book_message' && event.changes.every((change) => isBeyond(change, worst))) return
      let cells = nothing
      if (isKnown) {
        const asks = depth(book, 'ask', SNAPSHOT_LEVELS)
        const bids = depth(book, 'bid', SNAPSHOT_LEVELS)
        cells = rowOf(asks.prices, asks.quantities, bids.prices, bids.quantities)
        worst = {
          ask: levelCount(book, 'ask') < SNAPSHOT_LEVELS ? null : (asks.prices.at(-1) ?? null),
          bid: levelCount(book, 'bid') < SNAPSHOT_LEVELS ? null : (bids.prices.at(-1) ?? null),
        }
      }
      if (cells === before) return
      before = cells
      sink.write(`${prefix}${timesOf(step)}${cells}\n`, 1)
    },
    end: () => ({}),
  }
}

/** Too far from the best price to be seen in a row. */
function isBeyond({ side, price }: LevelChange, worst: Readonly<Record<'bid' | 'ask', DecimalText | null>>): boolean {
  const last = worst[side]
  if (last === null) return false
  return side === 'bid' ? compareDecimals(price, last) < 0 : compareDecimals(price, last) > 0
}

type Cells = readonly string[]

function rowOf(askPrices: Cells, askQuantities: Cells, bidPrices: Cells, bidQuantities: Cells): string {
  let text = ''
  for (let i = 0; i < SNAPSHOT_LEVELS; i++) {
    const comma = i === 0 ? '' : ','
    text += `${comma}${askPrices[i] ?? ''},${askQuantities[i] ?? ''},${bidPrices[i] ?? ''},${bidQuantities[i] ?? ''}`
  }
  return text
}

const NS_PER_US = 1000n

/** `timestamp,local_timestamp,`; the venue's falls back to ours. */
function timesOf(step: Step): string {
  return `${eventTimeOf(step) / NS_PER_US},${step.receivedNs / NS_PER_US},`
}
