import type { DecimalText, Side } from '@booktape/market'
import { type OrderBook, sideOf } from './order-book.ts'

/** One side best level first, as storage and people want it; at most `limit` levels. */
export function depth(
  book: OrderBook,
  side: Side,
  limit: number = Number.POSITIVE_INFINITY,
): { prices: DecimalText[]; quantities: DecimalText[] } {
  const { prices, quantities } = sideOf(book, side)
  const from = Math.max(0, prices.length - limit)
  return { prices: prices.slice(from).reverse(), quantities: quantities.slice(from).reverse() }
}
