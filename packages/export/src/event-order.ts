/** An event at both ends of the line. */
export type TimedRow = Readonly<{
  stream: 'depth' | 'trades'
  ev: bigint
  exchangeNs: bigint | null // null: the venue gave none
  localNs: bigint
  px: number
  qty: number
}>

/** Both times as they are written. */
export type OrderedRow = TimedRow & Readonly<{ exchangeNs: bigint }>

export const AT_EXCHANGE = 1n << 31n
export const AT_LOCAL = 1n << 30n

/** How much later than another stream's a message may arrive and still be put before it in the venue's order. */
export const REORDER_WINDOW_NS = 5_000_000_000n

type Waiting = OrderedRow & { isOut: boolean; readonly place: number }

/**
 * Puts events in the order hftbacktest asks for: of the rows flagged EXCH `exch_ts` never goes back, of those flagged LOCAL `local_ts`
 * never does, and `local_ts` is later than `exch_ts`. An event whose two orders agree is one row with both flags, else two rows.
 *
 * Events come in local order. Changes of the book keep their own order at the venue too, whatever its clock says: a later change on
 * top of an earlier one is the wrong book. So do trades. The two streams are merged by the venue's time, within a window of local time.
 */
export class EventOrder {
  readonly moved = { lowered: 0, worstLoweringNs: 0n, raised: 0, split: 0 }
  readonly #emit: (row: OrderedRow, flags: bigint) => void
  readonly #local: Queue<Waiting> = new Queue()
  readonly #exchange = { depth: new Queue<Waiting>(), trades: new Queue<Waiting>() }
  #places = 0
  #lastExchangeNs: bigint | null = null // of what was emitted
  readonly #lastOf: Record<TimedRow['stream'], bigint | null> = { depth: null, trades: null }

  constructor(emit: (row: OrderedRow, flags: bigint) => void) {
    this.#emit = emit
  }

  add(row: TimedRow): void {
    const waiting: Waiting = { ...row, exchangeNs: this.#exchangeTime(row), isOut: false, place: this.#places++ }
    this.#lastOf[row.stream] = waiting.exchangeNs
    this.#local.push(waiting)
    this.#exchange[row.stream].push(waiting)
    this.#release(row.localNs - REORDER_WINDOW_NS)
  }

  end(): void {
    this.#release(null)
  }

  #exchangeTime({ stream, exchangeNs, localNs }: TimedRow): bigint {
    let timeNs = exchangeNs ?? localNs - 1n
    if (timeNs >= localNs) {
      this.moved.lowered++
      const loweringNs = timeNs - localNs + 1n
      if (loweringNs > this.moved.worstLoweringNs) this.moved.worstLoweringNs = loweringNs
      timeNs = localNs - 1n
    }
    const floor = latest(this.#lastOf[stream], this.#lastExchangeNs)
    if (floor === null || timeNs >= floor) return timeNs
    this.moved.raised++
    return floor
  }

  /** Emits what nothing to come can stand before at the venue; `safeNs` null: nothing comes. */
  #release(safeNs: bigint | null): void {
    for (;;) {
      const head = this.#local.first()
      if (head === undefined) return
      if (head.isOut) {
        this.#local.shift()
        this.#emit(head, AT_LOCAL)
        continue
      }
      const next = this.#nextAtExchange()
      if (next === undefined || (safeNs !== null && next.exchangeNs > safeNs)) return
      this.#exchange[next.stream].shift()
      this.#lastExchangeNs = next.exchangeNs
      if (next === head) {
        this.#local.shift()
        this.#emit(head, AT_EXCHANGE | AT_LOCAL)
      } else {
        next.isOut = true
        this.moved.split++
        this.#emit(next, AT_EXCHANGE)
      }
    }
  }

  #nextAtExchange(): Waiting | undefined {
    const depth = this.#exchange.depth.first()
    const trade = this.#exchange.trades.first()
    if (depth === undefined || trade === undefined) return depth ?? trade
    if (depth.exchangeNs === trade.exchangeNs) return depth.place < trade.place ? depth : trade
    return depth.exchangeNs < trade.exchangeNs ? depth : trade
  }
}

function latest(a: bigint | null, b: bigint | null): bigint | null {
  if (a === null || b === null) return a ?? b
  return a > b ? a : b
}

/** First in, first out, without moving the rest at each. */
class Queue<Item> {
  #items: Item[] = []
  #at = 0

  push(item: Item): void {
    this.#items.push(item)
  }

  first(): Item | undefined {
    return this.#items[this.#at]
  }

  shift(): void {
    this.#at++
    if (this.#at < COMPACT_AT || this.#at * 2 < this.#items.length) return
    this.#items = this.#items.slice(this.#at)
    this.#at = 0
  }
}

const COMPACT_AT = 4096
