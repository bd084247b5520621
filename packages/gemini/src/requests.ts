import { invariant } from '@booktape/market'

/** Comes back in the response with the JSON type it was sent with; an integer comes back from `decodeWs` as a bigint. */
export type RequestId = string | bigint

/** One unknown stream refuses them all (docs/gemini.md, claim 5): ask for one symbol at a time. */
export function subscribeRequest(id: RequestId, streams: readonly string[]): string {
  return request(id, 'subscribe', JSON.stringify(streams))
}

export function unsubscribeRequest(id: RequestId, streams: readonly string[]): string {
  return request(id, 'unsubscribe', JSON.stringify(streams))
}

export function listSubscriptionsRequest(id: RequestId): string {
  return request(id, 'list_subscriptions')
}

export function pingRequest(id: RequestId): string {
  return request(id, 'ping')
}

export function timeRequest(id: RequestId): string {
  return request(id, 'time')
}

export function conninfoRequest(id: RequestId): string {
  return request(id, 'conninfo')
}

/** Asks for one whole book with its update id; `limit` levels a side, 1 to MAX_DEPTH_LIMIT. */
export function depthRequest(id: RequestId, symbol: string, limit: number): string {
  invariant(
    Number.isInteger(limit) && limit >= 1 && limit <= MAX_DEPTH_LIMIT,
    `a depth limit is 1 to ${MAX_DEPTH_LIMIT}`,
  )
  return request(id, 'depth', JSON.stringify({ symbol, limit }))
}

/** The venue's own cap on `depth`. */
export const MAX_DEPTH_LIMIT = 5_000

/** Changed levels, each 100 ms at most. Never beside `@depth` of the same symbol: their frames look the same (claim 8). */
export function depthStream(symbol: string): string {
  return `${symbol}@depth@100ms`
}

export function bookTickerStream(symbol: string): string {
  return `${symbol}@bookTicker`
}

export function tradeStream(symbol: string): string {
  return `${symbol}@trade`
}

/** The orders and the balances of the account whose key the upgrade was signed with. */
export const ACCOUNT_STREAMS: readonly string[] = ['orders@account', 'balances@account']

function request(id: RequestId, method: string, params: string | null = null): string {
  const idText = typeof id === 'bigint' ? id.toString() : JSON.stringify(id)
  const head = `{"id":${idText},"method":"${method}"`
  return params === null ? `${head}}` : `${head},"params":${params}}`
}
