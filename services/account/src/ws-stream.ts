import {
  ACCOUNT_STREAMS,
  decodeAccountMessage,
  decodeFrame,
  type OrderUpdate,
  pingRequest,
  subscribeRequest,
} from '@booktape/gemini'
import { endActive, endUnlisted, keepActive } from './active-orders.ts'
import { addBalance, addOrderUpdate } from './order-rows.ts'
import { type Context, goLive, hangUp, type OpenLink, type Stream } from './stream.ts'

const SUBSCRIBE_ID = 1n
const PING_ID = 2n

const ENDS: readonly OrderUpdate['status'][] = ['FILLED', 'CANCELED', 'REJECTED']

/** The connection is open: both streams in one request, so that both are live or none. */
export function subscribe({ connection }: OpenLink, { step }: Context): void {
  step.orders.push({ kind: 'send', connection, text: subscribeRequest(SUBSCRIBE_ID, ACCOUNT_STREAMS) })
}

/** An account where nothing happens is told nothing: a sign of life is asked for. */
export function ping({ connection }: OpenLink, { step }: Context): void {
  step.orders.push({ kind: 'send', connection, text: pingRequest(PING_ID) })
}

/** A frame of the private streams of the new API, which number nothing. Throws VenueProtocolError. */
export function onWsFrame(stream: Stream, text: string, context: Context): void {
  const { observations } = context.step
  const message = decodeAccountMessage(text)
  observations.push({ kind: 'message', feed: 'ws', message: message?.kind ?? 'other' })
  if (message === null) return onOther(stream, text, context)
  switch (message.kind) {
    case 'order_snapshot': {
      const { orders } = message
      for (const [index, order] of orders.entries()) take(stream, order, true, index, context)
      endUnlisted(stream, new Set(orders.map(({ orderId }) => String(orderId))), orders.length, context)
      return
    }
    case 'order_update':
      return take(stream, message.order, false, 0, context)
    case 'balance_update':
      for (const balance of message.balances) addBalance(balance, message, context)
      return
  }
}

function onOther(stream: Stream, text: string, context: Context): void {
  const message = decodeFrame(text)
  if (message.kind !== 'response') {
    context.step.observations.push({ kind: 'anomaly', feed: 'ws', anomaly: 'unknown_type' })
    return
  }
  if (message.id !== SUBSCRIBE_ID) return
  if (message.error === null) goLive(stream, context)
  else hangUp(stream, 'no_subscription', context)
}

function take(stream: Stream, order: OrderUpdate, isListed: boolean, eventIndex: number, context: Context): void {
  const orderId = String(order.orderId)
  if (ENDS.includes(order.status)) endActive(stream, orderId)
  else keepActive(stream, { orderId, symbol: order.symbol, side: order.side })
  addOrderUpdate(order, isListed, { feed: 'ws', eventIndex, sequence: null }, context)
}
