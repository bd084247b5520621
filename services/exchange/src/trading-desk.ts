import { invariant, type Side } from '@booktape/market'
import { AccountFunds, type TrueBalance } from './account-funds.ts'
import type { EngineEvent, EngineTrade, Market } from './market.ts'
import type { Random } from './random.ts'
import { canonicalText } from './scaled.ts'

/** The taker's side of an order, as the private feeds name it. */
export type OrderSide = 'buy' | 'sell'

type OrderState = 'accepted' | 'open' | 'partially_filled' | 'filled' | 'cancelled' | 'rejected'

/** An order as it is; quantities and prices in canonical text. */
export type TrueOrder = Readonly<{
  orderId: bigint
  clientOrderId: string | null
  symbol: string
  side: OrderSide
  isLimit: boolean
  price: string | null
  originalQuantity: string
  executedQuantity: string
  remainingQuantity: string
  state: OrderState
  isLive: boolean
}>

export type TrueFill = Readonly<{
  orderId: bigint
  tradeId: bigint
  symbol: string
  side: OrderSide
  price: string
  quantity: string
  fee: string
  feeCurrency: string
  isMaker: boolean
  timeNs: bigint
}>

/** What happens to an order, in v1's words. `timeNs` grows from event to event. */
export type TrueOrderEvent = Readonly<{
  type: 'accepted' | 'rejected' | 'booked' | 'fill' | 'cancelled' | 'cancel_rejected' | 'closed'
  eventId: bigint
  timeNs: bigint
  order: TrueOrder
  fill: TrueFill | null
  reason: string | null
}>

/** Who is told what happens in the account. */
export type AccountListener = Readonly<{
  onOrders(events: readonly TrueOrderEvent[]): void
  onBalances(changed: readonly TrueBalance[]): void
}>

export type NewOrder = Readonly<{
  symbol: string
  side: OrderSide
  price: bigint | null // in units; null: at the market
  quantity: bigint
  clientOrderId: string | null
}>

type LiveOrder = {
  readonly orderId: bigint
  readonly spec: NewOrder
  readonly market: Market
  executed: bigint
  state: OrderState
}

/** What the venue charges of a fill's value. */
const FEE_BPS = { maker: 20n, taker: 40n } as const
const BASIS = 10_000n
/** Ids of orders have 18 digits, far beyond what a float holds. */
const NS_PER_ORDER_ID = 10n
const MOST_IDS_BETWEEN = 5_000

/** The orders of one account, in the markets where everybody trades. The truth of what its private feeds say. */
export class TradingDesk {
  readonly events: TrueOrderEvent[] = []
  readonly fills: TrueFill[] = []
  readonly funds: AccountFunds
  readonly #orders = new Map<bigint, LiveOrder>()
  readonly #live = new Set<LiveOrder>()
  readonly #publish: (symbol: string, event: EngineEvent) => void
  readonly #listener: AccountListener
  readonly #random: Random
  #lastId: bigint
  #lastNs = 0n
  #told: TrueOrderEvent[] = []

  constructor(parts: {
    startNs: bigint
    random: Random
    markets: Iterable<Market>
    publish: (symbol: string, event: EngineEvent) => void // on the market's feeds
    listener: AccountListener
  }) {
    this.#lastId = parts.startNs / NS_PER_ORDER_ID
    this.#random = parts.random
    this.#publish = parts.publish
    this.#listener = parts.listener
    this.funds = new AccountFunds(parts.markets)
  }

  get orders(): readonly TrueOrder[] {
    return [...this.#orders.values()].map(orderOf)
  }

  order(orderId: bigint): TrueOrder {
    return orderOf(this.#order(orderId))
  }

  get activeOrders(): readonly TrueOrder[] {
    return [...this.#live].map(orderOf)
  }

  /** A new order: what meets it is filled at once, the rest of a limit order rests. Gives its id. */
  place(market: Market, spec: NewOrder, nowNs: bigint): bigint {
    const order: LiveOrder = { orderId: this.#nextId(), spec, market, executed: 0n, state: 'accepted' }
    this.#orders.set(order.orderId, order)
    this.#live.add(order)
    this.#tell('accepted', order, nowNs)
    const makerSide: Side = spec.side === 'buy' ? 'ask' : 'bid'
    const taker = { orderId: order.orderId, makerSide, quantity: spec.quantity, limit: spec.price }
    const event = market.fill(timeIn(market, nowNs), taker)
    if (event !== null) this.#publish(spec.symbol, event) // and `onTrades` hears of it
    const left = spec.quantity - order.executed
    if (left > 0n && spec.price !== null && !crosses(market, spec.side, spec.price)) {
      this.#publish(
        spec.symbol,
        market.rest(timeIn(market, nowNs), {
          orderId: order.orderId,
          side: spec.side === 'buy' ? 'bid' : 'ask',
          price: spec.price,
          quantity: left,
        }),
      )
      if (order.state === 'accepted') order.state = 'open'
      this.#tell('booked', order, nowNs)
    } else if (left > 0n) this.#end(order, nowNs, 'ImmediateOrCancelWouldPost')
    this.speak(nowNs)
    return order.orderId
  }

  /** An order that the venue does not take. */
  reject(market: Market, spec: NewOrder, reason: string, nowNs: bigint): void {
    const order: LiveOrder = { orderId: this.#nextId(), spec, market, executed: 0n, state: 'rejected' }
    this.#orders.set(order.orderId, order)
    this.#tell('rejected', order, nowNs, reason)
    this.speak(nowNs)
  }

  /** Cancels what is left of an order; of one that is over, the cancellation is refused. */
  cancel(orderId: bigint, nowNs: bigint): void {
    const order = this.#order(orderId)
    if (isOver(order.state)) this.#tell('cancel_rejected', order, nowNs, 'OrderNotFound')
    else {
      this.#publish(order.spec.symbol, order.market.withdraw(timeIn(order.market, nowNs), orderId))
      this.#end(order, nowNs, 'Requested')
    }
    this.speak(nowNs)
  }

  /** What happened in a market, whoever made it happen: fills of our orders, and the end of those that it withdrew. */
  onEvent(event: EngineEvent): void {
    for (const trade of event.trades) {
      if (trade.takerOrderId !== undefined) this.#fill(this.#order(trade.takerOrderId), trade, false)
      if (trade.makerOrderId !== undefined) this.#fill(this.#order(trade.makerOrderId), trade, true)
    }
    for (const orderId of event.withdrawn ?? []) this.#end(this.#order(orderId), event.timeNs, 'MarketClosed')
  }

  #fill(order: LiveOrder, trade: EngineTrade, isMaker: boolean): void {
    const { spec, market } = order
    const { priceDigits, quantityDigits, quoteCurrency } = market.spec
    const fee = (trade.price * trade.quantity * FEE_BPS[isMaker ? 'maker' : 'taker']) / BASIS
    order.executed += trade.quantity
    invariant(order.executed <= spec.quantity, 'an order is filled no further than it goes')
    order.state = order.executed === spec.quantity ? 'filled' : 'partially_filled'
    this.funds.fill(market, spec.side, trade.price, trade.quantity, fee)
    const fill: TrueFill = {
      orderId: order.orderId,
      tradeId: trade.tradeId,
      symbol: spec.symbol,
      side: spec.side,
      price: canonicalText(trade.price, priceDigits),
      quantity: canonicalText(trade.quantity, quantityDigits),
      fee: canonicalText(fee, priceDigits + quantityDigits),
      feeCurrency: quoteCurrency,
      isMaker,
      timeNs: trade.eventTimeNs,
    }
    this.fills.push(fill)
    this.#tell('fill', order, trade.eventTimeNs, null, fill)
    if (order.state !== 'filled') return
    this.#live.delete(order)
    this.#tell('closed', order, trade.eventTimeNs)
  }

  #end(order: LiveOrder, nowNs: bigint, reason: string): void {
    order.state = 'cancelled'
    this.#live.delete(order)
    this.#tell('cancelled', order, nowNs, reason)
    this.#tell('closed', order, nowNs)
  }

  #tell(
    type: TrueOrderEvent['type'],
    order: LiveOrder,
    nowNs: bigint,
    reason: string | null = null,
    fill: TrueFill | null = null,
  ): void {
    this.#lastNs = nowNs > this.#lastNs ? nowNs : this.#lastNs + 1n
    const event = { type, eventId: this.#nextId(), timeNs: this.#lastNs, order: orderOf(order), fill, reason }
    this.events.push(event)
    this.#told.push(event)
  }

  /** The listeners hear what was told since the last call, in one message. */
  speak(nowNs: bigint): void {
    const told = this.#told
    if (told.length === 0) return
    this.#told = []
    this.#listener.onOrders(told)
    this.#lastNs = nowNs > this.#lastNs ? nowNs : this.#lastNs + 1n
    const changed = this.funds.changes(this.#holds(), this.#lastNs)
    if (changed.length > 0) this.#listener.onBalances(changed)
  }

  /** What orders that are open keep from being spent. */
  *#holds(): Generator<readonly [market: Market, side: OrderSide, price: bigint, quantity: bigint]> {
    for (const { spec, market, executed } of this.#live) {
      if (spec.price !== null) yield [market, spec.side, spec.price, spec.quantity - executed]
    }
  }

  #order(orderId: bigint): LiveOrder {
    const order = this.#orders.get(orderId)
    invariant(order !== undefined, `there is an order ${orderId}`)
    return order
  }

  #nextId(): bigint {
    return (this.#lastId += 1n + BigInt(this.#random.below(MOST_IDS_BETWEEN)))
  }
}

const isOver = (state: OrderState): boolean => state === 'filled' || state === 'cancelled' || state === 'rejected'

/** A side is never emptied, so a taker may leave a level that it could have taken. */
function crosses(market: Market, side: OrderSide, price: bigint): boolean {
  const other = (side === 'buy' ? market.asks : market.bids).priceAt(0)
  return other !== null && (side === 'buy' ? price >= other : price <= other)
}

/** Events of one market have growing times. */
function timeIn(market: Market, nowNs: bigint): bigint {
  return market.lastTimeNs >= nowNs ? market.lastTimeNs + 1n : nowNs
}

function orderOf({ orderId, spec, market, executed, state }: LiveOrder): TrueOrder {
  const { priceDigits, quantityDigits } = market.spec
  const { clientOrderId, symbol, side, price, quantity } = spec
  return {
    orderId,
    clientOrderId,
    symbol,
    side,
    isLimit: price !== null,
    price: price === null ? null : canonicalText(price, priceDigits),
    originalQuantity: canonicalText(quantity, quantityDigits),
    executedQuantity: canonicalText(executed, quantityDigits),
    remainingQuantity: canonicalText(quantity - executed, quantityDigits),
    state,
    isLive: !isOver(state),
  }
}
