import { invariant, type Side, type Trade } from '@booktape/market'
import { type BookText, History } from './history.ts'
import type { Ladder } from './ladder.ts'
import { openingBook } from './opening-book.ts'
import { LEAST_LEVELS, OrderFlow } from './order-flow.ts'
import { OrderSizes } from './order-sizes.ts'
import { Random } from './random.ts'
import { canonicalText } from './scaled.ts'
import type { SymbolSpec } from './symbols.ts'
import type { VenueIds } from './venue-ids.ts'

/** How many trades of one symbol are remembered: what REST can page through. */
export const MAX_REMEMBERED_TRADES = 100_000

/** Forgetting one by one would move the whole array each time. */
const TRADES_FORGOTTEN_AT_ONCE = 10_000

/** Between two fills of one taker, where each has its own event. */
const FILL_GAP_NS = 1_000n

/** The history holds quantities and prices in 64 bits. */
const LARGEST_UNITS = 2n ** 63n - 1n

/** One level set to an absolute quantity, in units. */
export type EngineChange = Readonly<{
  side: Side
  price: bigint
  before: bigint
  quantity: bigint
  reason: 'place' | 'cancel' | 'trade'
}>

/** One fill, in units. */
export type EngineTrade = Readonly<{
  tradeId: bigint
  eventTimeNs: bigint
  price: bigint
  quantity: bigint
  makerSide: Side
  makerOrderId?: bigint // where the order is one of an account's; all others are nobody's
  takerOrderId?: bigint
}>

/** An order of an account that rests in the book; what is at its price before it was there is filled first. */
type RestingOrder = { readonly orderId: bigint; readonly side: Side; readonly price: bigint; left: bigint }

/** One step of the engine. When there are trades, each belongs to the change at its index. */
export type EngineEvent = Readonly<{
  updateId: bigint
  timeNs: bigint
  changes: readonly EngineChange[]
  trades: readonly EngineTrade[]
  withdrawn?: readonly bigint[] // orders of accounts that went with all others
}>

/** One maker that is met: what becomes of its level, and whose order it was. */
type Fill = Readonly<{ change: EngineChange; makerOrderId: bigint | null }>

export type PastTrade = Trade & { broken: boolean }

/** One symbol's market: its book, its orders, its past. The only truth; what the feeds say is derived from its events. */
export class Market {
  readonly spec: SymbolSpec
  readonly bids: Ladder
  readonly asks: Ladder
  readonly history: History
  readonly trades: PastTrade[] = [] // oldest first
  readonly #ids: VenueIds
  readonly #flow: OrderFlow
  #unfilled: Readonly<{ makerSide: Side; quantity: bigint }> | null = null // the rest of a taker, filled event by event
  #lastTimeNs: bigint
  #lastTrade: EngineTrade | null = null
  #resting: RestingOrder[] = []
  #isHalted = false
  #changeCount = 0
  #tradeCount = 0

  constructor(
    spec: SymbolSpec,
    options: Readonly<{ seed: number; ids: VenueIds; startNs: bigint; rate: number; rememberedChanges: number }>,
  ) {
    const random = new Random(options.seed, spec.symbol)
    const sizes = new OrderSizes(spec)
    const { bids, asks } = openingBook(spec, sizes, random)
    this.spec = spec
    this.bids = bids
    this.asks = asks
    this.#ids = options.ids
    this.#flow = new OrderFlow(spec, sizes, random, options.rate)
    this.#lastTimeNs = options.startNs
    this.history = new History(options.ids.nextUpdateId(spec.productType), options.rememberedChanges)
  }

  get lastUpdateId(): bigint {
    return this.history.lastUpdateId
  }

  /** The time of the last event: what the wire calls `E`. */
  get lastTimeNs(): bigint {
    return this.#lastTimeNs
  }

  get lastTrade(): EngineTrade | null {
    return this.#lastTrade
  }

  get counts(): Readonly<{ changes: number; trades: number }> {
    return { changes: this.#changeCount, trades: this.#tradeCount }
  }

  nextGapNs(): bigint {
    return this.#unfilled === null ? this.#flow.nextGapNs() : FILL_GAP_NS
  }

  /** Lets the traders do one thing at `timeNs`; null while trading is halted. */
  step(timeNs: bigint): EngineEvent | null {
    if (this.#isHalted || timeNs <= this.#lastTimeNs) return null // the latter just after `empty`, which takes an instant
    if (this.#unfilled !== null) return this.#take(timeNs, this.#unfilled.makerSide, this.#unfilled.quantity, false)
    const intent = this.#flow.next(this.bids, this.asks)
    if (intent.kind === 'take') return this.#take(timeNs, intent.makerSide, intent.quantity, intent.inOneEvent)
    const before = this.#ladder(intent.side).quantityOf(intent.price)
    const ours = this.#restingAt(intent.side, intent.price)
    if (ours === 0n) return this.#commit(timeNs, [{ ...intent, before }], [])
    // The crowd moves only its own share of a level.
    const quantity = intent.quantity > ours ? intent.quantity : ours
    return quantity === before ? null : this.#commit(timeNs, [{ ...intent, before, quantity }], [])
  }

  /** An order of an account rests at its price, behind what is there. */
  rest(timeNs: bigint, order: Readonly<{ orderId: bigint; side: Side; price: bigint; quantity: bigint }>): EngineEvent {
    const { orderId, side, price, quantity } = order
    const before = this.#ladder(side).quantityOf(price)
    this.#resting.push({ orderId, side, price, left: quantity })
    return this.#commit(timeNs, [{ side, price, before, quantity: before + quantity, reason: 'place' }], [])
  }

  /** An order of an account leaves the book. */
  withdraw(timeNs: bigint, orderId: bigint): EngineEvent {
    const order = this.#resting.find((resting) => resting.orderId === orderId)
    invariant(order !== undefined, 'an order that is withdrawn rests')
    this.#resting = this.#resting.filter((resting) => resting !== order)
    const { side, price, left } = order
    const before = this.#ladder(side).quantityOf(price)
    return this.#commit(timeNs, [{ side, price, before, quantity: before - left, reason: 'cancel' }], [])
  }

  /** Takes at most `quantity` down to `limit`, all in one event; null where nothing meets it. `orderId`: whose, or nobody's. */
  fill(
    timeNs: bigint,
    taker: Readonly<{ orderId: bigint | null; makerSide: Side; quantity: bigint; limit: bigint | null }>,
  ): EngineEvent | null {
    const best = this.#ladder(taker.makerSide).priceAt(0)
    if (best === null || this.#isHalted || !isWithin(best, taker.limit, taker.makerSide)) return null
    const unfilled = this.#unfilled
    const event = this.#take(timeNs, taker.makerSide, taker.quantity, true, taker.limit, taker.orderId)
    this.#unfilled = unfilled
    return event
  }

  /** Every order of one side, or of both, is withdrawn in one event, and trading halts. Null when none rested there. */
  empty(timeNs: bigint, side: Side | null): EngineEvent | null {
    this.#isHalted = true
    this.#unfilled = null
    const withdrawn = this.#resting.filter((order) => side === null || order.side === side)
    this.#resting = this.#resting.filter((order) => !withdrawn.includes(order))
    const changes: EngineChange[] = []
    for (const ladder of [this.bids, this.asks]) {
      if (side !== null && ladder.side !== side) continue
      for (const [price, before] of ladder.levels()) {
        changes.push({ side: ladder.side, price, before, quantity: 0n, reason: 'cancel' })
      }
    }
    if (changes.length === 0) return null
    return { ...this.#commit(timeNs, changes, []), withdrawn: withdrawn.map(({ orderId }) => orderId) }
  }

  /** Trading goes on after `empty`; orders come back one by one. */
  reopen(): void {
    this.#isHalted = false
  }

  /** Marks the newest trade that stands as broken; null when there is none. */
  breakTrade(): bigint | null {
    const trade = this.trades.findLast((candidate) => !candidate.broken)
    if (trade === undefined) return null
    trade.broken = true
    return trade.tradeId
  }

  bookAfter(updateId: bigint): BookText {
    const { bids, asks } = this.history.bookAfter(updateId, this)
    return { bids: this.#textOf(bids), asks: this.#textOf(asks) }
  }

  #textOf(ladder: Ladder): BookText['bids'] {
    const { priceDigits, quantityDigits } = this.spec
    return Array.from(
      ladder.levels(),
      ([price, quantity]) => [canonicalText(price, priceDigits), canonicalText(quantity, quantityDigits)] as const,
    )
  }

  /** A taker walks down the levels: all fills in one event, or this level now and the next in an event of its own. */
  #take(
    timeNs: bigint,
    makerSide: Side,
    quantity: bigint,
    inOneEvent: boolean,
    limit: bigint | null = null,
    takerOrderId: bigint | null = null,
  ): EngineEvent {
    const fills: Fill[] = []
    const makers = this.#ladder(makerSide)
    let left = quantity
    for (const [price, before] of makers.levels(makers.size - LEAST_LEVELS)) {
      if (!isWithin(price, limit, makerSide)) break
      const filled = left < before ? left : before
      fills.push(...this.#fillLevel(makerSide, price, before, filled))
      left -= filled
      if (left === 0n || !inOneEvent) break
    }
    const canGoOn = !inOneEvent && left > 0n && makers.size - 1 > LEAST_LEVELS
    this.#unfilled = canGoOn ? { makerSide, quantity: left } : null
    invariant(fills.length > 0, 'a taker meets a maker')
    return this.#commit(
      timeNs,
      fills.map(({ change }) => change),
      fills.map(({ change, makerOrderId }) => ({
        tradeId: this.#ids.nextTradeId(),
        eventTimeNs: timeNs,
        price: change.price,
        quantity: change.before - change.quantity,
        makerSide,
        ...(makerOrderId === null ? {} : { makerOrderId }),
        ...(takerOrderId === null ? {} : { takerOrderId }),
      })),
    )
  }

  /** One trade a maker: the crowd first, which was there before, then the orders of accounts in the order in which they came. */
  #fillLevel(side: Side, price: bigint, before: bigint, filled: bigint): Fill[] {
    const fills: Fill[] = []
    let left = filled
    let level = before
    const fill = (quantity: bigint, makerOrderId: bigint | null): void => {
      if (quantity === 0n) return
      fills.push({
        change: { side, price, before: level, quantity: level - quantity, reason: 'trade' },
        makerOrderId,
      })
      level -= quantity
      left -= quantity
    }
    const crowd = before - this.#restingAt(side, price)
    fill(left < crowd ? left : crowd, null)
    for (const order of this.#resting) {
      if (order.side !== side || order.price !== price) continue
      const quantity = left < order.left ? left : order.left
      order.left -= quantity
      fill(quantity, order.orderId)
    }
    this.#resting = this.#resting.filter((order) => order.left > 0n)
    return fills
  }

  #restingAt(side: Side, price: bigint): bigint {
    let quantity = 0n
    for (const order of this.#resting) if (order.side === side && order.price === price) quantity += order.left
    return quantity
  }

  #commit(timeNs: bigint, changes: readonly EngineChange[], trades: readonly EngineTrade[]): EngineEvent {
    invariant(timeNs > this.#lastTimeNs, `the events of ${this.spec.symbol} have growing times`)
    const updateId = this.#ids.nextUpdateId(this.spec.productType)
    for (const change of changes) {
      invariant(change.price <= LARGEST_UNITS && change.quantity <= LARGEST_UNITS, 'a level fits in 64 bits of units')
      this.history.record({ ...change, updateId, eventTimeNs: timeNs }, this.bids, this.asks)
      this.#ladder(change.side).set(change.price, change.quantity)
    }
    for (const trade of trades) {
      this.#lastTrade = trade
      this.trades.push({ ...this.#tradeText(trade), broken: false })
      if (this.trades.length > MAX_REMEMBERED_TRADES + TRADES_FORGOTTEN_AT_ONCE) {
        this.trades.splice(0, TRADES_FORGOTTEN_AT_ONCE)
      }
    }
    this.#lastTimeNs = timeNs
    this.#changeCount += changes.length
    this.#tradeCount += trades.length
    return { updateId, timeNs, changes, trades }
  }

  #tradeText(trade: EngineTrade): Trade {
    return {
      tradeId: trade.tradeId,
      eventTimeNs: trade.eventTimeNs,
      price: canonicalText(trade.price, this.spec.priceDigits),
      quantity: canonicalText(trade.quantity, this.spec.quantityDigits),
      takerSide: trade.makerSide === 'ask' ? 'buy' : 'sell',
    }
  }

  #ladder(side: Side): Ladder {
    return side === 'bid' ? this.bids : this.asks
  }
}

/** Whether a taker with this limit, or with none, takes at the price. */
function isWithin(price: bigint, limit: bigint | null, makerSide: Side): boolean {
  if (limit === null) return true
  return makerSide === 'ask' ? price <= limit : price >= limit
}
