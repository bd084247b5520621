import type { Ladder } from './ladder.ts'
import type { EngineTrade, Market } from './market.ts'
import { paddedText } from './scaled.ts'
import type { SymbolSpec } from './symbols.ts'

// The new WebSocket API's wire (docs/gemini.md, section 2.4): decimals padded to the symbol's digits, ns with every digit.

/** The levels that changed in (firstUpdateId, lastUpdateId], the last quantity of each, in the order of their first change. */
export type DepthWindow = Readonly<{
  firstUpdateId: bigint
  lastUpdateId: bigint
  lastTimeNs: bigint
  bids: ReadonlyMap<bigint, bigint>
  asks: ReadonlyMap<bigint, bigint>
}>

export function wsDepth(spec: SymbolSpec, window: DepthWindow): string {
  return depthUpdate(spec, window, levelsText(spec, window.bids), levelsText(spec, window.asks))
}

/** The first frame of a subscription: no mark but `U` equal to `u`, and sorted. */
export function wsSnapshot(market: Market, limit: number): string {
  const { spec, lastUpdateId, lastTimeNs } = market
  const window = { firstUpdateId: lastUpdateId, lastUpdateId, lastTimeNs }
  return depthUpdate(spec, window, sideText(market.bids, spec, limit), sideText(market.asks, spec, limit))
}

export function wsPartialDepth(market: Market, limit: number): string {
  const { spec } = market
  return `{"lastUpdateId":${market.lastUpdateId},"symbol":"${spec.symbol}",${sidesText(market, limit)}}`
}

/** The `result` of the `depth` method. */
export function wsDepthResult(market: Market, limit: number): string {
  return `{"lastUpdateId":${market.lastUpdateId},${sidesText(market, limit)}}`
}

/** A side without orders is left out; `c` and `C` are there once the book has traded. */
export function wsTicker(market: Market): string {
  const { spec } = market
  const lastTrade = market.trades.at(-1)
  return (
    `{"u":${market.lastUpdateId},"E":${market.lastTimeNs},"s":"${spec.symbol}"` +
    bestText(market.bids, spec, 'b', 'B') +
    bestText(market.asks, spec, 'a', 'A') +
    (lastTrade === undefined ? '' : pairText(spec, lastTrade.price, lastTrade.quantity, 'c', 'C')) +
    '}'
  )
}

/** Production sends no `e` here. `m`: the buyer was the maker. */
export function wsTrade(spec: SymbolSpec, trade: EngineTrade): string {
  return (
    `{"E":${trade.eventTimeNs},"s":"${spec.symbol}","t":${trade.tradeId},` +
    `"p":"${paddedText(trade.price, spec.priceDigits)}","q":"${paddedText(trade.quantity, spec.quantityDigits)}",` +
    `"m":${trade.makerSide === 'bid'}}`
  )
}

function depthUpdate(
  spec: SymbolSpec,
  range: Readonly<{ firstUpdateId: bigint; lastUpdateId: bigint; lastTimeNs: bigint }>,
  bids: string,
  asks: string,
): string {
  return (
    `{"e":"depthUpdate","E":${range.lastTimeNs},"s":"${spec.symbol}",` +
    `"U":${range.firstUpdateId},"u":${range.lastUpdateId},"b":[${bids}],"a":[${asks}]}`
  )
}

function sidesText(market: Market, limit: number): string {
  return `"bids":[${sideText(market.bids, market.spec, limit)}],"asks":[${sideText(market.asks, market.spec, limit)}]`
}

function sideText(ladder: Ladder, spec: SymbolSpec, limit: number): string {
  return levelsText(spec, ladder.levels(limit))
}

function levelsText(spec: SymbolSpec, levels: Iterable<readonly [bigint, bigint]>): string {
  let text = ''
  for (const [price, quantity] of levels) {
    if (text !== '') text += ','
    text += `["${paddedText(price, spec.priceDigits)}","${paddedText(quantity, spec.quantityDigits)}"]`
  }
  return text
}

function bestText(ladder: Ladder, spec: SymbolSpec, priceKey: string, quantityKey: string): string {
  const price = ladder.priceAt(0)
  return price === null ? '' : pairText(spec, price, ladder.quantityAt(0), priceKey, quantityKey)
}

function pairText(spec: SymbolSpec, price: bigint, quantity: bigint, priceKey: string, quantityKey: string): string {
  return (
    `,"${priceKey}":"${paddedText(price, spec.priceDigits)}",` +
    `"${quantityKey}":"${paddedText(quantity, spec.quantityDigits)}"`
  )
}
