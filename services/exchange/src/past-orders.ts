import type { RestAnswer } from '@booktape/venue'
import { errorAnswer } from '@booktape/venue'
import type { TradingDesk } from './trading-desk.ts'

// Lists of what is over in an account (docs/gemini.md, claim 39).

const MOST = 500
const USUAL = 50
const NS_PER_MS = 1_000_000n
const JSON_HEADERS = { 'content-type': 'application/json' }

type Fields = Readonly<Record<string, unknown>>

/** `/v1/orders/history`: orders that are over, by their submission. One that was rejected never was an order. */
export function pastOrders(desk: TradingDesk, fields: Fields): RestAnswer {
  const over = desk.events
    .filter(({ type }) => type === 'accepted')
    .map(({ order, timeNs }) => ({ order: desk.order(order.orderId), ms: timeNs / NS_PER_MS }))
    .filter(({ order }) => !order.isLive)
  return page(over, fields['timestamp'], fields['limit_orders'], ({ order, ms }) => ({
    order_id: order.orderId.toString(),
    id: order.orderId.toString(),
    symbol: order.symbol,
    exchange: 'gemini',
    ...(order.price === null ? {} : { price: order.price }),
    side: order.side,
    type: order.isLimit ? 'exchange limit' : 'market sell',
    options: [],
    timestamp: (ms / 1_000n).toString(),
    timestampms: Number(ms),
    is_live: false,
    is_cancelled: order.state === 'cancelled',
    is_hidden: false,
    was_forced: false,
    executed_amount: order.executedQuantity,
    ...(order.clientOrderId === null ? {} : { client_order_id: order.clientOrderId }),
    original_amount: order.originalQuantity,
    remaining_amount: order.remainingQuantity,
  }))
}

/** `/v1/mytrades` */
export function pastFills(desk: TradingDesk, fields: Fields): RestAnswer {
  const fills = desk.fills.map((fill) => ({ fill, ms: fill.timeNs / NS_PER_MS }))
  return page(fills, fields['timestamp'], fields['limit_trades'], ({ fill, ms }) => ({
    price: fill.price,
    amount: fill.quantity,
    timestamp: Number(ms / 1_000n),
    timestampms: Number(ms),
    type: fill.side === 'buy' ? 'Buy' : 'Sell',
    aggressor: !fill.isMaker,
    fee_currency: fill.feeCurrency,
    fee_amount: fill.fee,
    tid: fill.tradeId,
    order_id: fill.orderId.toString(),
    exchange: 'gemini',
    is_auction_fill: false,
    symbol: fill.symbol.toUpperCase(),
    client_order_id: desk.order(fill.orderId).clientOrderId ?? undefined,
  }))
}

/** The first ones at or after the time, at most `limit`, newest first. */
function page<T extends Readonly<{ ms: bigint }>>(
  rows: readonly T[],
  timestamp: unknown,
  limit: unknown = USUAL,
  spell: (row: T) => object,
): RestAnswer {
  if (typeof limit !== 'number' || !Number.isInteger(limit) || limit < 1 || limit > MOST)
    return errorAnswer(400, 'InvalidParameterValue', `a limit is 1 to ${MOST}`)
  if (typeof timestamp !== 'number' || !Number.isInteger(timestamp))
    return errorAnswer(400, 'InvalidTimestampInPayload', 'timestamp is a whole number')
  const first = rows.filter(({ ms }) => ms >= BigInt(timestamp)).slice(0, limit)
  const body = JSON.stringify(first.toReversed().map(spell), (_, value: unknown) =>
    typeof value === 'bigint' ? Number(value) : value,
  )
  return { status: 200, headers: JSON_HEADERS, body }
}
