import { type DecimalText, isZero, VenueProtocolError } from '@booktape/market'
import { excerpt } from './excerpt.ts'
import {
  expectArray,
  expectObject,
  isId,
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
import type { JsonObject } from './json-value.ts'

/** The most that one page of either list holds. */
export const MAX_PAST_ROWS = 500

/** An order that is over, as `/v1/orders/history` lists it (docs/gemini.md, claim 39). */
export type PastOrder = Readonly<{
  orderId: bigint
  clientOrderId: string | null
  symbol: string
  side: 'buy' | 'sell'
  orderType: string
  submittedTimeNs: bigint
  ending: 'filled' | 'cancelled' | 'closed' | 'open' // `closed`: it does not say how
  price: DecimalText | null
  originalQuantity: DecimalText
  remainingQuantity: DecimalText
  executedQuantity: DecimalText
}>

/** A fill, as `/v1/mytrades` lists it. */
export type PastFill = Readonly<{
  orderId: bigint
  tradeId: bigint // that of the market's trade
  clientOrderId: string | null
  symbol: string
  side: 'buy' | 'sell'
  price: DecimalText
  quantity: DecimalText
  fee: DecimalText
  feeCurrency: string
  isTaker: boolean
  venueTimeNs: bigint
}>

const MAX_NAME = 64
const MAX_CLIENT_ORDER_ID = 500

/** Throws VenueProtocolError. */
export function decodePastOrders(text: string): readonly PastOrder[] {
  return expectArray(readJson(text), 'the list of past orders').map((value) => {
    const order = expectObject(value, 'a past order')
    const remainingQuantity = readQuantity(order.get('remaining_amount'), 'remaining_amount')
    return {
      orderId: readIdText(order, 'order_id'),
      clientOrderId: readClientOrderId(order),
      symbol: readSymbol(order, 'symbol'),
      side: readSide(order, 'side'),
      orderType: readText(order, 'type').slice(0, MAX_NAME),
      submittedTimeNs: readMilliseconds(order, 'timestampms'),
      ending: endingOf(order, remainingQuantity),
      price: order.has('price') ? readQuantity(order.get('price'), 'price') : null,
      originalQuantity: readQuantity(order.get('original_amount'), 'original_amount'),
      remainingQuantity,
      executedQuantity: readQuantity(order.get('executed_amount'), 'executed_amount'),
    }
  })
}

/** Throws VenueProtocolError. */
export function decodePastFills(text: string): readonly PastFill[] {
  return expectArray(readJson(text), 'the list of past trades').map((value) => {
    const trade = expectObject(value, 'a past trade')
    return {
      orderId: readIdText(trade, 'order_id'),
      tradeId: readId(trade, 'tid'),
      clientOrderId: readClientOrderId(trade),
      symbol: readSymbol(trade, 'symbol'),
      side: readSide(trade, 'type'),
      price: readPrice(trade.get('price'), 'price'),
      quantity: readQuantity(trade.get('amount'), 'amount'),
      fee: readQuantity(trade.get('fee_amount'), 'fee_amount'),
      feeCurrency: readText(trade, 'fee_currency').slice(0, MAX_NAME),
      isTaker: readBoolean(trade, 'aggressor'),
      venueTimeNs: readMilliseconds(trade, 'timestampms'),
    }
  })
}

function endingOf(order: JsonObject, remaining: DecimalText): PastOrder['ending'] {
  if (readBoolean(order, 'is_live')) return 'open'
  if (readBoolean(order, 'is_cancelled')) return 'cancelled'
  return isZero(remaining) ? 'filled' : 'closed'
}

/** `buy` in the list of orders, `Buy` in that of trades. */
function readSide(object: JsonObject, key: string): 'buy' | 'sell' {
  const side = readText(object, key).toLowerCase()
  if (side === 'buy' || side === 'sell') return side
  throw new VenueProtocolError('WRONG_TYPE', `"${key}" is neither buy nor sell: ${excerpt(side)}`)
}

function readIdText(object: JsonObject, key: string): bigint {
  const text = readText(object, key)
  const id = /^\d{1,19}$/.test(text) ? BigInt(text) : -1n
  if (!isId(id)) throw new VenueProtocolError('UNREADABLE_NUMBER', `"${key}" is not an id: ${excerpt(text)}`)
  return id
}

function readClientOrderId(object: JsonObject): string | null {
  const text = readOptionalText(object, 'client_order_id')
  if (text !== null && text.length > MAX_CLIENT_ORDER_ID)
    throw new VenueProtocolError('TOO_LARGE', `"client_order_id" has ${text.length} characters`)
  return text
}
