import { type OrderBook, quantityAt } from '@booktape/book'
import { Exact, type LevelChange } from '@booktape/market'

/**
 * v1 tells the change of a quantity beside the new quantity; the two must agree with the book. Only counted: the new
 * quantity is the truth (docs/gemini.md, claim 15). Compares against the book before the message, so a price that the message
 * names twice is looked at once.
 */
export function countDeltaMismatches(
  book: OrderBook,
  changes: readonly (LevelChange & Readonly<{ delta: string | null }>)[],
): number {
  let mismatches = 0
  const seen = new Set<string>()
  for (const { side, price, quantity, delta } of changes) {
    if (delta === null || seen.has(price)) continue
    seen.add(price)
    const before = quantityAt(book, side, price) ?? '0'
    if (!new Exact(before).plus(delta).eq(quantity)) mismatches++
  }
  return mismatches
}
