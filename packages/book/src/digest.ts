import { hash } from 'node:crypto'
import type { DecimalText } from '@booktape/market'
import { depth } from './depth.ts'
import type { OrderBook } from './order-book.ts'

/** One side, best level first, as `depth` gives it. */
type Levels = Readonly<{ prices: readonly DecimalText[]; quantities: readonly DecimalText[] }>

/**
 * A fingerprint of a book, the same live, in replay and from stored rows: SHA-256 over one line a level,
 * `bid <price> <quantity>` best first, then the asks best first, each line ended by a line feed. 64 hex digits.
 */
export function bookDigest(book: OrderBook): string {
  return levelsDigest(depth(book, 'bid'), depth(book, 'ask'))
}

/** The same of a book whose levels are at hand: to spell them costs more than to digest them. */
export function levelsDigest(bids: Levels, asks: Levels): string {
  return hash('sha256', lines('bid', bids) + lines('ask', asks))
}

function lines(side: 'bid' | 'ask', { prices, quantities }: Levels): string {
  let text = ''
  for (const [at, price] of prices.entries()) text += `${side} ${price} ${quantities[at]}\n`
  return text
}
