import type { DecimalText, Side } from '@booktape/market'
import { levelCount, type OrderBook, priceOf, quantityOf, sideOf } from './order-book.ts'

/** One side best level first, as storage and people want it; at most `limit` levels. */
export function depth(
  book: OrderBook,
  side: Side,
  limit: number = Number.POSITIVE_INFINITY,
): { prices: DecimalText[]; quantities: DecimalText[] } {
  const levels = sideOf(book, side)
  const count = levelCount(book, side)
  const prices: DecimalText[] = []
  const quantities: DecimalText[] = []
  for (let at = count - 1; at >= Math.max(0, count - limit); at--) {
    prices.push(priceOf(levels, at))
    quantities.push(quantityOf(levels, at))
  }
  return { prices, quantities }
}
