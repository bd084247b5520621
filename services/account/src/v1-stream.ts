import { decodeOrderEvents, type OrderEvent, type OrderEventsMessage } from '@booktape/gemini'
import { endActive, endUnlisted, keepActive } from './active-orders.ts'
import { addOrderEvent } from './order-rows.ts'
import { type Context, goLive, hangUp, type Stream } from './stream.ts'

/** After these an order is over. `cancelled` comes before `closed`, `rejected` comes alone. */
const ENDS: readonly OrderEvent['type'][] = ['closed', 'rejected', 'cancelled']

/**
 * A frame of `/v1/order/events`. Every message but the acknowledgement has the number after the one before:
 *
 *   last 6   message 7   next    taken
 *   last 6   message 6   again   told twice, and taken once
 *   last 6   message 9   gap     7 and 8 never came: the venue's cure is a new connection
 *
 * Throws VenueProtocolError; what stood before it in the frame has been taken.
 */
export function onV1Frame(stream: Stream, text: string, context: Context): void {
  for (const [index, message] of decodeOrderEvents(text).entries()) {
    context.step.observations.push({ kind: 'message', feed: 'v1', message: message.kind })
    if (message.kind === 'subscription_ack') {
      goLive(stream, context)
      stream.listed = []
      continue
    }
    // A connection that begins earlier than others did is right.
    if (stream.lastSequence === null && message.sequence < stream.firstSequence) stream.firstSequence = message.sequence
    const verdict = place(stream, message.sequence)
    if (verdict === 'again') {
      context.step.observations.push({ kind: 'anomaly', feed: 'v1', anomaly: 'duplicate' })
      continue
    }
    if (verdict === 'gap') {
      const from = stream.lastSequence ?? stream.firstSequence - 1n
      if (stream.lastSequence === null) stream.firstSequence = message.sequence // believed when the next connection begins so too
      return hangUp(stream, 'sequence', context, { from, to: message.sequence - 1n })
    }
    stream.lastSequence = message.sequence
    take(stream, message, index, context)
  }
}

function place({ lastSequence, firstSequence }: Stream, sequence: bigint): 'next' | 'again' | 'gap' {
  const expected = lastSequence === null ? firstSequence : lastSequence + 1n
  if (sequence === expected) return 'next'
  return sequence < expected ? 'again' : 'gap'
}

function take(
  stream: Stream,
  message: Exclude<OrderEventsMessage, { kind: 'subscription_ack' }>,
  index: number,
  context: Context,
): void {
  const isListed = message.kind === 'order' && message.event.type === 'initial'
  // The list of active orders has no end of its own: it is over with the first message that is not of it.
  if (!isListed && stream.listed !== null) {
    endUnlisted(stream, new Set(stream.listed), UNSEEN_FROM + index, context)
    stream.listed = null
  }
  if (message.kind === 'other') context.step.observations.push({ kind: 'anomaly', feed: 'v1', anomaly: 'unknown_type' })
  if (message.kind !== 'order') return
  const { event, sequence } = message
  const orderId = String(event.orderId)
  if (isListed) stream.listed?.push(orderId)
  if (ENDS.includes(event.type)) endActive(stream, orderId)
  else if (event.isLive) keepActive(stream, { orderId, symbol: event.symbol, side: event.side })
  addOrderEvent(event, { feed: 'v1', eventIndex: index, sequence }, context)
}

/** Rows of ours in a frame are numbered from here, above all of the venue's. */
const UNSEEN_FROM = 1_000_000
