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
 * Reads a depth update that is spelt exactly as the production wire spells it, from its bytes and without building its JSON first.
 * `null` for anything else, well or badly formed; the general reader then decides.
 *
 *   {"e":"depthUpdate","E":1790732602268549219,"s":"btcusd","U":100,"u":104,"b":[["83357.25","0.03"]],"a":[]}
 */
export function scanDepth(bytes: Uint8Array): Depth | null {
  if (bytes.length > MAX_TEXT_LENGTH || bytes[HEAD.length - 1] !== COLON) return null
  const text = utf8.decode(bytes)
  // In ASCII each character is one byte, so a place in the one is a place in the other. Whatever is no ASCII is met below.
  if (text.length !== bytes.length || !text.startsWith(HEAD)) return null
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
  const eventTimeNs = scanId(bytes, HEAD.length, timeEnd)
  const firstUpdateId = scanId(bytes, firstIdStart, firstIdEnd)
  const lastUpdateId = scanId(bytes, lastIdStart, lastIdEnd)
  if (symbol === null || eventTimeNs === null || firstUpdateId === null || lastUpdateId === null) return null
  if (lastUpdateId < firstUpdateId) return null

  const changes: LevelChange[] = []
  const bidsEnd = scanLevels(bytes, text, lastIdEnd + BIDS.length, 'bid', changes)
  if (bidsEnd === -1 || !text.startsWith(ASKS, bidsEnd)) return null
  const asksEnd = scanLevels(bytes, text, bidsEnd + ASKS.length, 'ask', changes)
  if (asksEnd === -1 || asksEnd !== text.length - TAIL.length || !text.endsWith(TAIL)) return null
  return { kind: 'depth', symbol, update: { firstUpdateId, lastUpdateId, eventTimeNs, changes } }
}

const utf8 = new TextDecoder()

const HEAD = '{"e":"depthUpdate","E":'
const SYMBOL = ',"s":"'
const FIRST_ID = '","U":'
const LAST_ID = ',"u":'
const BIDS = ',"b":['
const ASKS = '],"a":['
const TAIL = ']}'

/** 2^63 has 19 digits. */
const MAX_ID_DIGITS = 19
/** So many digits always fit a double exactly. */
const EXACT_DIGITS = 15
const HIGH_UNIT = 10n ** BigInt(EXACT_DIGITS)
const QUOTE = 34
const COMMA = 44
const POINT = 46
const ZERO = 48
const NINE = 57
const COLON = 58
const OPEN_BRACKET = 91
const CLOSE_BRACKET = 93

/** Made of two doubles, each exact: `BigInt(text)` takes longer than a level does. */
function scanId(bytes: Uint8Array, start: number, end: number): bigint | null {
  const digits = end - start
  if (digits < 1 || digits > MAX_ID_DIGITS || (digits > 1 && bytes[start] === ZERO)) return null
  const highEnd = digits > EXACT_DIGITS ? end - EXACT_DIGITS : start
  const high = scanDigits(bytes, start, highEnd)
  const low = scanDigits(bytes, highEnd, end)
  if (high === -1 || low === -1) return null
  if (high === 0) return BigInt(low)
  const id = BigInt(high) * HIGH_UNIT + BigInt(low)
  return isId(id) ? id : null
}

/** At most `EXACT_DIGITS` of them; -1 where something else stands among them. */
function scanDigits(bytes: Uint8Array, start: number, end: number): number {
  let value = 0
  for (let at = start; at < end; at++) {
    const code = bytes[at] as number
    if (code < ZERO || code > NINE) return -1
    value = value * 10 + (code - ZERO)
  }
  return value
}

/**
 * Appends the levels from `start` on; the position of the bracket that closes them, or -1. One look at each byte: this loop is
 * where most of the time of reading a feed goes, and a byte of an array is read three times as fast as a character of a string.
 */
function scanLevels(bytes: Uint8Array, text: string, start: number, side: Side, changes: LevelChange[]): number {
  let at = start
  while (bytes[at] === OPEN_BRACKET) {
    if (bytes[at + 1] !== QUOTE) return -1
    const priceEnd = scanDecimal(bytes, at + 2)
    if (priceEnd === -1 || bytes[priceEnd + 1] !== COMMA || bytes[priceEnd + 2] !== QUOTE) return -1
    const price = text.slice(at + 2, canonicalEnd) as DecimalText
    const quantityStart = priceEnd + 3
    const quantityEnd = scanDecimal(bytes, quantityStart)
    if (quantityEnd === -1 || bytes[quantityEnd + 1] !== CLOSE_BRACKET) return -1
    const quantity = text.slice(quantityStart, canonicalEnd) as DecimalText
    if (isZero(price)) return -1
    if (changes.push({ side, price, quantity, reason: null }) > MAX_LEVELS_PER_MESSAGE) return -1
    at = quantityEnd + 2
    if (bytes[at] !== COMMA) return at
    at++
    if (bytes[at] !== OPEN_BRACKET) return -1
  }
  return at
}

/** Where the canonical spelling of the last decimal ends: before the zeros that its fraction ends with. */
let canonicalEnd = 0

/** Plain digits up to a quote, by the rules of `readDecimal`; the position of the quote, or -1. Sets `canonicalEnd`. */
function scanDecimal(bytes: Uint8Array, start: number): number {
  let at = start
  let point = -1
  let significantEnd = start
  let code = bytes[at] as number
  for (; ; code = bytes[++at] as number) {
    if (code > ZERO && code <= NINE) significantEnd = at + 1
    else if (code === POINT && point === -1) point = at
    else if (code !== ZERO) break // past the end, too: undefined equals nothing
  }
  if (code !== QUOTE) return -1
  const integerEnd = point === -1 ? at : point
  const integerDigits = integerEnd - start
  if (integerDigits === 0 || integerDigits > MAX_INTEGER_DIGITS) return -1
  if (integerDigits > 1 && bytes[start] === ZERO) return -1
  if (point !== -1 && (at === point + 1 || at - point - 1 > MAX_FRACTION_DIGITS)) return -1
  canonicalEnd = point !== -1 && significantEnd > point ? significantEnd : integerEnd
  return at
}
