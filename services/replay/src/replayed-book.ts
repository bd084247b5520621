import { applyChange, bookFromLevels, depth, levelCount, type OrderBook, quantityAt } from '@booktape/book'
import type { TapeBook, TapeMessage } from '@booktape/client'
import { type DecimalText, Exact, type LevelChange, type Side, ZERO } from '@booktape/market'
import type { BookLevels, Levels } from '@booktape/venue'

/** A change as the venue tells it: with the quantity before it. */
export type ToldChange = LevelChange & Readonly<{ before: DecimalText }>

/** What is to be published: changes that hold together, after which the book stands at `lastUpdateId`. */
export type ToldUpdate = Readonly<{
  firstUpdateId: bigint
  lastUpdateId: bigint
  eventTimeNs: bigint | null
  changes: readonly ToldChange[]
}>

/** One symbol's book on one feed, as the recording has it at the instant replayed. */
export class ReplayedBook implements BookLevels {
  #book: OrderBook
  #lastUpdateId: bigint
  #lastTimeNs: bigint
  #heldUntilId: bigint | null = null // another line's messages up to here are in the book already

  constructor(opening: TapeBook) {
    this.#book = bookOf(opening)
    this.#lastUpdateId = opening.updateId
    this.#lastTimeNs = opening.eventTimeNs ?? opening.receivedTimeNs
  }

  get lastUpdateId(): bigint {
    return this.#lastUpdateId
  }

  get lastTimeNs(): bigint {
    return this.#lastTimeNs
  }

  /** Null for a message that tells nothing that the book does not hold. */
  take(message: TapeMessage): ToldUpdate | null {
    if (this.#heldUntilId !== null) {
      if (message.lastUpdateId <= this.#heldUntilId) return null
      this.#heldUntilId = null
    }
    return this.#apply(message)
  }

  /**
   * The recording goes on with another epoch or line, and nothing lies between. Where that book is ahead, what brings ours to it is
   * told as one update; where it is behind, its messages are left out until it is not.
   */
  goOn(opening: TapeBook): ToldUpdate | null {
    if (opening.updateId < this.#lastUpdateId) this.#heldUntilId = this.#lastUpdateId
    if (opening.updateId <= this.#lastUpdateId) return null
    return this.#apply({
      firstUpdateId: this.#lastUpdateId,
      lastUpdateId: opening.updateId,
      eventTimeNs: opening.eventTimeNs,
      changes: changesBetween(this.#book, bookOf(opening)),
    })
  }

  bids(limit: number): Levels {
    return levelsOf(this.#book, 'bid', limit)
  }

  asks(limit: number): Levels {
    return levelsOf(this.#book, 'ask', limit)
  }

  #apply({ changes, firstUpdateId, lastUpdateId, eventTimeNs }: Omit<ToldUpdate, 'changes'> & Changes): ToldUpdate {
    const told = changes.map((change) => {
      const { side, price, quantity } = change
      const before = quantityAt(this.#book, side, price) ?? ZERO
      applyChange(this.#book, side, price, quantity)
      return { ...change, before }
    })
    this.#lastUpdateId = lastUpdateId
    this.#lastTimeNs = eventTimeNs ?? this.#lastTimeNs
    return { firstUpdateId, lastUpdateId, eventTimeNs, changes: told }
  }
}

type Changes = Readonly<{ changes: readonly LevelChange[] }>

/** How much a change added, negative for what it took; canonical text. */
export function deltaOf({ before, quantity }: ToldChange): string {
  if (before === ZERO) return quantity
  if (quantity === ZERO) return `-${before}`
  return new Exact(quantity).minus(before).toFixed()
}

function bookOf({ bids, asks }: Pick<TapeBook, 'bids' | 'asks'>): OrderBook {
  const changes = (side: Side, levels: TapeBook['bids']): LevelChange[] =>
    levels.map(({ price, quantity }) => ({ side, price, quantity, reason: null }))
  return bookFromLevels([...changes('bid', bids), ...changes('ask', asks)])
}

/** What makes one book of another: levels that go first, so that it is never crossed on the way. */
function changesBetween(from: OrderBook, to: OrderBook): readonly LevelChange[] {
  const gone: LevelChange[] = []
  const set: LevelChange[] = []
  for (const side of ['bid', 'ask'] as const) {
    for (const [price] of levelsOf(from, side, levelCount(from, side))) {
      if (quantityAt(to, side, price) === undefined) gone.push({ side, price, quantity: ZERO, reason: null })
    }
    for (const [price, quantity] of levelsOf(to, side, levelCount(to, side))) {
      if (quantityAt(from, side, price) !== quantity) set.push({ side, price, quantity, reason: null })
    }
  }
  return [...gone, ...set]
}

function levelsOf(
  book: OrderBook,
  side: Side,
  limit: number,
): (readonly [price: DecimalText, quantity: DecimalText])[] {
  const { prices, quantities } = depth(book, side, limit)
  return prices.map((price, i) => [price, quantities[i] as DecimalText] as const)
}
