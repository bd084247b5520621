import {
  compareDecimals,
  type DecimalText,
  isZero,
  type LevelChange,
  type Side,
  type TopOfBook,
} from '@booktape/market'
import {
  bestOf,
  emptyNumbers,
  indexOfPrice,
  type NumberSide,
  priceAt,
  quantityTextAt,
  setNumber,
  toTexts,
} from './number-side.ts'
import { searchText, setText, type TextSide } from './text-side.ts'

/** The exact book of one symbol on one feed: plain data, so that it can be cloned and serialized as it stands. */
export type OrderBook = { bids: BookSide; asks: BookSide }

/** As numbers, until a value comes that is no safe integer in any unit; from then on as texts. */
export type BookSide = NumberSide | TextSide

/** What a change met. `absent`: a removal of a level that is not there, normal on aggregated feeds. */
export type Applied = 'set' | 'removed' | 'absent' | 'unchanged'

export function emptyBook(): OrderBook {
  return { bids: emptyNumbers(), asks: emptyNumbers() }
}

/** A book from a snapshot's levels, in any order; a price that comes twice keeps its last quantity, zeros are left out. */
export function bookFromLevels(changes: readonly LevelChange[]): OrderBook {
  const book = emptyBook()
  for (const side of ['bid', 'ask'] as const) {
    // Worst first, so that each level is put at the end; sorting is left out where the venue has sorted already.
    const ofSide = changes.filter((change) => change.side === side).reverse()
    const worstFirst = side === 'bid' ? 1 : -1
    const isSorted = ofSide.every(
      ({ price }, i) => i === 0 || worstFirst * compareDecimals(price, (ofSide[i - 1] as LevelChange).price) > 0,
    )
    // Equal prices keep the order of the message, in which the last one holds.
    if (!isSorted) ofSide.reverse().sort((a, b) => worstFirst * compareDecimals(a.price, b.price))
    if (side === 'bid') book.bids = emptyNumbers(ofSide.length)
    else book.asks = emptyNumbers(ofSide.length)
    for (const { price, quantity } of ofSide) applyChange(book, side, price, quantity)
  }
  return book
}

/** Sets one level to its absolute quantity in place; zero removes it. */
export function applyChange(book: OrderBook, side: Side, price: DecimalText, quantity: DecimalText): Applied {
  const levels = sideOf(book, side)
  const direction = side === 'bid' ? 1 : -1
  if (levels.kind === 'texts') return setText(levels, direction, price, quantity)
  const applied = setNumber(levels, direction, price, quantity)
  if (applied !== null) return applied
  if (isZero(quantity)) return 'absent' // a price that does not fit is none of these
  const texts = toTexts(levels)
  if (side === 'bid') book.bids = texts
  else book.asks = texts
  return setText(texts, direction, price, quantity)
}

/** The quantity at a price; undefined where the book has no such level. */
export function quantityAt(book: OrderBook, side: Side, price: DecimalText): DecimalText | undefined {
  const levels = sideOf(book, side)
  const direction = side === 'bid' ? 1 : -1
  if (levels.kind === 'texts') {
    const at = searchText(levels.prices, direction, price)
    return levels.prices[at] === price ? levels.quantities[at] : undefined
  }
  const at = indexOfPrice(levels, direction, price)
  return at === -1 ? undefined : quantityTextAt(levels, at)
}

export function topOfBook({ bids, asks }: OrderBook): TopOfBook {
  const bid = bestLevel(bids)
  const ask = bestLevel(asks)
  return {
    bidPrice: bid?.price ?? null,
    bidQuantity: bid?.quantity ?? null,
    askPrice: ask?.price ?? null,
    askQuantity: ask?.quantity ?? null,
  }
}

export function sameTop(a: TopOfBook, b: TopOfBook): boolean {
  return (
    a.bidPrice === b.bidPrice &&
    a.bidQuantity === b.bidQuantity &&
    a.askPrice === b.askPrice &&
    a.askQuantity === b.askQuantity
  )
}

/** Best bid at or above best ask: never repaired here, only told. */
export function isCrossed({ bids, asks }: OrderBook): boolean {
  const bid = lengthOf(bids) - 1
  const ask = lengthOf(asks) - 1
  if (bid === -1 || ask === -1) return false
  if (bids.kind === 'numbers' && asks.kind === 'numbers' && bids.priceScale === asks.priceScale)
    return (bids.keys[bid] as number) >= -(asks.keys[ask] as number)
  return compareDecimals(priceOf(bids, bid), priceOf(asks, ask)) >= 0
}

export function levelCount(book: OrderBook, side: Side): number {
  return lengthOf(sideOf(book, side))
}

export function sideOf(book: OrderBook, side: Side): BookSide {
  switch (side) {
    case 'bid':
      return book.bids
    case 'ask':
      return book.asks
  }
}

/** The price of a level by its index; the last one is the best. */
export function priceOf(side: BookSide, at: number): DecimalText {
  return side.kind === 'texts' ? (side.prices[at] as DecimalText) : priceAt(side, at)
}

export function quantityOf(side: BookSide, at: number): DecimalText {
  return side.kind === 'texts' ? (side.quantities[at] as DecimalText) : quantityTextAt(side, at)
}

function bestLevel(side: BookSide): Readonly<{ price: DecimalText; quantity: DecimalText }> | null {
  if (side.kind === 'numbers') return bestOf(side)
  const at = side.prices.length - 1
  return at === -1 ? null : { price: priceOf(side, at), quantity: quantityOf(side, at) }
}

function lengthOf(side: BookSide): number {
  return side.kind === 'texts' ? side.prices.length : side.length
}
