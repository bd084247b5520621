import { addUnseenEnd } from './order-rows.ts'
import type { ActiveOrder, Context, Stream } from './stream.ts'

/** Far above what one account has open; beyond it the oldest are not watched any more, and their end in a gap is not noticed. */
export const MAX_ACTIVE_ORDERS = 10_000

/** The feed told that the order is there. */
export function keepActive(stream: Stream, order: ActiveOrder): void {
  if (stream.active.some(({ orderId }) => orderId === order.orderId)) return
  stream.active.push({ orderId: order.orderId, symbol: order.symbol, side: order.side })
  if (stream.active.length > MAX_ACTIVE_ORDERS) stream.active.shift()
}

/** The feed told its end. */
export function endActive(stream: Stream, orderId: string): void {
  stream.active = stream.active.filter((order) => order.orderId !== orderId)
}

/**
 * The venue has named all orders that are active now: those that were and are not named ended in the gap. `eventIndex` is the first that is
 * free in this frame.
 */
export function endUnlisted(stream: Stream, listed: ReadonlySet<string>, eventIndex: number, context: Context): void {
  let index = eventIndex
  for (const order of stream.active) {
    if (listed.has(order.orderId)) continue
    addUnseenEnd(order, { feed: stream.feed, eventIndex: index++, sequence: null }, context)
  }
  stream.active = stream.active.filter(({ orderId }) => listed.has(orderId))
}
