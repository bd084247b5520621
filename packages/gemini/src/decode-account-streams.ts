import { type DecimalText, VenueProtocolError } from '@booktape/market'
import { MAX_CLIENT_ORDER_ID } from './decode-order-events.ts'
import { excerpt } from './excerpt.ts'
import {
  expectObject,
  readArray,
  readBoolean,
  readId,
  readOptionalText,
  readQuantity,
  readSymbol,
  readText,
} from './fields.ts'
import { readJson } from './json.ts'
import type { JsonObject } from './json-value.ts'

/** The states of an order on the new API. */
export const ORDER_STATUSES = ['NEW', 'OPEN', 'PARTIALLY_FILLED', 'FILLED', 'CANCELED', 'REJECTED', 'MODIFIED'] as const
export type OrderStatus = (typeof ORDER_STATUSES)[number]

/** An order as `orders@account` tells it. The venue leaves out what is empty or zero: null here (docs/gemini.md, claim 38). */
export type OrderUpdate = Readonly<{
  orderId: bigint
  clientOrderId: string | null
  symbol: string
  side: 'buy' | 'sell'
  orderType: string | null
  status: OrderStatus
  eventTimeNs: bigint | null // null for an order of a snapshot that has none
  price: DecimalText | null
  stopPrice: DecimalText | null
  originalQuantity: DecimalText | null
  remainingQuantity: DecimalText | null
  executedQuantity: DecimalText | null // of the last fill on a fill, in all on anything else
  fill: Readonly<{ tradeId: bigint; price: DecimalText; fee: DecimalText | null; isMaker: boolean | null }> | null
  reason: string | null
}>

export type Balance = Readonly<{ asset: string; free: DecimalText; current: DecimalText }>

/** What the private streams of the new API say; null for every other frame, which `decodeWs` reads. */
export type AccountMessage =
  | Readonly<{ kind: 'order_update'; order: OrderUpdate }>
  | Readonly<{ kind: 'order_snapshot'; orders: readonly OrderUpdate[] }>
  | Readonly<{ kind: 'balance_update'; eventTimeNs: bigint; updatedTimeNs: bigint; balances: readonly Balance[] }>

/** Reads one frame. Throws VenueProtocolError. */
export function decodeAccountMessage(text: string): AccountMessage | null {
  const frame = expectObject(readJson(text), 'a frame of the WebSocket API')
  switch (frame.get('e')) {
    case 'orderUpdate':
      return { kind: 'order_update', order: readOrder(frame) }
    case 'orderSnapshot':
      return {
        kind: 'order_snapshot',
        orders: readArray(frame, 'orders').map((order) => readOrder(expectObject(order, 'an order of a snapshot'))),
      }
    case 'balanceUpdate':
      return {
        kind: 'balance_update',
        eventTimeNs: readId(frame, 'E'),
        updatedTimeNs: readId(frame, 'u'),
        balances: readArray(frame, 'B').map((balance) => readBalance(expectObject(balance, 'a balance'))),
      }
    default:
      return null
  }
}

function readOrder(order: JsonObject): OrderUpdate {
  return {
    orderId: readId(order, 'i'),
    clientOrderId: shortText(order, 'c', MAX_CLIENT_ORDER_ID),
    symbol: readSymbol(order, 's'),
    side: readSide(order),
    orderType: shortText(order, 'o', MAX_NAME),
    status: readStatus(order),
    eventTimeNs: order.has('E') ? readId(order, 'E') : null,
    price: optional(order, 'p'),
    stopPrice: optional(order, 'P'),
    originalQuantity: optional(order, 'q'),
    remainingQuantity: optional(order, 'z'),
    executedQuantity: optional(order, 'Z'),
    fill: readFill(order),
    reason: shortText(order, 'r', MAX_REASON),
  }
}

const MAX_NAME = 64
const MAX_REASON = 500

/** A fill is told by its trade. */
function readFill(order: JsonObject): OrderUpdate['fill'] {
  if (!order.has('t')) return null
  const tradeId = readId(order, 't')
  if (tradeId === 0n) return null
  return {
    tradeId,
    price: readQuantity(order.get('L'), 'L'),
    fee: optional(order, 'n'),
    isMaker: order.has('m') ? readBoolean(order, 'm') : null,
  }
}

function readStatus(order: JsonObject): OrderStatus {
  const text = readText(order, 'X')
  const status = ORDER_STATUSES.find((name) => name === text)
  if (status === undefined) throw new VenueProtocolError('WRONG_TYPE', `"X" is no state of an order: ${excerpt(text)}`)
  return status
}

function readSide(order: JsonObject): 'buy' | 'sell' {
  const side = readText(order, 'S')
  if (side === 'BUY') return 'buy'
  if (side === 'SELL') return 'sell'
  throw new VenueProtocolError('WRONG_TYPE', `"S" is neither BUY nor SELL: ${excerpt(side)}`)
}

function readBalance(balance: JsonObject): Balance {
  return {
    asset: readText(balance, 'a').slice(0, MAX_NAME),
    free: readQuantity(balance.get('f'), 'f'),
    current: readQuantity(balance.get('c'), 'c'),
  }
}

function shortText(order: JsonObject, key: string, longest: number): string | null {
  const text = readOptionalText(order, key)
  if (text === null || text === '') return null
  if (text.length > longest)
    throw new VenueProtocolError('TOO_LARGE', `"${key}" has ${text.length} characters; the limit is ${longest}`)
  return text
}

function optional(order: JsonObject, key: string): DecimalText | null {
  const value = order.get(key)
  return value === undefined || value === null || value === '' ? null : readQuantity(value, key)
}
