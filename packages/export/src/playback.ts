import { applyChange, bookDigest, bookFromLevels, depth, emptyBook, levelCount, type OrderBook } from '@booktape/book'
import { instantOf, type TapeBook, type TapeEvent } from '@booktape/client'
import type { DecimalText, LevelChange } from '@booktape/market'
import { fractionDigits } from './fixed-point.ts'
import type { Part } from './part.ts'

/** One event of a part, as encoders see it. */
export type Step = Readonly<{
  event: TapeEvent
  /** When it was received, raised to that of the event before where our clock was set back: files are ordered by it. */
  receivedNs: bigint
  /** The book after the event; where nothing is known, the last one that was. Not to be kept: it changes with the next event. */
  book: OrderBook
  isKnown: boolean
}>

/** The book as recorded at an instant: after all that was received before it. Null where it is not known. */
export type BookPrint = Readonly<{ atNs: bigint; updateId: bigint | null; digest: string | null; levels: number }>

export type EpochSeen = Readonly<{ epochId: string; line: string; fromNs: bigint; firstUpdateId: bigint }> & {
  lastUpdateId: bigint
}

export type GapSeen = Readonly<{ fromNs: bigint; toNs: bigint; causes: readonly string[] }>

/** What went by, for the manifest. */
export type Seen = {
  books: number
  messages: number
  changes: number
  trades: number
  tradesFromRest: number
  brokenTrades: number
  /** Events whose receive time was raised, and by how much at most: the clock was set back while recording. */
  timesRaised: number
  worstRaiseNs: bigint
  /** The most digits after the point of a price and of a quantity. */
  priceDigits: number
  quantityDigits: number
  readonly epochs: EpochSeen[]
  readonly gaps: GapSeen[]
  readonly prints: BookPrint[]
}

/**
 * Plays a part's events: keeps the book, and takes its digest at `instants` instants spread evenly over the part, whole microseconds, as
 * formats hold no finer ones. `levels`: how many of each side the format holds, all of them if null.
 */
export class Playback {
  readonly seen: Seen = {
    books: 0,
    messages: 0,
    changes: 0,
    trades: 0,
    tradesFromRest: 0,
    brokenTrades: 0,
    timesRaised: 0,
    worstRaiseNs: 0n,
    priceDigits: 0,
    quantityDigits: 0,
    epochs: [],
    gaps: [],
    prints: [],
  }
  readonly #instants: readonly bigint[]
  readonly #levels: number | null
  #book: OrderBook = emptyBook()
  #isKnown = false
  #updateId: bigint | null = null
  #receivedNs: bigint

  constructor(part: Part, instants: number, levels: number | null) {
    this.#instants = spread(part, instants)
    this.#levels = levels
    this.#receivedNs = part.fromNs
  }

  play(event: TapeEvent): Step {
    const receivedNs = this.#inOrder(instantOf(event, 'received'), event.kind !== 'gap')
    this.#printBefore(receivedNs + 1n)
    switch (event.kind) {
      case 'book':
        this.#book = bookOf(event)
        this.#isKnown = true
        this.#updateId = event.updateId
        this.seen.books++
        for (const level of event.bids) this.#sawValues(level)
        for (const level of event.asks) this.#sawValues(level)
        this.#sawBook(event)
        break
      case 'book_message':
        for (const change of event.changes) {
          applyChange(this.#book, change.side, change.price, change.quantity)
          this.#sawValues(change)
        }
        this.#updateId = event.lastUpdateId
        this.seen.messages++
        this.seen.changes += event.changes.length
        this.#epoch.lastUpdateId = event.lastUpdateId
        break
      case 'trade':
        this.seen.trades++
        this.#sawValues(event)
        if (event.source === 'rest') this.seen.tradesFromRest++
        if (event.broken) this.seen.brokenTrades++
        break
      case 'gap':
        this.#isKnown = false
        this.#updateId = null
        this.seen.gaps.push({ fromNs: event.fromNs, toNs: event.toNs, causes: event.causes })
    }
    return { event, receivedNs, book: this.#book, isKnown: this.#isKnown }
  }

  /** How far it came, by receive time. */
  get atNs(): bigint {
    return this.#receivedNs
  }

  /** After the last event. */
  end(toNs: bigint): void {
    this.#printBefore(toNs + 1n)
  }

  /** A gap begins at the last instant known, cut to the microsecond: that is no clock set back. */
  #inOrder(instantNs: bigint, isStamp: boolean): bigint {
    if (instantNs >= this.#receivedNs) this.#receivedNs = instantNs
    else if (isStamp) {
      const raisedNs = this.#receivedNs - instantNs
      this.seen.timesRaised++
      if (raisedNs > this.seen.worstRaiseNs) this.seen.worstRaiseNs = raisedNs
    }
    return this.#receivedNs
  }

  #printBefore(limitNs: bigint): void {
    for (;;) {
      const atNs = this.#instants[this.seen.prints.length]
      if (atNs === undefined || atNs >= limitNs) return
      const levels = this.#isKnown ? levelCount(this.#book, 'bid') + levelCount(this.#book, 'ask') : 0
      const digest = this.#isKnown ? bookDigest(topLevels(this.#book, this.#levels)) : null
      this.seen.prints.push({ atNs, updateId: this.#updateId, digest, levels })
    }
  }

  #sawValues({ price, quantity }: Readonly<{ price: DecimalText; quantity: DecimalText }>): void {
    this.seen.priceDigits = Math.max(this.seen.priceDigits, fractionDigits(price))
    this.seen.quantityDigits = Math.max(this.seen.quantityDigits, fractionDigits(quantity))
  }

  #sawBook({ epochId, line, receivedTimeNs, updateId }: TapeBook): void {
    this.seen.epochs.push({ epochId, line, fromNs: receivedTimeNs, firstUpdateId: updateId, lastUpdateId: updateId })
  }

  get #epoch(): EpochSeen {
    const last = this.seen.epochs.at(-1)
    if (last === undefined) throw new RangeError('a message came before any book')
    return last
  }
}

export function bookOf({ bids, asks }: Pick<TapeBook, 'bids' | 'asks'>): OrderBook {
  const levels: LevelChange[] = []
  for (const { price, quantity } of bids) levels.push({ side: 'bid', price, quantity, reason: null })
  for (const { price, quantity } of asks) levels.push({ side: 'ask', price, quantity, reason: null })
  return bookFromLevels(levels)
}

/** The best `limit` levels of each side as a book of their own. */
export function topLevels(book: OrderBook, limit: number | null): OrderBook {
  if (limit === null) return book
  const side = (name: 'bid' | 'ask') => {
    const { prices, quantities } = depth(book, name, limit)
    return prices.map((price, i) => ({ price, quantity: quantities[i] as DecimalText }))
  }
  return bookOf({ bids: side('bid'), asks: side('ask') })
}

const NS_PER_US = 1000n

function spread({ fromNs, toNs }: Part, count: number): readonly bigint[] {
  return Array.from({ length: count }, (_, i) => {
    const atNs = fromNs + ((toNs - fromNs) * BigInt(i + 1)) / BigInt(count)
    return atNs - (atNs % NS_PER_US)
  })
}
