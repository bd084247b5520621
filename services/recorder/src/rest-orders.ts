import { bookUrl, REST_AUDIT_LEVELS, tradesUrl } from '@booktape/gemini'
import type { Order, RestOrder, RestReply } from '@booktape/session'
import type { RestClient } from '@booktape/transport'

export function isRestOrder(order: Order): order is RestOrder {
  return order.kind === 'fetch_trades' || order.kind === 'fetch_book'
}

/** Asks REST for what the corridor wants to know, each in its turn of the budget; no status where nothing came at all. */
export async function obeyRest(
  order: RestOrder,
  rest: RestClient,
  note: (reply: RestReply) => void,
  signal: AbortSignal,
): Promise<void> {
  const reply = await rest.get(pathOf(order), signal)
  if (signal.aborted) return
  const kind = order.kind === 'fetch_trades' ? 'trades_page' : 'book_page'
  const { symbol } = order
  note(
    reply.kind === 'reply'
      ? { kind, symbol, status: reply.status, body: reply.body }
      : { kind, symbol, status: null, body: '' },
  )
}

/** Trades that were broken are asked for as well: what was stored may have become one. */
export function pathOf(order: RestOrder): string {
  return order.kind === 'fetch_trades'
    ? tradesUrl('', order.symbol, { after: order.from, includeBroken: true })
    : bookUrl('', order.symbol, REST_AUDIT_LEVELS)
}
