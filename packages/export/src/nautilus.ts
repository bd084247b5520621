import { applyChange, emptyBook, type OrderBook, quantityAt, sameTop, topOfBook } from '@booktape/book'
import type { DecimalText, LevelChange, TopOfBook } from '@booktape/market'
import type { Encoder, EncoderParts, Format } from './encoder.ts'
import { FIXED_DIGITS, fixedBytes, PRICE_MAX, QUANTITY_MAX, toFixedPoint } from './fixed-point.ts'
import { type ParquetColumn, ParquetRows } from './parquet.ts'
import { isoTime, type Part } from './part.ts'
import type { Seen, Step } from './playback.ts'
import { eventTimeOf, LevelFilter } from './sidecar.ts'

/** The Parquet catalog of nautilus_trader, of its high-precision build: values are 128-bit integers of 10^-16. */
export const nautilus: Format = {
  name: 'nautilus',
  data: { order_book_deltas: deltas, quotes, trades },
  streamed: [],
  levels: null,
  limits: [
    `levels and trades with more than ${FIXED_DIGITS} digits after the point, a price above ${PRICE_MAX} or a quantity above ${QUANTITY_MAX} are left out, each change of them in the sidecar`,
    'a gap is a delta that clears the book',
    'a quote has both sides: tops with one side alone are not there (one_sided_tops)',
    'removals of levels that are not there, normal on aggregated feeds, are not there',
    'price_precision and size_precision are the most digits met in the part: where parts of one symbol differ, read them apart',
    'the definition of the instrument is not there: make it in your backtest',
  ],
}

const ACTION = { add: 1, update: 2, delete: 3, clear: 4 } as const
const FLAG = { last: 128, snapshot: 32 } as const
const NO_SIDE = 0
const SIDE = { bid: 1, ask: 2 } as const
const AGGRESSOR = { buy: 1, sell: 2, auction: 0, block: 0, unknown: 0 } as const
const NO_ORDER = 0n
const ZERO = fixedBytes(0n)

const DELTA_COLUMNS: readonly ParquetColumn[] = [
  { name: 'action', type: 'u8' },
  { name: 'side', type: 'u8' },
  { name: 'price', type: 'fixed16' },
  { name: 'size', type: 'fixed16' },
  { name: 'order_id', type: 'u64' },
  { name: 'flags', type: 'u8' },
  { name: 'sequence', type: 'u64' },
]

/** At the end of every type. */
const TIME_COLUMNS: readonly ParquetColumn[] = [
  { name: 'ts_event', type: 'u64' },
  { name: 'ts_init', type: 'u64' },
]

const isHeld = (price: DecimalText, quantity: DecimalText): boolean =>
  toFixedPoint(price, PRICE_MAX) !== null && toFixedPoint(quantity, QUANTITY_MAX) !== null

function deltas(parts: EncoderParts): Encoder {
  const file = new CatalogFile(parts, 'order_book_deltas', DELTA_COLUMNS)
  const filter = new LevelFilter(parts.sidecar, isHeld)
  let held: OrderBook = emptyBook() // the book as the file has it
  let group: Delta[] = [] // of one event: the last one is marked

  function level(step: Step, change: Pick<LevelChange, 'side' | 'price' | 'quantity'>): void {
    const { side, price, quantity } = change
    const passed = filter.pass(step, change)
    if (passed === 'nothing') return
    const isThere = quantityAt(held, side, price) !== undefined
    if (passed === 'remove') {
      if (!isThere) return
      group.push({ action: ACTION.delete, side: SIDE[side], price: file.fixed(price), size: ZERO })
      applyChange(held, side, price, NOTHING)
      return
    }
    const action = isThere ? ACTION.update : ACTION.add
    group.push({ action, side: SIDE[side], price: file.fixed(price), size: file.fixed(quantity) })
    applyChange(held, side, price, quantity)
  }

  function write(step: Step, sequence: bigint, flags: number): void {
    group.forEach(({ action, side, price, size }, i) => {
      const all = i === group.length - 1 ? flags | FLAG.last : flags
      file.add(step, [action, side, price, size, NO_ORDER, all, sequence])
    })
    group = []
  }

  function clear(step: Step): void {
    filter.clear(step)
    held = emptyBook()
    group.push({ action: ACTION.clear, side: NO_SIDE, price: ZERO, size: ZERO })
  }

  return {
    take: (step) => {
      const { event } = step
      if (event.kind === 'book') {
        clear(step)
        for (const bid of event.bids) level(step, { side: 'bid', ...bid })
        for (const ask of event.asks) level(step, { side: 'ask', ...ask })
        write(step, event.updateId, FLAG.snapshot)
      } else if (event.kind === 'book_message') {
        for (const change of event.changes) level(step, change)
        write(step, event.lastUpdateId, 0)
      } else if (event.kind === 'gap') {
        clear(step)
        write(step, 0n, 0)
      }
    },
    end: (seen) => file.end(seen),
  }
}

const NOTHING = '0' as DecimalText
type Delta = Readonly<{ action: number; side: number; price: Uint8Array; size: Uint8Array }>

function quotes(parts: EncoderParts): Encoder {
  const file = new CatalogFile(parts, 'quotes', [
    { name: 'bid_price', type: 'fixed16' },
    { name: 'ask_price', type: 'fixed16' },
    { name: 'bid_size', type: 'fixed16' },
    { name: 'ask_size', type: 'fixed16' },
  ])
  let before: TopOfBook | null = null
  let oneSided = 0
  let leftOut = 0
  return {
    take: (step) => {
      if (step.event.kind === 'trade') return
      if (!step.isKnown) {
        before = null
        return
      }
      const top = topOfBook(step.book)
      if (before !== null && sameTop(top, before)) return
      before = top
      const { bidPrice, askPrice, bidQuantity, askQuantity } = top
      if (bidPrice === null || askPrice === null || bidQuantity === null || askQuantity === null) oneSided++
      else if (!isHeld(bidPrice, bidQuantity) || !isHeld(askPrice, askQuantity)) leftOut++
      else
        file.add(step, [file.fixed(bidPrice), file.fixed(askPrice), file.fixed(bidQuantity), file.fixed(askQuantity)])
    },
    end: (seen) => ({ ...file.end(seen), one_sided_tops: oneSided, tops_left_out: leftOut }),
  }
}

function trades(parts: EncoderParts): Encoder {
  const file = new CatalogFile(parts, 'trades', [
    { name: 'price', type: 'fixed16' },
    { name: 'size', type: 'fixed16' },
    { name: 'aggressor_side', type: 'u8' },
    { name: 'trade_id', type: 'utf8' },
  ])
  return {
    take: (step) => {
      const { event } = step
      if (event.kind !== 'trade') return
      const { price, quantity, takerSide } = event
      if (event.broken) return parts.sidecar.trade(step, event, 'broken')
      if (!isHeld(price, quantity) || quantity === NOTHING) return parts.sidecar.trade(step, event, 'left_out')
      if (takerSide === 'auction' || takerSide === 'block') parts.sidecar.trade(step, event, 'side_unknown')
      file.add(step, [file.fixed(price), file.fixed(quantity), AGGRESSOR[takerSide], `${event.tradeId}`])
    },
    end: (seen) => file.end(seen),
  }
}

/** One file of the catalog: named for the times of its first and last row, with the precision of its values as metadata. */
class CatalogFile {
  readonly #parts: EncoderParts
  readonly #directory: string
  readonly #instrument: string
  readonly #columns: readonly ParquetColumn[]
  readonly #bytes = new Map<DecimalText, Uint8Array>()
  #rows: ParquetRows | null = null
  #firstNs = 0n
  #lastNs = 0n

  constructor(parts: EncoderParts, type: string, columns: readonly ParquetColumn[]) {
    this.#parts = parts
    this.#instrument = instrumentOf(parts.part)
    this.#directory = `data/${type}/${this.#instrument}`
    this.#columns = [...columns, ...TIME_COLUMNS]
  }

  /** `values`: without the two times. */
  add(step: Step, values: readonly (number | bigint | string | Uint8Array)[]): void {
    if (this.#rows === null) {
      const sink = this.#parts.open(`${this.#directory}/${this.#parts.part.day}.parquet`, 'plain')
      this.#rows = new ParquetRows(sink, this.#columns, 'booktape')
      this.#firstNs = step.receivedNs
    }
    this.#lastNs = step.receivedNs
    this.#rows.add([...values, eventTimeOf(step), step.receivedNs])
  }

  end({ priceDigits, quantityDigits }: Seen): Readonly<Record<string, string | number>> {
    const facts = {
      price_precision: Math.min(priceDigits, FIXED_DIGITS),
      size_precision: Math.min(quantityDigits, FIXED_DIGITS),
    }
    this.#rows?.end(
      {
        instrument_id: this.#instrument,
        price_precision: `${facts.price_precision}`,
        size_precision: `${facts.size_precision}`,
      },
      `${this.#directory}/${fileTime(this.#firstNs)}_${fileTime(this.#lastNs)}.parquet`,
    )
    return facts
  }

  fixed(text: DecimalText): Uint8Array {
    const known = this.#bytes.get(text)
    if (known !== undefined) return known
    if (this.#bytes.size >= MAX_KNOWN_VALUES) this.#bytes.clear()
    const raw = toFixedPoint(text, QUANTITY_MAX)
    if (raw === null) throw new RangeError(`${text} does not fit: whoever writes it asks first`)
    const bytes = fixedBytes(raw)
    this.#bytes.set(text, bytes)
    return bytes
  }
}

/** Prices and quantities come again and again. */
const MAX_KNOWN_VALUES = 50_000

export function instrumentOf({ symbol }: Part): string {
  return `${symbol.toUpperCase()}.GEMINI`
}

/** `2026-03-01T10-00-00-123456789Z`. */
function fileTime(timeNs: bigint): string {
  return isoTime(timeNs).replaceAll(/[:.]/g, '-')
}
