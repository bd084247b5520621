import type { Refusal } from './frames.ts'
import type { Ladder } from './ladder.ts'
import type { Market, PastTrade } from './market.ts'
import { errorAnswer, refusalFor, unknownSymbol } from './refusals.ts'
import { canonicalText } from './scaled.ts'
import type { SymbolSpec } from './symbols.ts'

/** Any answer has the shape of a refusal, with a status of its own. */
export type RestAnswer = Refusal

export const MAX_TRADES_LIMIT = 500
const USUAL_TRADES_LIMIT = 50
const USUAL_BOOK_LIMIT = 50
const NS_PER_MS = 1_000_000n

/** A timestamp below this is in seconds: as ms it would be 1973. */
const LEAST_MS_TIMESTAMP = 100_000_000_000n

/** The public endpoints a recorder uses (docs/gemini.md, section 4). */
export function restAnswer(
  markets: ReadonlyMap<string, Market>,
  method: string,
  path: string,
  query: URLSearchParams,
): RestAnswer {
  if (method !== 'GET' && method !== 'HEAD') return refusalFor(404, null)
  if (path === '/v1/symbols') return json(JSON.stringify([...markets.keys()]))
  const endpoint = /^\/v1\/(symbols\/details|book|trades)\/([^/]+)$/.exec(path)
  const [, name, symbol] = endpoint ?? []
  if (name === undefined || symbol === undefined) return refusalFor(404, null)
  const market = markets.get(symbol.toLowerCase())
  if (market === undefined) return unknownSymbol(symbol)
  if (name === 'book') return bookAnswer(market, query)
  if (name === 'trades') return tradesAnswer(market, query)
  return json(detailsText(market.spec))
}

/** Increments are JSON numbers, and `tick_size` is that of the quantity. */
function detailsText(spec: SymbolSpec): string {
  return (
    `{"symbol":"${spec.symbol.toUpperCase()}","quote_currency":"${spec.quoteCurrency}",` +
    `"tick_size":${spec.quantityIncrementText ?? spec.quantityIncrement},"quote_increment":${spec.priceIncrement},` +
    `"min_order_size":"${spec.minOrderSize}","status":"${spec.status}","wrap_enabled":false,` +
    `"product_type":"${spec.productType}","contract_type":"${spec.productType === 'swap' ? 'linear' : 'vanilla'}",` +
    `"contract_price_currency":"${spec.quoteCurrency}","base_currency":"${spec.baseCurrency}"}`
  )
}

function bookAnswer(market: Market, query: URLSearchParams): RestAnswer {
  const bids = readCount(query, 'limit_bids', USUAL_BOOK_LIMIT)
  const asks = readCount(query, 'limit_asks', USUAL_BOOK_LIMIT)
  if (bids === null || asks === null) return badParameter('limit_bids and limit_asks are whole numbers')
  return json(`{"bids":[${sideText(market, market.bids, bids)}],"asks":[${sideText(market, market.asks, asks)}]}`)
}

/** Best first; no limit means the whole side. There is no update id, and `timestamp` is a dummy. */
function sideText({ spec, lastTimeNs }: Market, ladder: Ladder, limit: bigint): string {
  const timestamp = lastTimeNs / (1000n * NS_PER_MS)
  const count = limit === 0n || limit > BigInt(ladder.size) ? ladder.size : Number(limit) // at most the size: exact
  return Array.from(
    ladder.levels(count),
    ([price, quantity]) =>
      `{"price":"${canonicalText(price, spec.priceDigits)}",` +
      `"amount":"${canonicalText(quantity, spec.quantityDigits)}","timestamp":"${timestamp}"}`,
  ).join(',')
}

/**
 * Newest first within a page. With `since_tid` or `timestamp` the page holds the first trades after it, so that a
 * reader pages forward (docs/gemini.md, section 4.4); with neither, the newest trades.
 */
function tradesAnswer(market: Market, query: URLSearchParams): RestAnswer {
  const limit = readCount(query, 'limit_trades', USUAL_TRADES_LIMIT)
  const sinceId = readCount(query, 'since_tid', null)
  const since = readCount(query, query.has('timestamp') ? 'timestamp' : 'since', null)
  if (limit === null || (sinceId === null && query.has('since_tid'))) {
    return badParameter('limit_trades and since_tid are whole numbers')
  }
  if (since === null && (query.has('timestamp') || query.has('since')))
    return badParameter('timestamp is a whole number')

  const withBroken = ['1', 'true'].includes(query.get('include_breaks') ?? '')
  const count = limit > BigInt(MAX_TRADES_LIMIT) ? MAX_TRADES_LIMIT : Number(limit)
  const shown = market.trades.filter((trade) => withBroken || !trade.broken)
  const page = pageOf(shown, sinceId, since, count)
  return json(
    `[${page
      .toReversed()
      .map((trade) => tradeText(market, trade))
      .join(',')}]`,
  )
}

function pageOf(
  trades: readonly PastTrade[],
  sinceId: bigint | null,
  since: bigint | null,
  count: number,
): readonly PastTrade[] {
  if (count === 0) return []
  if (sinceId === null && since === null) return trades.slice(-count)
  const sinceMs = since === null ? 0n : since < LEAST_MS_TIMESTAMP ? since * 1000n : since
  const isAfter = (trade: PastTrade): boolean =>
    sinceId !== null ? trade.tradeId > sinceId : trade.eventTimeNs / NS_PER_MS > sinceMs
  const first = trades.findIndex(isAfter)
  return first === -1 ? [] : trades.slice(first, first + count)
}

function tradeText({ spec }: Market, trade: PastTrade): string {
  const timestampMs = trade.eventTimeNs / NS_PER_MS
  return (
    `{"timestamp":${timestampMs / 1000n},"timestampms":${timestampMs},"tid":${trade.tradeId},` +
    `"price":"${canonicalText(trade.price, spec.priceDigits)}",` +
    `"amount":"${canonicalText(trade.quantity, spec.quantityDigits)}","exchange":"gemini",` +
    `"type":"${trade.makerSide === 'ask' ? 'buy' : 'sell'}"${trade.broken ? ',"broken":true' : ''}}`
  )
}

/** A count or id of the query, exact; null where it is not a whole number, `usual` where it is not given. */
function readCount(query: URLSearchParams, name: string, usual: number | null): bigint | null {
  const text = query.get(name)
  if (text === null) return usual === null ? null : BigInt(usual)
  return /^\d{1,18}$/.test(text) ? BigInt(text) : null
}

function json(body: string): RestAnswer {
  return { status: 200, headers: { 'content-type': 'application/json' }, body }
}

function badParameter(message: string): RestAnswer {
  return errorAnswer(400, 'Bad Request', message)
}
