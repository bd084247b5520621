import type { LevelChange, TopOfBook, Trade } from '@booktape/market'
import { isZero, VenueProtocolError } from '@booktape/market'
import {
  expectObject,
  missing,
  readArray,
  readBoolean,
  readId,
  readOptionalText,
  readPrice,
  readQuantity,
  readSafeInteger,
  readSymbol,
  readText,
  wrongType,
} from './fields.ts'
import { readJson } from './json.ts'
import type { JsonObject, JsonValue } from './json-value.ts'
import { appendChanges, type PriceQuantity, readPairs } from './levels.ts'
import { type Depth, scanDepth } from './scan-depth.ts'
import { canonicalSymbol } from './symbols.ts'

/**
 * One frame of the new WebSocket API. Symbols are canonical, times in nanoseconds as the venue gives them.
 * `other`: an event we know and do not record. `unknown`: to be kept raw and counted.
 */
export type WsMessage =
  | WsResponse
  | Depth
  | Readonly<{ kind: 'book_ticker'; symbol: string; updateId: bigint; eventTimeNs: bigint; top: TopOfBook }>
  | Readonly<{ kind: 'trade'; symbol: string; trade: Trade }>
  | Readonly<{
      kind: 'partial_depth'
      symbol: string | null // the production wire names it, the documents do not
      lastUpdateId: bigint
      bids: readonly PriceQuantity[]
      asks: readonly PriceQuantity[]
    }>
  | Readonly<{ kind: 'other'; event: string; symbol: string | null }>
  | Readonly<{ kind: 'unknown'; event: string | null }>

/** The answer to a request, under the request's own id. Acknowledgements have no result; `conninfo` has only `rateLimits`. */
export type WsResponse = Readonly<{
  kind: 'response'
  id: string | bigint | null
  status: number
  error: Readonly<{ code: number; message: string }> | null
  result: JsonValue | null
  rateLimits: JsonValue | null
}>

/**
 * Reads one frame of the new WebSocket API. Most frames do not name their stream: they are told apart by their fields, in the
 * order below (docs/gemini.md, claim 2). Throws VenueProtocolError.
 */
export function decodeWs(frame: Uint8Array): WsMessage {
  return scanDepth(frame) ?? decodeFrame(utf8.decode(frame))
}

const utf8 = new TextDecoder()

/** The general way: reads the JSON, then its fields. For a frame that `scanDepth` can read it gives the same. */
export function decodeFrame(text: string): WsMessage {
  const object = expectObject(readJson(text), 'a frame of the WebSocket API')
  if (object.has('status') && (object.has('id') || object.has('error'))) return decodeResponse(object)
  if (object.has('e')) return decodeEvent(object, readText(object, 'e'))
  if (object.has('lastUpdateId') && object.has('bids') && object.has('asks')) return decodePartialDepth(object)
  if (object.has('t') && object.has('p') && object.has('q') && object.has('m')) return decodeTrade(object)
  if (isBookTicker(object)) return decodeBookTicker(object)
  return { kind: 'unknown', event: null }
}

function decodeResponse(object: JsonObject): WsResponse {
  const id = object.get('id') ?? null
  if (id !== null && typeof id !== 'string' && typeof id !== 'bigint') throw wrongType('id', 'a string or an integer')
  const error = object.get('error') ?? null
  return {
    kind: 'response',
    id,
    status: readSafeInteger(object, 'status'),
    error: error === null ? null : decodeError(expectObject(error, 'the error of a response')),
    result: object.get('result') ?? null,
    rateLimits: object.get('rateLimits') ?? null,
  }
}

function decodeError(error: JsonObject): { code: number; message: string } {
  return { code: readSafeInteger(error, 'code'), message: readOptionalText(error, 'msg') ?? '' }
}

function decodeEvent(object: JsonObject, event: string): WsMessage {
  switch (event) {
    case 'depthUpdate':
      return decodeDepth(object)
    case 'trade': // the production wire leaves `e` out of trades, the venue's own fixtures do not
      return decodeTrade(object)
    case 'markPrice':
    case 'fundingAmount':
    case 'contractStatus':
    case 'requestForQuote':
    case 'orderUpdate':
    case 'orderSnapshot':
    case 'balanceUpdate':
    case 'positionReport':
      return { kind: 'other', event, symbol: symbolOrNull(object.get('s')) }
    default:
      return { kind: 'unknown', event }
  }
}

function decodeDepth(object: JsonObject): WsMessage {
  const symbol = readSymbol(object, 's')
  const firstUpdateId = readId(object, 'U')
  const lastUpdateId = readId(object, 'u')
  if (lastUpdateId < firstUpdateId) {
    throw new VenueProtocolError(
      'BACKWARD_RANGE',
      `${symbol}: the range ${firstUpdateId} to ${lastUpdateId} runs backward`,
    )
  }
  const eventTimeNs = readId(object, 'E')
  const couldBeSnapshot = firstUpdateId === lastUpdateId
  const changes: LevelChange[] = []
  appendChanges(changes, 'bid', readDepthSide(object, 'b', couldBeSnapshot))
  appendChanges(changes, 'ask', readDepthSide(object, 'a', couldBeSnapshot))
  return { kind: 'depth', symbol, update: { firstUpdateId, lastUpdateId, eventTimeNs, changes } }
}

/** A side may be absent or null in a snapshot only, for a book that has no such side; a delta names both (claim 6). */
function readDepthSide(object: JsonObject, key: 'b' | 'a', couldBeSnapshot: boolean): readonly JsonValue[] {
  const levels = object.get(key)
  if (levels !== undefined && levels !== null) return readArray(object, key)
  if (!couldBeSnapshot) throw missing(key)
  return []
}

function decodePartialDepth(object: JsonObject): WsMessage {
  return {
    kind: 'partial_depth',
    symbol: object.has('symbol') ? readSymbol(object, 'symbol') : null,
    lastUpdateId: readId(object, 'lastUpdateId'),
    bids: readPairs(readArray(object, 'bids')),
    asks: readPairs(readArray(object, 'asks')),
  }
}

function decodeTrade(object: JsonObject): WsMessage {
  const trade: Trade = {
    tradeId: readId(object, 't'),
    eventTimeNs: readId(object, 'E'),
    price: readPrice(object.get('p'), 'p'),
    quantity: readQuantity(object.get('q'), 'q'),
    takerSide: readBoolean(object, 'm') ? 'sell' : 'buy', // `m`: the buyer's order rested (claim 16)
  }
  return { kind: 'trade', symbol: readSymbol(object, 's'), trade }
}

/** In depthUpdate `b` and `a` are arrays, here they are strings. */
function isBookTicker(object: JsonObject): boolean {
  if (!object.has('u') || !object.has('s') || object.has('U')) return false
  if (Array.isArray(object.get('b')) || Array.isArray(object.get('a'))) return false
  return object.has('b') || object.has('B') || object.has('a') || object.has('A')
}

function decodeBookTicker(object: JsonObject): WsMessage {
  const [bidPrice, bidQuantity] = readBestLevel(object, 'b', 'B')
  const [askPrice, askQuantity] = readBestLevel(object, 'a', 'A')
  return {
    kind: 'book_ticker',
    symbol: readSymbol(object, 's'),
    updateId: readId(object, 'u'),
    eventTimeNs: readId(object, 'E'),
    top: { bidPrice, bidQuantity, askPrice, askQuantity },
  }
}

/** How the venue spells a side that is not there is not known: absent, empty or zero all mean it (claim 9). */
function readBestLevel(object: JsonObject, priceKey: string, quantityKey: string): BestLevel {
  const priceText = readOptionalText(object, priceKey)
  const quantityText = readOptionalText(object, quantityKey)
  if (priceText === null || quantityText === null || priceText === '' || quantityText === '') return NO_LEVEL
  const price = readQuantity(priceText, priceKey)
  const quantity = readQuantity(quantityText, quantityKey)
  return isZero(price) || isZero(quantity) ? NO_LEVEL : [price, quantity]
}

type BestLevel = PriceQuantity | readonly [price: null, quantity: null]
const NO_LEVEL: BestLevel = [null, null]

function symbolOrNull(value: JsonValue | undefined): string | null {
  return typeof value === 'string' ? canonicalSymbol(value) : null
}
