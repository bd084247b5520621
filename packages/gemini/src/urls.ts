import { invariant } from '@booktape/market'
import { canonicalSymbol } from './symbols.ts'

/** Where one environment of the venue answers. */
export type Bases = Readonly<{ v1: string; ws: string; rest: string }>

export const PRODUCTION: Bases = {
  v1: 'wss://api.gemini.com',
  ws: 'wss://ws.gemini.com',
  rest: 'https://api.gemini.com',
}

export const SANDBOX: Bases = {
  v1: 'wss://api.sandbox.gemini.com',
  ws: 'wss://ws.sandbox.gemini.com',
  rest: 'https://api.sandbox.gemini.com',
}

/** Each defaults to what a recorder needs; `auctions` is asked for only when named, the venue no longer documents it. */
export type V1Options = Readonly<{
  heartbeat?: boolean
  topOfBook?: boolean
  bids?: boolean
  offers?: boolean
  trades?: boolean
  auctions?: boolean
}>

/**
 * The v1 feed of one symbol. All three kinds of events are always named: naming one alone switched the others off on the wire,
 * whatever the documents say (docs/gemini.md, claim 14).
 */
export function v1Url(base: string | URL, symbol: string, options: V1Options = {}): string {
  const { heartbeat = true, bids = true, offers = true, trades = true, topOfBook, auctions } = options
  const query = [`heartbeat=${heartbeat}`, `bids=${bids}`, `offers=${offers}`, `trades=${trades}`]
  if (topOfBook !== undefined) query.push(`top_of_book=${topOfBook}`)
  if (auctions !== undefined) query.push(`auctions=${auctions}`)
  return `${withoutSlash(base)}/v1/marketdata/${pathSymbol(symbol).toUpperCase()}?${query.join('&')}`
}

/** The new API, asking that each depth subscription begin with the whole book (claim 3). */
export function wsUrl(base: string | URL): string {
  return `${withoutSlash(base)}/?snapshot=-1`
}

/** What is signed for the upgrade of the order events. */
export const ORDER_EVENTS_PATH = '/v1/order/events'

/** The order events of v1, all of them, with heartbeats: the documents disagree on whether those are on unless told. */
export function orderEventsUrl(base: string | URL): string {
  return `${withoutSlash(base)}${ORDER_EVENTS_PATH}?heartbeat=true`
}

/** The new API for private streams, which have no snapshot to ask for. */
export function privateWsUrl(base: string | URL): string {
  return `${withoutSlash(base)}/`
}

export function symbolsUrl(base: string | URL): string {
  return `${withoutSlash(base)}/v1/symbols`
}

export function symbolDetailsUrl(base: string | URL, symbol: string): string {
  return `${withoutSlash(base)}/v1/symbols/details/${pathSymbol(symbol)}`
}

/** The whole book of a symbol: a limit of 0 means every level. */
export function bookUrl(base: string | URL, symbol: string, levels = 0): string {
  return `${withoutSlash(base)}/v1/book/${pathSymbol(symbol)}?limit_bids=${levels}&limit_asks=${levels}`
}

/** Deep enough to see what is traded, small enough to be asked for every few minutes. */
export const REST_AUDIT_LEVELS = 200

/** Trades after an id, or after a time; at most `limit`, MAX_TRADES_LIMIT by default. */
export type TradesQuery = Readonly<{
  after: Readonly<{ tradeId: bigint }> | Readonly<{ timeMs: bigint }> | null
  limit?: number
  includeBroken?: boolean
}>

/** The venue's own cap on a page of trades. */
export const MAX_TRADES_LIMIT = 500

export function tradesUrl(base: string | URL, symbol: string, query: TradesQuery): string {
  const { after, limit = MAX_TRADES_LIMIT, includeBroken = false } = query
  invariant(
    Number.isInteger(limit) && limit >= 1 && limit <= MAX_TRADES_LIMIT,
    `a page of trades is 1 to ${MAX_TRADES_LIMIT}`,
  )
  const parts = [`limit_trades=${limit}`]
  if (after !== null) parts.unshift('tradeId' in after ? `since_tid=${after.tradeId}` : `timestamp=${after.timeMs}`)
  if (includeBroken) parts.push('include_breaks=true')
  return `${withoutSlash(base)}/v1/trades/${pathSymbol(symbol)}?${parts.join('&')}`
}

function pathSymbol(symbol: string): string {
  const canonical = canonicalSymbol(symbol)
  invariant(canonical !== null, 'a URL is made for a symbol only')
  return canonical
}

function withoutSlash(base: string | URL): string {
  return String(base).replace(/\/$/, '')
}
