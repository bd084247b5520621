import { applyChange, bookFromLevels, depth, type OrderBook, topOfBook } from '@booktape/book'
import { decodeWs } from '@booktape/gemini'
import { type BookUpdate, invariant, type LevelChange, readDecimal } from '@booktape/market'
import type { Contestant } from './contestant.ts'
import { OURS } from './measure.ts'
import type { Level, WorkFrame } from './workload.ts'

/** Ours, through the same doors as the session uses. Whoever changes those changes this file. */
export const booktape: Contestant = {
  name: OURS,
  open: (snapshot) => {
    const book = bookFromLevels(readUpdate(snapshot).changes)
    return {
      apply: (prepared) => applyAll(book, prepared as readonly LevelChange[]),
      take: (payload) => applyAll(book, readUpdate(payload).changes),
      levels: () => ({ bids: levelsOf(book, 'bid'), asks: levelsOf(book, 'ask') }),
    }
  },
  prepare: (frame: WorkFrame) =>
    frame.changes.map(({ side, price, quantity }): LevelChange => {
      const [exactPrice, exactQuantity] = [readDecimal(price), readDecimal(quantity)]
      invariant(exactPrice !== null && exactQuantity !== null, 'the workload is made of plain digits')
      return { side, price: exactPrice, quantity: exactQuantity, reason: null }
    }),
}

export function readUpdate(payload: Uint8Array): BookUpdate {
  const message = decodeWs(payload)
  invariant(message.kind === 'depth', 'the workload is made of depth frames')
  return message.update
}

function applyAll(book: OrderBook, changes: readonly LevelChange[]): unknown {
  for (const { side, price, quantity } of changes) applyChange(book, side, price, quantity)
  return topOfBook(book)
}

function levelsOf(book: OrderBook, side: 'bid' | 'ask'): Level[] {
  const { prices, quantities } = depth(book, side)
  return prices.map((price, i): Level => [price, quantities[i] ?? ''])
}
