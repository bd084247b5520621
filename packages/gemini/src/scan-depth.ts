import {
  type BookUpdate,
  type DecimalText,
  isZero,
  type LevelChange,
  MAX_FRACTION_DIGITS,
  MAX_INTEGER_DIGITS,
  type Side,
} from '@booktape/market'
import { isId } from './fields.ts'
import { MAX_TEXT_LENGTH } from './json.ts'
import { MAX_LEVELS_PER_MESSAGE } from './levels.ts'
import { canonicalSymbol } from './symbols.ts'

/** A depth update as `decodeWs` gives it. */
export type Depth = Readonly<{ kind: 'depth'; symbol: string; update: BookUpdate }>

/**
 * Reads a depth update that is spelt exactly as the production wire spells it, without building its JSON first. `null` for
 * anything else, well or badly formed; the general reader then decides.
 *
 *   {"e":"depthUpdate","E":1790732602268549219,"s":"btcusd","U":100,"u":104,"b":[["83357.25","0.03"]],"a":[]}
 */
export function scanDepth(text: string): Depth | null {
  if (!text.startsWith(HEAD) || text.length > MAX_TEXT_LENGTH) return null
  // Where indexOf finds nothing its -1 reads on at 0, where a brace stands and none of these texts begins.
  const timeEnd = text.indexOf(',', HEAD.length)
  if (!text.startsWith(SYMBOL, timeEnd)) return null
  const symbolStart = timeEnd + SYMBOL.length
  const symbolEnd = text.indexOf('"', symbolStart)
  if (!text.startsWith(FIRST_ID, symbolEnd)) return null
  const firstIdStart = symbolEnd + FIRST_ID.length
  const firstIdEnd = text.indexOf(',', firstIdStart)
  if (!text.startsWith(LAST_ID, firstIdEnd)) return null
  const lastIdStart = firstIdEnd + LAST_ID.length
  const lastIdEnd = text.indexOf(',', lastIdStart)
  if (!text.startsWith(BIDS, lastIdEnd)) return null

  const symbol = canonicalSymbol(text.slice(symbolStart, symbolEnd))
  const eventTimeNs = scanId(text, HEAD.length, timeEnd)
  const firstUpdateId = scanId(text, firstIdStart, firstIdEnd)
  const lastUpdateId = scanId(text, lastIdStart, lastIdEnd)
  if (symbol === null || eventTimeNs === null || firstUpdateId === null || lastUpdateId === null) return null
  if (lastUpdateId < firstUpdateId) return null

  const changes: LevelChange[] = []
  const bidsEnd = scanLevels(text, lastIdEnd + BIDS.length, 'bid', changes)
  if (bidsEnd === -1 || !text.startsWith(ASKS, bidsEnd)) return null
  const asksEnd = scanLevels(text, bidsEnd + ASKS.length, 'ask', changes)
  if (asksEnd === -1 || asksEnd !== text.length - TAIL.length || !text.endsWith(TAIL)) return null
  return { kind: 'depth', symbol, update: { firstUpdateId, lastUpdateId, eventTimeNs, changes } }
}

const HEAD = '{"e":"depthUpdate","E":'
const SYMBOL = ',"s":"'
const FIRST_ID = '","U":'
const LAST_ID = ',"u":'
const BIDS = ',"b":['
const ASKS = '],"a":['
const TAIL = ']}'

/** 2^63 has 19 digits. */
const MAX_ID_DIGITS = 19
const QUOTE = 34
const COMMA = 44
const POINT = 46
const ZERO = 48
const NINE = 57
const OPEN_BRACKET = 91
const CLOSE_BRACKET = 93

function scanId(text: string, start: number, end: number): bigint | null {
  const digits = end - start
  if (digits < 1 || digits > MAX_ID_DIGITS || (digits > 1 && text.charCodeAt(start) === ZERO)) return null
  for (let at = start; at < end; at++) {
    const code = text.charCodeAt(at)
    if (code < ZERO || code > NINE) return null
  }
  const id = BigInt(text.slice(start, end))
  return isId(id) ? id : null
}

/**
 * Appends the levels from `start` on; the position of the bracket that closes them, or -1. One look at each character: this loop
 * is where most of the time of reading a feed goes.
 */
function scanLevels(text: string, start: number, side: Side, changes: LevelChange[]): number {
  let at = start
  while (text.charCodeAt(at) === OPEN_BRACKET) {
    if (text.charCodeAt(at + 1) !== QUOTE) return -1
    const priceEnd = scanDecimal(text, at + 2)
    if (priceEnd === -1 || text.charCodeAt(priceEnd + 1) !== COMMA || text.charCodeAt(priceEnd + 2) !== QUOTE) return -1
    const price = text.slice(at + 2, canonicalEnd) as DecimalText
    const quantityStart = priceEnd + 3
    const quantityEnd = scanDecimal(text, quantityStart)
    if (quantityEnd === -1 || text.charCodeAt(quantityEnd + 1) !== CLOSE_BRACKET) return -1
    const quantity = text.slice(quantityStart, canonicalEnd) as DecimalText
    if (isZero(price)) return -1
    if (changes.push({ side, price, quantity, reason: null }) > MAX_LEVELS_PER_MESSAGE) return -1
    at = quantityEnd + 2
    if (text.charCodeAt(at) !== COMMA) return at
    at++
    if (text.charCodeAt(at) !== OPEN_BRACKET) return -1
  }
  return at
}

/** Where the canonical spelling of the last decimal ends: before the zeros that its fraction ends with. */
let canonicalEnd = 0

/** Plain digits up to a quote, by the rules of `readDecimal`; the position of the quote, or -1. Sets `canonicalEnd`. */
function scanDecimal(text: string, start: number): number {
  let at = start
  let point = -1
  let significantEnd = start
  let code = text.charCodeAt(at)
  for (; ; code = text.charCodeAt(++at)) {
    if (code > ZERO && code <= NINE) significantEnd = at + 1
    else if (code === POINT && point === -1) point = at
    else if (code !== ZERO) break
  }
  if (code !== QUOTE) return -1
  const integerEnd = point === -1 ? at : point
  const integerDigits = integerEnd - start
  if (integerDigits === 0 || integerDigits > MAX_INTEGER_DIGITS) return -1
  if (integerDigits > 1 && text.charCodeAt(start) === ZERO) return -1
  if (point !== -1 && (at === point + 1 || at - point - 1 > MAX_FRACTION_DIGITS)) return -1
  canonicalEnd = point !== -1 && significantEnd > point ? significantEnd : integerEnd
  return at
}
