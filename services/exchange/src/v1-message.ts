import type { EngineChange, EngineEvent, Market } from './market.ts'
import { canonicalText, signedText } from './scaled.ts'
import type { SymbolSpec } from './symbols.ts'

// v1's wire (docs/gemini.md, section 1): keys in the order of the alphabet, as since 2023; decimals without trailing zeros.

const NS_PER_MS = 1_000_000n

/** Which elements a v1 connection asked for. */
export type V1Filter = Readonly<{ bids: boolean; offers: boolean; trades: boolean; topOfBook: boolean }>

/** The whole book, bids from the lowest price up: the order of levels is not to be trusted. Without any time. */
export function v1Initial(market: Market, filter: V1Filter, sequence: number): string {
  const events: string[] = []
  const limit = filter.topOfBook ? 1 : Number.POSITIVE_INFINITY
  if (filter.bids) {
    for (const [price, quantity] of market.bids.levels(limit)) {
      events.push(initialElement(market.spec, 'bid', price, quantity))
    }
    events.reverse()
  }
  if (filter.offers) {
    for (const [price, quantity] of market.asks.levels(limit)) {
      events.push(initialElement(market.spec, 'ask', price, quantity))
    }
  }
  return `{"eventId":${market.lastUpdateId},"events":[${events.join(',')}],"socket_sequence":${sequence},"type":"update"}`
}

/** One message of the engine's event, its elements as `v1Elements` gives them. */
export function v1Update(event: EngineEvent, elements: readonly string[], sequence: number): string {
  const timestampMs = event.timeNs / NS_PER_MS
  return (
    `{"eventId":${event.updateId},"events":[${elements.join(',')}],"socket_sequence":${sequence},` +
    `"timestamp":${timestampMs / 1000n},"timestampms":${timestampMs},"type":"update"}`
  )
}

export function v1Heartbeat(sequence: number): string {
  return `{"socket_sequence":${sequence},"type":"heartbeat"}`
}

/** The elements of an event in full-depth mode: each trade stands before its change. */
export function v1Elements(event: EngineEvent, spec: SymbolSpec, filter: V1Filter): string[] {
  const elements: string[] = []
  for (const [index, change] of event.changes.entries()) {
    if (filter.trades) pushTrade(elements, event, index, spec)
    if (isWanted(change, filter)) elements.push(changeElement(change, spec))
  }
  return elements
}

/** The trades of an event alone, as in top-of-book mode. */
export function v1TradeElements(event: EngineEvent, spec: SymbolSpec): string[] {
  const elements: string[] = []
  for (const index of event.trades.keys()) pushTrade(elements, event, index, spec)
  return elements
}

/** The new best level of a side, in top-of-book mode: without `delta`, and the old best is not named. */
export function v1TopElement(spec: SymbolSpec, side: 'bid' | 'ask', price: bigint, quantity: bigint): string {
  const priceText = canonicalText(price, spec.priceDigits)
  const remaining = canonicalText(quantity, spec.quantityDigits)
  return `{"price":"${priceText}","reason":"top-of-book","remaining":"${remaining}","side":"${side}","type":"change"}`
}

function isWanted(change: EngineChange, filter: V1Filter): boolean {
  return change.side === 'bid' ? filter.bids : filter.offers
}

function pushTrade(elements: string[], event: EngineEvent, index: number, spec: SymbolSpec): void {
  const trade = event.trades[index]
  if (trade === undefined) return
  elements.push(
    `{"amount":"${canonicalText(trade.quantity, spec.quantityDigits)}","makerSide":"${trade.makerSide}",` +
      `"price":"${canonicalText(trade.price, spec.priceDigits)}","tid":${trade.tradeId},"type":"trade"}`,
  )
}

function changeElement(change: EngineChange, spec: SymbolSpec): string {
  return (
    `{"delta":"${signedText(change.quantity - change.before, spec.quantityDigits)}",` +
    `"price":"${canonicalText(change.price, spec.priceDigits)}","reason":"${change.reason}",` +
    `"remaining":"${canonicalText(change.quantity, spec.quantityDigits)}","side":"${change.side}","type":"change"}`
  )
}

function initialElement(spec: SymbolSpec, side: 'bid' | 'ask', price: bigint, quantity: bigint): string {
  const remaining = canonicalText(quantity, spec.quantityDigits)
  return (
    `{"delta":"${remaining}","price":"${canonicalText(price, spec.priceDigits)}","reason":"initial",` +
    `"remaining":"${remaining}","side":"${side}","type":"change"}`
  )
}
