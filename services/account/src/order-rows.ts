import type { Balance, OrderEvent, OrderUpdate, PastFill, PastOrder } from '@booktape/gemini'
import { VenueProtocolError } from '@booktape/market'
import { type AccountRows, cleanText, timestampText } from '@booktape/store'
import type { AccountFeed } from './event.ts'
import type { Context } from './stream.ts'

/** Words of the venue in our tables are at most this long. */
const MAX_TEXT = 500

/** REST tells of the past. */
type Source = AccountFeed | 'rest'

/** An order that was active before a gap and is no more; how it ended was not seen on this feed. */
export const ENDED_UNSEEN = 'ended_unseen'

type Place = Readonly<{ feed: Source; eventIndex: number; sequence: bigint | null }>

/** One event of v1, and its fill. */
export function addOrderEvent(event: OrderEvent, place: Place, context: Context): void {
  const { fill } = event
  addEvent(
    {
      event_type: event.type,
      order_id: String(event.orderId),
      event_id: text(event.eventId),
      client_order_id: clean(event.clientOrderId),
      symbol: event.symbol,
      side: event.side,
      order_type: clean(event.orderType),
      price: event.price,
      stop_price: null,
      original_quantity: event.originalQuantity,
      remaining_quantity: event.remainingQuantity,
      executed_quantity: event.executedQuantity,
      reason: clean(event.reason),
      trade_id: text(fill?.tradeId ?? null),
    },
    event.venueTimeNs,
    place,
    context,
  )
  if (fill === null) return
  addFill(
    event,
    {
      tradeId: fill.tradeId,
      price: fill.price,
      quantity: fill.quantity,
      fee: fill.fee,
      feeCurrency: fill.feeCurrency,
      liquidity: fill.liquidity.toLowerCase(),
      venueTimeNs: event.venueTimeNs,
    },
    place.feed,
    context,
  )
}

/** One update of the new API, and its fill. `isListed`: it is one of the orders that were there when we subscribed. */
export function addOrderUpdate(order: OrderUpdate, isListed: boolean, place: Place, context: Context): void {
  const { fill } = order
  addEvent(
    {
      event_type: isListed ? 'snapshot' : order.status.toLowerCase(),
      order_id: String(order.orderId),
      event_id: null,
      client_order_id: clean(order.clientOrderId),
      symbol: order.symbol,
      side: order.side,
      order_type: clean(order.orderType),
      price: order.price,
      stop_price: order.stopPrice,
      original_quantity: order.originalQuantity,
      remaining_quantity: order.remainingQuantity,
      // Of a fill, `Z` is that fill alone (docs/gemini.md, claim 38).
      executed_quantity: fill === null ? order.executedQuantity : null,
      reason: clean(order.reason),
      trade_id: text(fill?.tradeId ?? null),
    },
    order.eventTimeNs,
    place,
    context,
  )
  if (fill === null) return
  const { executedQuantity: quantity, eventTimeNs: venueTimeNs } = order
  if (quantity === null || venueTimeNs === null)
    throw new VenueProtocolError('WRONG_TYPE', 'a fill has no quantity, or no time')
  const liquidity = fill.isMaker === null ? null : fill.isMaker ? 'maker' : 'taker'
  const { tradeId, price, fee } = fill
  addFill(order, { tradeId, price, quantity, fee, feeCurrency: null, liquidity, venueTimeNs }, place.feed, context)
}

/** An order of the list of those that are over. */
export function addPastOrder(order: PastOrder, eventIndex: number, context: Context): void {
  addEvent(
    {
      event_type: order.ending,
      order_id: String(order.orderId),
      event_id: null,
      client_order_id: clean(order.clientOrderId),
      symbol: order.symbol,
      side: order.side,
      order_type: clean(order.orderType),
      price: order.price,
      stop_price: null,
      original_quantity: order.originalQuantity,
      remaining_quantity: order.remainingQuantity,
      executed_quantity: order.executedQuantity,
      reason: null,
      trade_id: null,
    },
    order.submittedTimeNs,
    { feed: 'rest', eventIndex, sequence: null },
    context,
  )
}

/** A fill of the list of the account's trades. */
export function addPastFill(fill: PastFill, context: Context): void {
  addFill(fill, { ...fill, liquidity: fill.isTaker ? 'taker' : 'maker' }, 'rest', context)
}

/** The end of an order that nobody told of. */
export function addUnseenEnd(
  order: Readonly<{ orderId: string; symbol: string; side: string }>,
  place: Place,
  context: Context,
): void {
  addEvent(
    {
      event_type: ENDED_UNSEEN,
      order_id: order.orderId,
      event_id: null,
      client_order_id: null,
      symbol: order.symbol,
      side: order.side,
      order_type: null,
      price: null,
      stop_price: null,
      original_quantity: null,
      remaining_quantity: null,
      executed_quantity: null,
      reason: null,
      trade_id: null,
    },
    null,
    place,
    context,
  )
}

export function addBalance(
  { asset, free, current }: Balance,
  times: Readonly<{ eventTimeNs: bigint; updatedTimeNs: bigint }>,
  { position, keyFingerprint, at, step }: Context,
): void {
  step.rows.balances.push({
    position,
    key_fingerprint: keyFingerprint,
    asset,
    available: free,
    current,
    venue_time: timestampText(times.eventTimeNs),
    venue_time_ns: String(times.eventTimeNs),
    updated_time_ns: String(times.updatedTimeNs),
    received_time: timestampText(at.wallNs),
    received_time_ns: String(at.wallNs),
  })
}

type EventRow = AccountRows['order_events'][number]
type Told = Omit<
  EventRow,
  | 'position'
  | 'event_index'
  | 'key_fingerprint'
  | 'feed'
  | 'socket_sequence'
  | 'venue_time'
  | 'venue_time_ns'
  | 'received_time'
  | 'received_time_ns'
>

function addEvent(told: Told, venueTimeNs: bigint | null, place: Place, context: Context): void {
  const { position, keyFingerprint, at, step } = context
  step.rows.order_events.push({
    position,
    event_index: place.eventIndex,
    key_fingerprint: keyFingerprint,
    feed: place.feed,
    socket_sequence: text(place.sequence),
    ...told,
    venue_time: venueTimeNs === null ? null : timestampText(venueTimeNs),
    venue_time_ns: text(venueTimeNs),
    received_time: timestampText(at.wallNs),
    received_time_ns: String(at.wallNs),
  })
}

function addFill(
  order: Readonly<{ orderId: bigint; clientOrderId: string | null; symbol: string; side: string }>,
  fill: Readonly<{
    tradeId: bigint
    price: string
    quantity: string
    fee: string | null
    feeCurrency: string | null
    liquidity: string | null
    venueTimeNs: bigint
  }>,
  source: Source,
  { position, keyFingerprint, at, step }: Context,
): void {
  step.rows.fills.push({
    order_id: String(order.orderId),
    trade_id: String(fill.tradeId),
    position,
    key_fingerprint: keyFingerprint,
    source,
    client_order_id: clean(order.clientOrderId),
    symbol: order.symbol,
    side: order.side,
    price: fill.price,
    quantity: fill.quantity,
    fee: fill.fee,
    fee_currency: clean(fill.feeCurrency),
    liquidity: clean(fill.liquidity),
    venue_time: timestampText(fill.venueTimeNs),
    venue_time_ns: String(fill.venueTimeNs),
    received_time: timestampText(at.wallNs),
    received_time_ns: String(at.wallNs),
  })
}

const text = (id: bigint | null): string | null => (id === null ? null : String(id))

function clean(words: string | null): string | null {
  return words === null ? null : cleanText(words, MAX_TEXT)
}
