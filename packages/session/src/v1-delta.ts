import { type OrderBook, quantityAt } from '@booktape/book'
import { type DecimalText, Exact, type LevelChange, ZERO } from '@booktape/market'

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
    if (!agrees(quantityAt(book, side, price) ?? ZERO, delta, quantity)) mismatches++
  }
  return mismatches
}

/** Most levels are new or taken away whole, and canonical texts are equal where their values are: no arithmetic is needed there. */
function agrees(before: DecimalText, delta: string, after: DecimalText): boolean {
  if (before === ZERO) return delta === after
  if (after === ZERO) return delta === `-${before}`
  return new Exact(before).plus(delta).eq(after)
}
