import type { BookLevels, SymbolDetails, V1Change, V1Event, V1Trade } from '@booktape/venue'
import type { Ladder } from './ladder.ts'
import type { EngineEvent, Market } from './market.ts'
import { canonicalText, paddedText, signedText } from './scaled.ts'
import type { SymbolSpec } from './symbols.ts'

// From units to what stands on the wire: padded to the symbol's digits on the new API, without trailing zeros on v1 and REST.

export const paddedLevels = (market: Market): BookLevels => spelledLevels(market, paddedText)
export const canonicalLevels = (market: Market): BookLevels => spelledLevels(market, canonicalText)

type Spell = (units: bigint, digits: number) => string

/** The book as it stands whenever it is asked. */
function spelledLevels(market: Market, spell: Spell): BookLevels {
  const { spec } = market
  return {
    get lastUpdateId() {
      return market.lastUpdateId
    },
    get lastTimeNs() {
      return market.lastTimeNs
    },
    bids: (limit) => spelledSide(market.bids, limit, spec, spell),
    asks: (limit) => spelledSide(market.asks, limit, spec, spell),
  }
}

function* spelledSide(
  ladder: Ladder,
  limit: number,
  spec: SymbolSpec,
  spell: Spell,
): Generator<readonly [price: string, quantity: string]> {
  for (const [price, quantity] of ladder.levels(limit)) {
    yield [spell(price, spec.priceDigits), spell(quantity, spec.quantityDigits)] as const
  }
}

/** Each trade belongs to the change at its index, and stands before it. */
export function v1EventOf({ updateId, timeNs, changes, trades }: EngineEvent, spec: SymbolSpec): V1Event {
  const { priceDigits, quantityDigits } = spec
  const elements: (V1Change | V1Trade)[] = []
  for (const [index, { side, price, quantity, before, reason }] of changes.entries()) {
    const trade = trades[index]
    if (trade !== undefined) {
      elements.push({
        kind: 'trade',
        tradeId: trade.tradeId,
        price: canonicalText(trade.price, priceDigits),
        amount: canonicalText(trade.quantity, quantityDigits),
        makerSide: trade.makerSide,
      })
    }
    elements.push({
      kind: 'change',
      side,
      price: canonicalText(price, priceDigits),
      remaining: canonicalText(quantity, quantityDigits),
      delta: signedText(quantity - before, quantityDigits),
      reason,
    })
  }
  return { eventId: updateId, timeNs, elements }
}

export function detailsOf(spec: SymbolSpec): SymbolDetails {
  const { symbol, baseCurrency, quoteCurrency, priceIncrement, minOrderSize, status, productType } = spec
  return {
    symbol,
    baseCurrency,
    quoteCurrency,
    priceIncrement,
    quantityIncrement: spec.quantityIncrementText ?? spec.quantityIncrement,
    minOrderSize,
    status,
    productType,
    contractType: productType === 'swap' ? 'linear' : 'vanilla',
  }
}
