import { type DecimalText, type Instrument, readIncrement, VenueProtocolError } from '@booktape/market'
import { excerpt } from './excerpt.ts'
import { expectArray, expectObject, missing, readQuantity, readSymbol, readText, wrongType } from './fields.ts'
import { readJson } from './json.ts'
import { JsonNumber, type JsonObject } from './json-value.ts'
import { canonicalSymbol } from './symbols.ts'

/** The answer of `/v1/symbols`: canonical symbols in the venue's order. Delisted ones may be among them. Throws VenueProtocolError. */
export function decodeSymbols(text: string): readonly string[] {
  return expectArray(readJson(text), 'the list of symbols').map((element) => {
    const symbol = typeof element === 'string' ? canonicalSymbol(element) : null
    if (symbol === null)
      throw new VenueProtocolError('WRONG_TYPE', 'the list of symbols holds something that is no symbol')
    return symbol
  })
}

/** The answer of `/v1/symbols/details/SYMBOL`. `tick_size` is the step of the quantity (claim 19). Throws VenueProtocolError. */
export function decodeSymbolDetails(text: string): Instrument {
  const details = expectObject(readJson(text), 'symbol details')
  return {
    symbol: readSymbol(details, 'symbol'),
    baseCurrency: readText(details, 'base_currency'),
    quoteCurrency: readText(details, 'quote_currency'),
    priceIncrement: readStep(details, 'quote_increment'),
    quantityIncrement: readStep(details, 'tick_size'),
    minOrderSize: readQuantity(details.get('min_order_size'), 'min_order_size'),
    status: readText(details, 'status'),
    productType: readText(details, 'product_type'),
    contractType: readText(details, 'contract_type'),
  }
}

/** Increments are JSON numbers, and may be spelt 1e-8, 1e-08 or 0.00000001: read from their own text. */
function readStep(details: JsonObject, key: string): DecimalText {
  const value = details.get(key)
  if (value === undefined) throw missing(key)
  if (typeof value !== 'bigint' && !(value instanceof JsonNumber)) throw wrongType(key, 'a number')
  const text = typeof value === 'bigint' ? value.toString() : value.text
  const step = readIncrement(text)
  if (step === null) throw new VenueProtocolError('UNREADABLE_NUMBER', `"${key}" is not an increment: ${excerpt(text)}`)
  return step
}
