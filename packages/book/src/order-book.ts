import {
  compareDecimals,
  type DecimalText,
  isZero,
  type LevelChange,
  type Side,
  type TopOfBook,
} from '@booktape/market'

/**
 * The exact book of one symbol on one feed: plain data, so that it can be cloned and serialized as it stands.
 *
 * Each side is two parallel arrays with the **best level last**: changes cluster at the top (half of them within the
 * best five levels), so the search gallops from the end and an insert moves few elements.
 */
export type OrderBook = { readonly bids: BookSide; readonly asks: BookSide }

/** Bids ascend and asks descend, so that the last element is the best of its side. */
export type BookSide = { prices: DecimalText[]; quantities: DecimalText[] }

/** What a change met. `absent`: a removal of a level that is not there, normal on aggregated feeds. */
export type Applied = 'set' | 'removed' | 'absent' | 'unchanged'

export function emptyBook(): OrderBook {
  return { bids: { prices: [], quantities: [] }, asks: { prices: [], quantities: [] } }
}

/** A book from a snapshot's levels, in any order; a price that comes twice keeps its last quantity, zeros are left out. */
export function bookFromLevels(changes: readonly LevelChange[]): OrderBook {
  const book = emptyBook()
  for (const side of ['bid', 'ask'] as const) {
    const worstFirst = side === 'bid' ? 1 : -1
    const levels = new Map<DecimalText, DecimalText>()
    for (const change of changes) if (change.side === side) levels.set(change.price, change.quantity)
    const { prices, quantities } = sideOf(book, side)
    const sorted = [...levels].sort((a, b) => worstFirst * compareDecimals(a[0], b[0]))
    for (const [price, quantity] of sorted) {
      if (isZero(quantity)) continue
      prices.push(price)
      quantities.push(quantity)
    }
  }
  return book
}

/** Sets one level to its absolute quantity in place; zero removes it. */
export function applyChange(book: OrderBook, side: Side, price: DecimalText, quantity: DecimalText): Applied {
  const { prices, quantities } = sideOf(book, side)
  const at = search(prices, side, price)
  const present = prices[at] === price
  if (isZero(quantity)) {
    if (!present) return 'absent'
    prices.splice(at, 1)
    quantities.splice(at, 1)
    return 'removed'
  }
  if (present) {
    if (quantities[at] === quantity) return 'unchanged'
    quantities[at] = quantity
    return 'set'
  }
  prices.splice(at, 0, price)
  quantities.splice(at, 0, quantity)
  return 'set'
}

/** The quantity at a price; undefined where the book has no such level. */
export function quantityAt(book: OrderBook, side: Side, price: DecimalText): DecimalText | undefined {
  const { prices, quantities } = sideOf(book, side)
  const at = search(prices, side, price)
  return prices[at] === price ? quantities[at] : undefined
}

export function topOfBook(book: OrderBook): TopOfBook {
  return {
    bidPrice: book.bids.prices.at(-1) ?? null,
    bidQuantity: book.bids.quantities.at(-1) ?? null,
    askPrice: book.asks.prices.at(-1) ?? null,
    askQuantity: book.asks.quantities.at(-1) ?? null,
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
export function isCrossed(book: OrderBook): boolean {
  const bid = book.bids.prices.at(-1)
  const ask = book.asks.prices.at(-1)
  return bid !== undefined && ask !== undefined && compareDecimals(bid, ask) >= 0
}

export function levelCount(book: OrderBook, side: Side): number {
  return sideOf(book, side).prices.length
}

export function sideOf(book: OrderBook, side: Side): BookSide {
  switch (side) {
    case 'bid':
      return book.bids
    case 'ask':
      return book.asks
  }
}

/**
 * The index at which `price` stands, or at which it would be inserted. Gallops from the best level: doubles the
 * step until it has passed the price, then halves.
 */
function search(prices: readonly DecimalText[], side: Side, price: DecimalText): number {
  const direction = side === 'bid' ? 1 : -1
  let high = prices.length // everything at or after `high` is better than the price
  let step = 1
  let low = high - step
  while (low >= 0 && direction * compareDecimals(prices[low] as DecimalText, price) > 0) {
    high = low
    step *= 2
    low = high - step
  }
  low = Math.max(low, -1)
  // prices[low] is at or below the price (or low is -1); find the first index in (low, high] that is not below it
  if (low >= 0 && prices[low] === price) return low
  let first = low + 1
  while (first < high) {
    const middle = (first + high) >>> 1
    if (direction * compareDecimals(prices[middle] as DecimalText, price) < 0) first = middle + 1
    else high = middle
  }
  return first
}
