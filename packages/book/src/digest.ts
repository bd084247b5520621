import { createHash } from 'node:crypto'
import type { OrderBook } from './order-book.ts'

/**
 * A fingerprint of a book, the same live, in replay and from stored rows: SHA-256 over one line a level,
 * `bid <price> <quantity>` best first, then the asks best first, each line ended by a line feed. 64 hex digits.
 */
export function bookDigest(book: OrderBook): string {
  let text = ''
  for (const side of ['bid', 'ask'] as const) {
    const { prices, quantities } = side === 'bid' ? book.bids : book.asks
    for (let i = prices.length - 1; i >= 0; i--) text += `${side} ${prices[i]} ${quantities[i]}\n`
  }
  return createHash('sha256').update(text).digest('hex')
}
