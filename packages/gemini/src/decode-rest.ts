import { type TakerSide, type Trade, VenueProtocolError } from '@booktape/market'
import {
  expectArray,
  expectObject,
  isObject,
  readArray,
  readBoolean,
  readId,
  readMilliseconds,
  readOptionalText,
  readPrice,
  readQuantity,
} from './fields.ts'
import { readJson } from './json.ts'
import type { JsonObject, JsonValue } from './json-value.ts'
import { limitLevels, type PriceQuantity } from './levels.ts'

/** A book by REST, in wire order. It has no update id and so cannot be joined to a stream (docs/gemini.md, claim 21). */
export type RestBook = Readonly<{ bids: readonly PriceQuantity[]; asks: readonly PriceQuantity[] }>

/** `broken`: the venue took the trade back; shown only when asked for. */
export type RestTrade = Trade & Readonly<{ broken: boolean }>

/** What the venue said when it refused; both texts are null when the body is not the venue's JSON. */
export type RestError = Readonly<{ status: number; reason: string | null; message: string | null }>

/** The answer of `/v1/book/SYMBOL`. Throws VenueProtocolError. */
export function decodeRestBook(text: string): RestBook {
  const book = expectObject(readJson(text), 'a REST book')
  return { bids: readRestLevels(book, 'bids'), asks: readRestLevels(book, 'asks') }
}

function readRestLevels(book: JsonObject, key: string): PriceQuantity[] {
  const levels = readArray(book, key)
  limitLevels(levels.length)
  return levels.map((element) => {
    const level = expectObject(element, 'a level of a REST book')
    return [readPrice(level.get('price'), 'price'), readQuantity(level.get('amount'), 'amount')]
  })
}

/** The answer of `/v1/trades/SYMBOL`, in wire order, which is newest first (claim 22). Throws VenueProtocolError. */
export function decodeRestTrades(text: string): readonly RestTrade[] {
  return expectArray(readJson(text), 'the list of trades').map((element) => {
    const trade = expectObject(element, 'a trade of REST')
    return {
      tradeId: readId(trade, 'tid'),
      eventTimeNs: readMilliseconds(trade, 'timestampms'),
      price: readPrice(trade.get('price'), 'price'),
      quantity: readQuantity(trade.get('amount'), 'amount'),
      takerSide: readTakerSide(trade),
      broken: trade.has('broken') && readBoolean(trade, 'broken'),
    }
  })
}

/** REST names the taker's side (claim 16). */
function readTakerSide(trade: JsonObject): TakerSide {
  const type = readOptionalText(trade, 'type')
  switch (type) {
    case 'buy':
    case 'sell':
    case 'auction':
    case 'block':
      return type
    default:
      return 'unknown'
  }
}

/** Never throws: behind a status of 400 and above the body may be JSON, plain text, HTML or empty (claim 24). */
export function decodeRestError(status: number, body: string): RestError {
  const answer = readOrNull(body)
  // Some answers name the reason under "error", where others say `"result":"error"`.
  const reason = textOrNull(answer, 'reason') ?? textOrNull(answer, 'error')
  return { status, reason, message: textOrNull(answer, 'message') }
}

function readOrNull(body: string): JsonObject | null {
  try {
    const answer = readJson(body)
    return isObject(answer) ? answer : null
  } catch (error) {
    if (error instanceof VenueProtocolError) return null
    throw error
  }
}

function textOrNull(answer: JsonObject | null, key: string): string | null {
  const value: JsonValue | undefined = answer?.get(key)
  return typeof value === 'string' ? value.slice(0, MAX_ERROR_TEXT) : null
}

/** The venue's messages are one sentence; logs and rows must not carry a page. */
const MAX_ERROR_TEXT = 500
