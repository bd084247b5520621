import { compareDecimals, type DecimalText, isZero } from '@booktape/market'
import type { Applied } from './order-book.ts'

/**
 * One side of a book as texts, for values of any length: the plain way, and what `NumberSide` must equal. Bids ascend and asks
 * descend, so that the best level is last.
 */
export type TextSide = { readonly kind: 'texts'; prices: DecimalText[]; quantities: DecimalText[] }

/** `direction`: 1 for bids, -1 for asks. */
export function setText(side: TextSide, direction: 1 | -1, price: DecimalText, quantity: DecimalText): Applied {
  const { prices, quantities } = side
  const at = searchText(prices, direction, price)
  const present = prices[at] === price
  if (isZero(quantity)) {
    if (!present) return 'absent'
    prices.splice(at, 1)
    quantities.splice(at, 1)
    return 'removed'
  }
  if (present) {
    if (quantities[at] === quantity) return 'unchanged'
    quantities[at] = ownCopy(quantity)
    return 'set'
  }
  prices.splice(at, 0, ownCopy(price))
  quantities.splice(at, 0, ownCopy(quantity))
  return 'set'
}

/** The index at which `price` stands, or at which it would be inserted. */
export function searchText(prices: readonly DecimalText[], direction: 1 | -1, price: DecimalText): number {
  let low = 0
  let high = prices.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (direction * compareDecimals(prices[middle] as DecimalText, price) < 0) low = middle + 1
    else high = middle
  }
  return low
}

/**
 * The same text in memory of its own. V8 keeps a longer slice as a window into the text it was cut from, so one level that
 * rests in a book for days would keep its whole snapshot frame.
 */
function ownCopy(text: DecimalText): DecimalText {
  return ` ${text}`.slice(1) as DecimalText
}
