import { tradesUrl } from '@booktape/gemini'
import type { RestOrder } from '@booktape/session'
import type { RestClient } from '@booktape/transport'

/** What came of asking for a page of trades; no status where nothing came at all. */
export type TradesPage = Readonly<{ symbol: string; status: number | null; body: string }>

/** Obeys orders for pages of trades, broken ones included, each in its turn of the REST budget. */
export async function fetchTrades(
  order: RestOrder,
  rest: RestClient,
  note: (page: TradesPage) => void,
  signal: AbortSignal,
): Promise<void> {
  const { symbol, from } = order
  const reply = await rest.get(tradesUrl('', symbol, { after: from, includeBroken: true }), signal)
  if (signal.aborted) return
  note(reply.kind === 'reply' ? { symbol, status: reply.status, body: reply.body } : { symbol, status: null, body: '' })
}
