import type { Trade } from '@booktape/market'
import type { Refusal } from './frames.ts'
import type { BookLevels, Levels } from './levels.ts'
import { errorAnswer, refusalFor, unknownSymbol } from './refusals.ts'

/** Any answer has the shape of a refusal, with a status of its own. */
export type RestAnswer = Refusal

export const MAX_TRADES_LIMIT = 500
const USUAL_TRADES_LIMIT = 50
const USUAL_BOOK_LIMIT = 50
const NS_PER_MS = 1_000_000n

/** A timestamp below this is in seconds: as ms it would be 1973. */
const LEAST_MS_TIMESTAMP = 100_000_000_000n

/** A symbol's rules as the venue publishes them; decimals plain, or with an exponent where the venue spells them so. */
export type SymbolDetails = Readonly<{
  symbol: string // lower case
  baseCurrency: string
  quoteCurrency: string
  priceIncrement: string
  quantityIncrement: string
  minOrderSize: string
  status: string
  productType: string
  contractType: string
}>

/** A trade of the past; its decimals as they are to be sent. */
export type RestTrade = Trade & Readonly<{ broken: boolean }>

/** What REST tells of one symbol. */
export type RestMarket = Readonly<{
  details: SymbolDetails | null // null: not known
  book: BookLevels | null // null: not known now
  trades: readonly RestTrade[] // those remembered, their ids growing
}>

/** The public endpoints a recorder uses (docs/gemini.md, claims 19, 21 and 22). */
export function restAnswer(
  markets: ReadonlyMap<string, RestMarket>,
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
  if (name === 'book') return market.book === null ? refusalFor(503, null) : bookAnswer(market.book, query)
  if (name === 'trades') return tradesAnswer(market, query)
  return market.details === null ? refusalFor(503, null) : json(detailsText(market.details))
}

/** Increments are JSON numbers, and `tick_size` is that of the quantity. */
function detailsText(details: SymbolDetails): string {
  const { symbol, quoteCurrency, productType } = details
  return (
    `{"symbol":"${symbol.toUpperCase()}","quote_currency":"${quoteCurrency}",` +
    `"tick_size":${details.quantityIncrement},"quote_increment":${details.priceIncrement},` +
    `"min_order_size":"${details.minOrderSize}","status":"${details.status}","wrap_enabled":false,` +
    `"product_type":"${productType}","contract_type":"${details.contractType}",` +
    `"contract_price_currency":"${quoteCurrency}","base_currency":"${details.baseCurrency}"}`
  )
}

function bookAnswer(book: BookLevels, query: URLSearchParams): RestAnswer {
  const bids = readCount(query, 'limit_bids', USUAL_BOOK_LIMIT)
  const asks = readCount(query, 'limit_asks', USUAL_BOOK_LIMIT)
  if (bids === null || asks === null) return badParameter('limit_bids and limit_asks are whole numbers')
  const side = (levels: Levels): string => sideText(levels, book.lastTimeNs)
  return json(`{"bids":[${side(book.bids(limitOf(bids)))}],"asks":[${side(book.asks(limitOf(asks)))}]}`)
}

/** 0 means the whole side; a count beyond any book is as good. */
function limitOf(count: bigint): number {
  return count === 0n || count > 2n ** 31n ? Number.POSITIVE_INFINITY : Number(count)
}

/** There is no update id, and `timestamp` is a dummy. */
function sideText(levels: Levels, lastTimeNs: bigint): string {
  const timestamp = lastTimeNs / (1000n * NS_PER_MS)
  return Array.from(
    levels,
    ([price, amount]) => `{"price":"${price}","amount":"${amount}","timestamp":"${timestamp}"}`,
  ).join(',')
}

/**
 * Newest first within a page. With `since_tid` or `timestamp` the page holds the first trades after it, so that a
 * reader pages forward (docs/gemini.md, claim 22); with neither, the newest trades.
 */
function tradesAnswer(market: RestMarket, query: URLSearchParams): RestAnswer {
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
  const shown = market.trades.filter(({ broken }) => withBroken || !broken)
  const page = pageOf(shown, sinceId, since, count)
  return json(`[${page.toReversed().map(tradeText).join(',')}]`)
}

function pageOf(
  trades: readonly RestTrade[],
  sinceId: bigint | null,
  since: bigint | null,
  count: number,
): readonly RestTrade[] {
  if (count === 0) return []
  if (sinceId === null && since === null) return trades.slice(-count)
  const sinceMs = since === null ? 0n : since < LEAST_MS_TIMESTAMP ? since * 1000n : since
  const isAfter = (trade: RestTrade): boolean =>
    sinceId !== null ? trade.tradeId > sinceId : trade.eventTimeNs / NS_PER_MS > sinceMs
  const first = trades.findIndex(isAfter)
  return first === -1 ? [] : trades.slice(first, first + count)
}

function tradeText({ tradeId, eventTimeNs, price, quantity, takerSide, broken }: RestTrade): string {
  const timestampMs = eventTimeNs / NS_PER_MS
  return (
    `{"timestamp":${timestampMs / 1000n},"timestampms":${timestampMs},"tid":${tradeId},` +
    `"price":"${price}","amount":"${quantity}","exchange":"gemini","type":"${takerSide}"${broken ? ',"broken":true' : ''}}`
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
