import { applyChange, bookDigest, bookFromLevels, type OrderBook } from '@booktape/book'
import type { BookMessage, BookSnapshot, Feed, LevelChange } from '@booktape/market'

/** Messages that are known to be missing, by the number of the first and the last. */
export type Hole = Readonly<{ firstSeq: bigint; lastSeq: bigint }>

/**
 * Rebuilds the book of one epoch from what is stored of it, and holds it against every whole book that was stored. Given messages and books
 * in the order of their numbers, a book after the message after which it stood. Each gives what is wrong in words, or null.
 *
 *   messages 5, 6, 8   the chain of ids tells where one is missing (ws; v1's ids have holes of their own)
 *   book after 8       its digest is that of the rebuilt book, or something between two books is not what was recorded
 *
 * After anything wrong, and after a hole that is known, nothing is claimed until the next whole book.
 */
export class BookCheck {
  /** Whole books that the rebuilt one was compared with. */
  compared = 0
  /** Messages that no whole book stands before: they chain, and make no book. */
  unbuilt = 0
  readonly #feed: Feed
  readonly #holes: readonly Hole[]
  #nextHole = 0
  #book: OrderBook | null = null
  #lastUpdateId: bigint | null = null
  #lastSeq: number | null = null

  /** `holes` in their order. */
  constructor(feed: Feed, holes: readonly Hole[] = []) {
    this.#feed = feed
    this.#holes = holes
  }

  /** The id at which the epoch stands; null where that is not known. */
  get lastUpdateId(): bigint | null {
    return this.#lastUpdateId
  }

  message(message: BookMessage): string | null {
    const { messageSeq, firstUpdateId, lastUpdateId, changes } = message
    this.#passHoles(messageSeq)
    const problem = this.#chain(messageSeq, firstUpdateId, lastUpdateId)
    if (problem !== null) this.distrust()
    this.#lastSeq = messageSeq
    this.#lastUpdateId = lastUpdateId
    if (this.#book === null) this.unbuilt++
    else for (const { side, price, quantity } of changes) applyChange(this.#book, side, price, quantity)
    return problem
  }

  book(snapshot: BookSnapshot): string | null {
    this.#passHoles(snapshot.messageSeq)
    const problem = this.#compare(snapshot)
    if (this.#book === null || problem !== null) this.#book = bookFromLevels(levelsOf(snapshot))
    this.#lastSeq = snapshot.messageSeq
    this.#lastUpdateId = snapshot.updateId
    return problem
  }

  /** Something here is not what was recorded: nothing is built on it. */
  distrust(): void {
    this.#book = null
    this.#lastUpdateId = null
  }

  #passHoles(seq: number): void {
    for (;;) {
      const hole = this.#holes[this.#nextHole]
      if (hole === undefined || hole.firstSeq > BigInt(seq)) return
      this.#nextHole++
      if (this.#lastSeq === null || hole.lastSeq > BigInt(this.#lastSeq)) this.distrust()
    }
  }

  #chain(seq: number, first: bigint, last: bigint): string | null {
    if (this.#lastSeq !== null && seq <= this.#lastSeq)
      return `message ${seq} comes after message ${this.#lastSeq}: one of them is there twice, or is none of this epoch`
    const before = this.#lastUpdateId
    if (before === null || this.#feed !== 'ws') return null
    if (last <= before) return `message ${seq} ends at update id ${last}, where the one before it has reached ${before}`
    if (first > before)
      return `message ${seq} begins at update id ${first}, where the one before it ends at ${before}: what lay between is missing, and no gap says so`
    return null
  }

  #compare({ messageSeq, updateId, digest }: BookSnapshot): string | null {
    if (this.#book === null || this.#lastSeq === null) return null
    this.compared++
    if (messageSeq !== this.#lastSeq)
      return `it stood so after message ${messageSeq}, and the last message stored before it is ${this.#lastSeq}`
    if (this.#lastUpdateId !== null && updateId !== this.#lastUpdateId)
      return `it stands at update id ${updateId}, and the messages before it end at ${this.#lastUpdateId}`
    if (bookDigest(this.#book) !== digest)
      return 'the messages since the whole book before it make another one: of what changed it, something is missing or not what was recorded'
    return null
  }
}

function levelsOf(snapshot: BookSnapshot): LevelChange[] {
  const levels: LevelChange[] = []
  for (const [side, prices, quantities] of [
    ['bid', snapshot.bidPrices, snapshot.bidQuantities],
    ['ask', snapshot.askPrices, snapshot.askQuantities],
  ] as const) {
    for (const [i, price] of prices.entries()) {
      const quantity = quantities[i]
      if (quantity !== undefined) levels.push({ side, price, quantity, reason: null })
    }
  }
  return levels
}
