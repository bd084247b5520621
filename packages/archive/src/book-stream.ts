import { applyChange, levelCount, type OrderBook, priceOf, quantityOf, sideOf } from '@booktape/book'
import type { TapeBook, TapeEvent, TapeGap } from '@booktape/client'
import type { Feed, Side } from '@booktape/market'
import type { PriceLevels } from '@booktape/store'
import { type BookEvent, bookOfEvent } from './book-rows.ts'
import { toMicrosecond } from './instants.ts'

export type BooksQuestion = Readonly<{
  symbol: string
  feed: Feed | null // null: the one that is known first
  fromNs: bigint // whole microseconds
  toNs: bigint
  days: readonly string[]
}>

/** Turns the events of whole days into those of a span: it begins with the book as of its first instant, and says what is not known. */
export class BookStream {
  readonly #question: BooksQuestion
  readonly #feed: Feed | null
  #book: OrderBook | null = null // until the first event is given
  #last: BookEvent | null = null
  #gap: TapeGap | null = null // not given yet: another may follow at its end
  #isBegun = false
  isOver = false

  constructor(question: BooksQuestion, feed: Feed | null) {
    this.#question = question
    this.#feed = feed
  }

  takeAll(events: readonly (BookEvent | TapeGap)[]): TapeEvent[] {
    const given: TapeEvent[] = []
    for (const event of events) {
      if (this.isOver) break
      if (!this.#isBegun && this.#isBefore(event)) this.#skip(event)
      else this.#give(event, given)
    }
    return given
  }

  finish(): TapeEvent[] {
    const given: TapeEvent[] = []
    if (!this.#isBegun) this.#begin(given)
    this.#endGap(given)
    return given
  }

  #isBefore(event: BookEvent | TapeGap): boolean {
    const { fromNs } = this.#question
    return event.kind === 'gap' ? event.fromNs < fromNs : toMicrosecond(event.receivedTimeNs) <= fromNs
  }

  #skip(event: BookEvent | TapeGap): void {
    if (event.kind === 'gap') {
      this.#last = null
      this.#joinGap(event)
      return
    }
    if (event.kind === 'book') {
      this.#book = bookOfEvent(event)
      this.#gap = null
    } else if (this.#book !== null)
      for (const { side, price, quantity } of event.changes) applyChange(this.#book, side, price, quantity)
    this.#last = event
  }

  /** The book as of the first instant, where it is known. */
  #begin(given: TapeEvent[]): void {
    this.#isBegun = true
    const { fromNs } = this.#question
    const last = this.#last
    const book = this.#book
    if (last === null || book === null) return
    const isItself = last.kind === 'book' && toMicrosecond(last.receivedTimeNs) === fromNs
    given.push(isItself ? last : bookAfter(last, book, fromNs))
    this.#book = null
  }

  #give(event: BookEvent | TapeGap, given: TapeEvent[]): void {
    if (!this.#isBegun) this.#begin(given)
    if (event.kind === 'gap') {
      if (event.fromNs >= this.#question.toNs) this.isOver = true
      else this.#joinGap(event)
      this.#last = null
      return
    }
    if (toMicrosecond(event.receivedTimeNs) >= this.#question.toNs) {
      this.isOver = true
      return
    }
    this.#endGap(given)
    const last = this.#last
    this.#last = event
    // A day begins with a whole book; where the book simply goes on, it says nothing new.
    if (event.kind === 'book' && last?.epochId === event.epochId && last.messageSeq === event.messageSeq) return
    given.push(event)
  }

  /** Two days without the book are one gap. */
  #joinGap(gap: TapeGap): void {
    const before = this.#gap
    const isOne = before !== null && before.toNs >= gap.fromNs
    this.#gap = isOne ? { ...gap, fromNs: before.fromNs } : gap
  }

  #endGap(given: TapeEvent[]): void {
    const gap = this.#gap
    this.#gap = null
    if (gap === null) return
    const { fromNs, toNs } = this.#question
    const cut = { ...gap, fromNs: gap.fromNs < fromNs ? fromNs : gap.fromNs, toNs: gap.toNs > toNs ? toNs : gap.toNs, feed: this.#feed } // biome-ignore format: one value
    if (cut.fromNs < cut.toNs) given.push(cut)
  }
}

function bookAfter(last: BookEvent, book: OrderBook, atNs: bigint): TapeBook {
  const { symbol, feed, line, epochId, messageSeq, eventTimeNs } = last
  const updateId = last.kind === 'book' ? last.updateId : last.lastUpdateId
  const levels = (side: Side): PriceLevels => {
    const of = sideOf(book, side)
    const best = levelCount(book, side) - 1
    return Array.from({ length: best + 1 }, (_, i) => ({
      price: priceOf(of, best - i),
      quantity: quantityOf(of, best - i),
    }))
  }
  return {
    kind: 'book',
    symbol,
    feed,
    line,
    epochId,
    messageSeq,
    updateId,
    eventTimeNs,
    receivedTimeNs: atNs,
    bids: levels('bid'),
    asks: levels('ask'),
  }
}
