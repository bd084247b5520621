import { type DecimalText, VenueProtocolError } from '@booktape/market'
import { excerpt } from './excerpt.ts'
import {
  expectObject,
  isId,
  isObject,
  missing,
  readBoolean,
  readId,
  readMilliseconds,
  readOptionalText,
  readPrice,
  readQuantity,
  readSymbol,
  readText,
} from './fields.ts'
import { readJson } from './json.ts'
import type { JsonObject, JsonValue } from './json-value.ts'

/** What happens to an order, in the venue's words (docs/gemini.md, claim 35). */
export const ORDER_EVENTS = [
  'initial',
  'accepted',
  'rejected',
  'booked',
  'fill',
  'cancelled',
  'cancel_rejected',
  'closed',
] as const
export type OrderEventType = (typeof ORDER_EVENTS)[number]

/** One message of `/v1/order/events`, in order. `other` is a type that is not documented: its sequence counts all the same. */
export type OrderEventsMessage =
  | Readonly<{ kind: 'subscription_ack'; accountId: bigint; subscriptionId: string }>
  | Readonly<{ kind: 'heartbeat'; sequence: bigint; eventTimeNs: bigint }>
  | Readonly<{ kind: 'order'; sequence: bigint; event: OrderEvent }>
  | Readonly<{ kind: 'other'; sequence: bigint; type: string }>

/** The order as it is after the event; null where the venue leaves a field out. */
export type OrderEvent = Readonly<{
  type: OrderEventType
  orderId: bigint
  eventId: bigint | null // null: one of the orders that were active at the start
  clientOrderId: string | null
  symbol: string
  side: 'buy' | 'sell'
  orderType: string
  venueTimeNs: bigint // the documents say that of the order's submission, their examples show that of the event
  isLive: boolean
  isCancelled: boolean
  isHidden: boolean
  price: DecimalText | null
  originalQuantity: DecimalText | null
  remainingQuantity: DecimalText | null
  executedQuantity: DecimalText | null
  reason: string | null // of a rejection or a cancellation
  fill: OrderFill | null
}>

export type OrderFill = Readonly<{
  tradeId: bigint // that of the market's trade
  price: DecimalText
  quantity: DecimalText
  liquidity: string // Taker, Maker, Auction
  fee: DecimalText
  feeCurrency: string
}>

/** The messages of one frame: an object, or an array of order events whose elements each have a sequence. Throws VenueProtocolError. */
export function decodeOrderEvents(text: string): readonly OrderEventsMessage[] {
  const frame = readJson(text)
  return (Array.isArray(frame) ? frame : [frame]).map(readMessage)
}

function readMessage(value: JsonValue): OrderEventsMessage {
  const message = expectObject(value, 'a message of order events')
  const type = readText(message, 'type')
  if (type === 'subscription_ack') {
    return {
      kind: 'subscription_ack',
      accountId: readId(message, 'accountId'),
      subscriptionId: readText(message, 'subscriptionId'),
    }
  }
  const sequence = readId(message, 'socket_sequence')
  if (type === 'heartbeat')
    return { kind: 'heartbeat', sequence, eventTimeNs: readMilliseconds(message, 'timestampms') }
  const known = ORDER_EVENTS.find((name) => name === type)
  if (known === undefined) return { kind: 'other', sequence, type: type.slice(0, MAX_NAME) }
  return { kind: 'order', sequence, event: readOrder(message, known) }
}

const MAX_NAME = 64

function readOrder(message: JsonObject, type: OrderEventType): OrderEvent {
  const fill = message.get('fill')
  if (type === 'fill' && fill === undefined) throw missing('fill')
  return {
    type,
    orderId: readIdText(message, 'order_id'),
    eventId: message.has('event_id') ? readIdText(message, 'event_id') : null,
    clientOrderId: readName(message, 'client_order_id', MAX_CLIENT_ORDER_ID),
    symbol: readSymbol(message, 'symbol'),
    side: readSide(message),
    orderType: readText(message, 'order_type').slice(0, MAX_NAME),
    venueTimeNs: readMilliseconds(message, 'timestampms'),
    isLive: readBoolean(message, 'is_live'),
    isCancelled: readBoolean(message, 'is_cancelled'),
    isHidden: message.has('is_hidden') && readBoolean(message, 'is_hidden'),
    price: optional(message, 'price'),
    originalQuantity: optional(message, 'original_amount'),
    remainingQuantity: optional(message, 'remaining_amount'),
    executedQuantity: optional(message, 'executed_amount'),
    reason: readName(message, 'reason', MAX_REASON),
    fill: isObject(fill) ? readFill(fill) : null,
  }
}

/** The venue takes less than 100 characters and asks for 36 (claim 36); what is told is written down all the same. */
export const MAX_CLIENT_ORDER_ID = 500
const MAX_REASON = 500

function readFill(fill: JsonObject): OrderFill {
  return {
    tradeId: readIdText(fill, 'trade_id'),
    price: readPrice(fill.get('price'), 'price'),
    quantity: readQuantity(fill.get('amount'), 'amount'),
    liquidity: readText(fill, 'liquidity').slice(0, MAX_NAME),
    fee: readQuantity(fill.get('fee'), 'fee'),
    feeCurrency: readText(fill, 'fee_currency').slice(0, MAX_NAME),
  }
}

/** Ids stand in strings here. */
function readIdText(object: JsonObject, key: string): bigint {
  const text = readText(object, key)
  const id = /^\d{1,19}$/.test(text) ? BigInt(text) : -1n
  if (!isId(id)) throw new VenueProtocolError('UNREADABLE_NUMBER', `"${key}" is not an id: ${excerpt(text)}`)
  return id
}

function readSide(message: JsonObject): 'buy' | 'sell' {
  const side = readText(message, 'side')
  if (side === 'buy' || side === 'sell') return side
  throw new VenueProtocolError('WRONG_TYPE', `"side" is neither buy nor sell: ${excerpt(side)}`)
}

function readName(message: JsonObject, key: string, longest: number): string | null {
  const text = readOptionalText(message, key)
  if (text !== null && text.length > longest)
    throw new VenueProtocolError('TOO_LARGE', `"${key}" has ${text.length} characters; the limit is ${longest}`)
  return text
}

function optional(message: JsonObject, key: string): DecimalText | null {
  const value = message.get(key)
  return value === undefined || value === null ? null : readQuantity(value, key)
}
