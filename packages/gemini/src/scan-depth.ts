import { type BookUpdate, isZero, type LevelChange, type Side } from '@booktape/market'
import { isId, quantityOrNull } from './fields.ts'
import { MAX_TEXT_LENGTH } from './json.ts'
import { MAX_LEVELS_PER_MESSAGE } from './levels.ts'
import { canonicalSymbol } from './symbols.ts'

/** A depth update as `decodeWs` gives it. */
export type Depth = Readonly<{ kind: 'depth'; symbol: string; update: BookUpdate }>

/**
 * Reads a depth update that is spelt exactly as the production wire spells it, without building its JSON first: the native
 * search for quotes makes this a third faster. `null` for anything else, well or badly formed; the general reader then decides.
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
const LEVEL = '["'
const BETWEEN = '","'
const LEVEL_END = '"]'

/** 2^63 has 19 digits. */
const MAX_ID_DIGITS = 19
const COMMA = 44
const ZERO = 48
const NINE = 57

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

/** Appends the levels from `start` on; the position of the bracket that closes them, or -1. */
function scanLevels(text: string, start: number, side: Side, changes: LevelChange[]): number {
  let at = start
  while (text.startsWith(LEVEL, at)) {
    const priceStart = at + LEVEL.length
    const priceEnd = text.indexOf('"', priceStart)
    if (!text.startsWith(BETWEEN, priceEnd)) return -1
    const quantityStart = priceEnd + BETWEEN.length
    const quantityEnd = text.indexOf('"', quantityStart)
    if (!text.startsWith(LEVEL_END, quantityEnd)) return -1
    const price = quantityOrNull(text.slice(priceStart, priceEnd))
    const quantity = quantityOrNull(text.slice(quantityStart, quantityEnd))
    if (price === null || quantity === null || isZero(price)) return -1
    if (changes.push({ side, price, quantity, reason: null }) > MAX_LEVELS_PER_MESSAGE) return -1
    at = quantityEnd + LEVEL_END.length
    if (text.charCodeAt(at) !== COMMA) return at
    at++
    if (!text.startsWith(LEVEL, at)) return -1
  }
  return at
}
