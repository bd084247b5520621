import type { Market } from './market.ts'
import type { Random } from './random.ts'
import { toUnits } from './scaled.ts'
import type { NewOrder, OrderSide, TradingDesk } from './trading-desk.ts'

/** What a script does: so many orders, so many a second, then nothing more. */
export type TradingScript = Readonly<{ orders: number; perSecond: number }>

/** The most one script does. */
export const MAX_SCRIPTED_ORDERS = 1_000_000

const NS_PER_S = 1e9
/** What is not filled in about this time is cancelled. */
const PATIENCE_S = 1.5
/** Above this many open orders the oldest is cancelled before the next is placed. */
const MAX_OPEN = 40

/**
 * A trader who does a little of everything, by dice: orders that rest and are cancelled, that rest and are hit, that take, that do
 * both, that go at the market; orders that the venue does not take, and cancellations that come too late.
 */
export class ScriptedTrader {
  readonly #desk: TradingDesk
  readonly #markets: readonly Market[]
  readonly #random: Random
  readonly #publishCounterparty: (market: Market, makerSide: 'bid' | 'ask', quantity: bigint, nowNs: bigint) => void
  readonly #open: { orderId: bigint; untilNs: bigint }[] = []
  readonly #over: bigint[] = []
  #left = 0
  #meanGapNs = 0
  #placed = 0

  constructor(
    parts: Readonly<{
      desk: TradingDesk
      markets: readonly Market[]
      random: Random
      counterparty: (market: Market, makerSide: 'bid' | 'ask', quantity: bigint, nowNs: bigint) => void
    }>,
  ) {
    this.#desk = parts.desk
    this.#markets = parts.markets
    this.#random = parts.random
    this.#publishCounterparty = parts.counterparty
  }

  /** False once every order of the script was placed and is over. */
  get isBusy(): boolean {
    return this.#left > 0 || this.#open.length > 0
  }

  begin({ orders, perSecond }: TradingScript): void {
    this.#left += orders
    this.#meanGapNs = NS_PER_S / perSecond
  }

  nextGapNs(): bigint {
    return BigInt(1 + Math.floor(this.#random.exponential(this.#meanGapNs)))
  }

  step(nowNs: bigint): void {
    this.#cancelWhatIsOld(nowNs)
    if (this.#left === 0) return
    this.#left--
    const market = this.#markets[this.#random.below(this.#markets.length)]
    if (market === undefined) return
    const side: OrderSide = this.#random.chance(0.5) ? 'buy' : 'sell'
    const roll = this.#random.unit()
    if (roll < 0.4) this.#rest(market, side, nowNs)
    else if (roll < 0.65) this.#restAndBeHit(market, side, nowNs)
    else if (roll < 0.85) this.#take(market, side, nowNs)
    else if (roll < 0.95) this.#desk.place(market, this.#order(market, side, null), nowNs)
    else this.#desk.reject(market, this.#order(market, side, null), 'InvalidQuantity', nowNs)
    if (this.#over.length > 0 && this.#random.chance(0.05)) this.#desk.cancel(this.#over.shift() ?? 0n, nowNs)
  }

  /** Inside the spread where there is room, else at the best price. */
  #rest(market: Market, side: OrderSide, nowNs: bigint): void {
    const price = this.#passivePrice(market, side)
    if (price === null) return
    const orderId = this.#desk.place(market, this.#order(market, side, price), nowNs)
    const patience = this.#random.exponential(PATIENCE_S * NS_PER_S)
    this.#open.push({ orderId, untilNs: nowNs + BigInt(Math.floor(patience)) })
  }

  /** Somebody comes along and takes the level, in one or two bites, the second of which may be short. */
  #restAndBeHit(market: Market, side: OrderSide, nowNs: bigint): void {
    this.#rest(market, side, nowNs)
    const makerSide = side === 'buy' ? 'bid' : 'ask'
    const ladder = side === 'buy' ? market.bids : market.asks
    const level = ladder.quantityAt(0)
    if (level > 1n) this.#publishCounterparty(market, makerSide, level / 2n, nowNs)
    if (this.#random.chance(0.7)) this.#publishCounterparty(market, makerSide, level, nowNs)
  }

  /** A limit a little beyond the other side's best: some of it may rest. */
  #take(market: Market, side: OrderSide, nowNs: bigint): void {
    const other = side === 'buy' ? market.asks : market.bids
    const price = other.priceAt(this.#random.below(3))
    if (price === null) return
    const order = this.#order(market, side, price)
    const quantity = order.quantity + (this.#random.chance(0.3) ? other.quantityAt(0) : 0n)
    const orderId = this.#desk.place(market, { ...order, quantity }, nowNs)
    this.#open.push({ orderId, untilNs: nowNs + BigInt(Math.floor(this.#random.exponential(PATIENCE_S * NS_PER_S))) })
  }

  #cancelWhatIsOld(nowNs: bigint): void {
    const active = new Set(this.#desk.activeOrders.map(({ orderId }) => orderId))
    for (const { orderId } of this.#open) if (!active.has(orderId)) this.#over.push(orderId)
    const open = this.#open.filter(({ orderId }) => active.has(orderId))
    const due = open.filter(
      ({ untilNs }, index) => untilNs <= nowNs || index < open.length - MAX_OPEN || this.#left === 0,
    )
    for (const { orderId } of due) {
      this.#desk.cancel(orderId, nowNs)
      this.#over.push(orderId)
    }
    this.#open.splice(0, this.#open.length, ...open.filter((order) => !due.includes(order)))
  }

  #order({ spec }: Market, side: OrderSide, price: bigint | null): NewOrder {
    const usual = toUnits(spec.usualQuantity, spec.quantityDigits)
    const step = toUnits(spec.quantityIncrement, spec.quantityDigits)
    const drawn = (usual * BigInt(1 + this.#random.below(400))) / 100n
    const quantity = drawn - (drawn % step)
    const number = ++this.#placed
    return {
      symbol: spec.symbol,
      side,
      price,
      quantity: quantity > step ? quantity : step,
      clientOrderId: number % 20 === 0 ? null : `script-${number}`,
    }
  }

  #passivePrice({ spec, bids, asks }: Market, side: OrderSide): bigint | null {
    const tick = toUnits(spec.priceIncrement, spec.priceDigits)
    const bid = bids.priceAt(0)
    const ask = asks.priceAt(0)
    if (bid === null || ask === null) return null
    const better = side === 'buy' ? bid + tick : ask - tick
    return better > bid && better < ask ? better : side === 'buy' ? bid : ask
  }
}
