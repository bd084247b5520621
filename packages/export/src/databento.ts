import { applyChange, depth, emptyBook, levelCount, type OrderBook } from '@booktape/book'
import type { TapeBook, TapeMessage, TapeTrade } from '@booktape/client'
import { compareDecimals, type DecimalText, type LevelChange, type Side } from '@booktape/market'
import type { Encoder, EncoderParts, Format } from './encoder.ts'
import { bookOf, type Step } from './playback.ts'
import { eventTimeOf } from './sidecar.ts'

const LEVELS = 10

/**
 * CSV with the 73 columns of Databento's MBP-10 schema: each event that changes the ten best levels of a side, and those levels after it.
 * No DBN: its sizes are 32-bit integers and its prices end at 9.2e9, which Gemini's books pass; here both are exact decimals.
 */
export const databento: Format = {
  name: 'databento',
  data: { mbp10 },
  streamed: ['mbp10'],
  levels: LEVELS,
  limits: [
    'levels beyond the ten best of each side are not there',
    'bid_ct and ask_ct are 0: Gemini does not say how many orders make a level',
    'ts_in_delta is 0: Gemini does not say when a message was sent',
    'sequence is the venue’s update id, of a trade its trade id: wider than the 32 bits of DBN',
    'a gap is a row of action R with the flag MAYBE_BAD_BOOK (4), after which nothing is known until the next snapshot',
  ],
}

const FLAG = { last: 128, snapshot: 32, badReceiveTime: 8, maybeBadBook: 4 } as const
const RTYPE_MBP10 = 10
/** Ids of ours: `symbol` in the manifest says whose rows they are. */
const PUBLISHER_ID = 0
const INSTRUMENT_ID = 1

function mbp10(parts: EncoderParts): Encoder {
  const { symbol, day } = parts.part
  const sink = parts.open(`gemini_${symbol}_${day}.mbp-10.csv.gz`, 'gzip')
  sink.write(`${COLUMNS.join(',')}\n`, 0)
  let book = emptyBook()
  const emptyLevels = levelCells(book)
  let rows: Row[] = [] // of one event: the last one is marked

  function add(action: Action, side: 'A' | 'B' | 'N', at: number, price: string, size: string): void {
    rows.push({ action, side, depth: at, price, size, levels: action === 'R' ? emptyLevels : levelCells(book) })
  }

  function write(step: Step, sequence: bigint, flags: number): void {
    const times = `${step.receivedNs},${eventTimeOf(step)},${RTYPE_MBP10},${PUBLISHER_ID},${INSTRUMENT_ID},`
    rows.forEach(({ action, side, depth: at, price, size, levels }, i) => {
      const all = i === rows.length - 1 ? flags | FLAG.last : flags
      sink.write(`${times}${action},${side},${at},${price},${size},${all},0,${sequence},${levels}\n`, 1)
    })
    rows = []
  }

  /** A clear, then the ten best levels of each side as they are put in. */
  function begin(step: Step, event: TapeBook): void {
    book = emptyBook()
    add('R', 'N', 0, '', '0')
    const whole = bookOf(event)
    for (const side of ['bid', 'ask'] as const) {
      const { prices, quantities } = depth(whole, side, LEVELS)
      prices.forEach((price, i) => {
        const quantity = quantities[i] as DecimalText
        applyChange(book, side, price, quantity)
        add('A', letterOf(side), i, price, quantity)
      })
    }
    book = whole
    write(step, event.updateId, FLAG.snapshot | FLAG.badReceiveTime)
  }

  function change(step: Step, event: TapeMessage): void {
    for (const { side, price, quantity } of event.changes) {
      const at = placeOf(book, side, price)
      const before = at === null ? null : quantityAtPlace(book, side, at, price)
      const applied = applyChange(book, side, price, quantity)
      if (at === null || applied === 'absent' || applied === 'unchanged') continue
      if (applied === 'removed') add('C', letterOf(side), at, price, before ?? '0')
      else add(before === null ? 'A' : 'M', letterOf(side), at, price, quantity)
    }
    write(step, event.lastUpdateId, 0)
  }

  function trade(step: Step, event: TapeTrade): void {
    if (event.broken) return parts.sidecar.trade(step, event, 'broken')
    const side = event.takerSide === 'buy' ? 'B' : event.takerSide === 'sell' ? 'A' : 'N'
    if (event.takerSide === 'auction' || event.takerSide === 'block') parts.sidecar.trade(step, event, 'side_unknown')
    add('T', side, 0, event.price, event.quantity)
    write(step, event.tradeId, 0)
  }

  return {
    take: (step) => {
      const { event } = step
      if (event.kind === 'book') begin(step, event)
      else if (event.kind === 'book_message') change(step, event)
      else if (event.kind === 'trade') trade(step, event)
      else {
        book = emptyBook()
        add('R', 'N', 0, '', '0')
        write(step, 0n, FLAG.maybeBadBook)
      }
    },
    end: () => ({ instrument_id: INSTRUMENT_ID }),
  }
}

type Action = 'A' | 'C' | 'M' | 'R' | 'T'
type Row = Readonly<{ action: Action; side: string; depth: number; price: string; size: string; levels: string }>

const letterOf = (side: Side): 'A' | 'B' => (side === 'bid' ? 'B' : 'A')

/** Where a price stands, or would, among the ten best of its side; null beyond them. */
function placeOf(book: OrderBook, side: Side, price: DecimalText): number | null {
  const { prices } = depth(book, side, LEVELS)
  const better = side === 'bid' ? 1 : -1
  const at = prices.findIndex((other) => better * compareDecimals(price, other) >= 0)
  if (at !== -1) return at
  return levelCount(book, side) < LEVELS ? prices.length : null
}

function quantityAtPlace(book: OrderBook, side: Side, at: number, price: LevelChange['price']): DecimalText | null {
  const { prices, quantities } = depth(book, side, at + 1)
  return prices[at] === price ? (quantities[at] ?? null) : null
}

function levelCells(book: OrderBook): string {
  const bids = depth(book, 'bid', LEVELS)
  const asks = depth(book, 'ask', LEVELS)
  let text = ''
  for (let i = 0; i < LEVELS; i++) {
    const comma = i === 0 ? '' : ','
    text += `${comma}${bids.prices[i] ?? ''},${asks.prices[i] ?? ''},${bids.quantities[i] ?? 0},${asks.quantities[i] ?? 0},0,0`
  }
  return text
}

const HEAD = 'ts_recv,ts_event,rtype,publisher_id,instrument_id,action,side,depth,price,size,flags,ts_in_delta,sequence'
const COLUMNS: readonly string[] = [
  HEAD,
  ...Array.from({ length: LEVELS }, (_, i) =>
    ['bid_px', 'ask_px', 'bid_sz', 'ask_sz', 'bid_ct', 'ask_ct'].map((name) => `${name}_${`${i}`.padStart(2, '0')}`),
  ).flat(),
]
