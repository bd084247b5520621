import { type DecimalText, VenueProtocolError } from '@booktape/market'
import { excerpt } from './excerpt.ts'
import { expectObject, readId, readPrice, readQuantity, readText } from './fields.ts'
import { readJson } from './json.ts'
import type { JsonObject } from './json-value.ts'

/** An offer that holds for `maxAgeMs`, as it came; every amount exact (docs/gemini.md, claim 31). */
export type InstantQuote = Readonly<{
  quoteId: bigint
  maxAgeMs: bigint
  pair: string
  side: 'buy' | 'sell' // what whoever asked would do
  price: DecimalText
  priceCurrency: string
  quantity: DecimalText
  quantityCurrency: string
  fee: DecimalText
  feeCurrency: string
  depositFee: DecimalText
  depositFeeCurrency: string
  totalSpend: DecimalText
  totalSpendCurrency: string
}>

/** The answer of `/v1/instant/quote`. Throws VenueProtocolError. */
export function decodeInstantQuote(text: string): InstantQuote {
  const quote = expectObject(readJson(text), 'an instant quote')
  return {
    quoteId: readId(quote, 'quoteId'),
    maxAgeMs: readAge(quote),
    pair: readName(quote, 'pair'),
    side: readSide(quote),
    price: readPrice(quote.get('price'), 'price'),
    priceCurrency: readName(quote, 'priceCurrency'),
    quantity: readPrice(quote.get('quantity'), 'quantity'), // above zero, as a price is
    quantityCurrency: readName(quote, 'quantityCurrency'),
    fee: readQuantity(quote.get('fee'), 'fee'),
    feeCurrency: readName(quote, 'feeCurrency'),
    depositFee: readQuantity(quote.get('depositFee'), 'depositFee'),
    depositFeeCurrency: readName(quote, 'depositFeeCurrency'),
    totalSpend: readQuantity(quote.get('totalSpend'), 'totalSpend'),
    totalSpendCurrency: readName(quote, 'totalSpendCurrency'),
  }
}

/** A year: the documents' example holds for a minute, and what is added to a time must stay one. */
const MAX_AGE_MS = 31_536_000_000n

function readAge(quote: JsonObject): bigint {
  const age = readId(quote, 'maxAgeMs')
  if (age > MAX_AGE_MS) throw new VenueProtocolError('UNREADABLE_NUMBER', '"maxAgeMs" is more than a year')
  return age
}

function readSide(quote: JsonObject): 'buy' | 'sell' {
  const side = readText(quote, 'side')
  if (side === 'buy' || side === 'sell') return side
  throw new VenueProtocolError('WRONG_TYPE', `"side" is neither buy nor sell: ${excerpt(side)}`)
}

/** A currency or a pair: letters and digits, so that nothing else reaches a row. */
function readName(quote: JsonObject, key: string): string {
  const name = readText(quote, key)
  if (/^[A-Za-z0-9-]{1,64}$/.test(name)) return name
  throw new VenueProtocolError('WRONG_TYPE', `"${key}" is not a name: ${excerpt(name)}`)
}
