import { createHash } from 'node:crypto'
import { levelCount, type OrderBook, priceOf, quantityOf, sideOf } from './order-book.ts'

/**
 * A fingerprint of a book, the same live, in replay and from stored rows: SHA-256 over one line a level,
 * `bid <price> <quantity>` best first, then the asks best first, each line ended by a line feed. 64 hex digits.
 */
export function bookDigest(book: OrderBook): string {
  let text = ''
  for (const side of ['bid', 'ask'] as const) {
    const levels = sideOf(book, side)
    for (let at = levelCount(book, side) - 1; at >= 0; at--) {
      text += `${side} ${priceOf(levels, at)} ${quantityOf(levels, at)}\n`
    }
  }
  return createHash('sha256').update(text).digest('hex')
}
