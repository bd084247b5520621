import type { Feed } from '@booktape/market'
import { trackKey } from '@booktape/session'

/** What came of one symbol on one feed, not yet counted in the metrics but for `lastNs`. */
type SeenBook = { readonly messages: Map<string, number>; changes: number; lastNs: bigint | null }

type Counters = Readonly<{
  messages(labels: Readonly<{ feed: Feed; symbol: string; kind: string }>, by: number): void
  changes(labels: Readonly<{ feed: Feed; symbol: string }>, by: number): void
}>

/** A message that names no symbol is counted under this. */
const NO_SYMBOL = 'none'

/**
 * Counts that go into their metrics when somebody asks for them: a counter of prom-client finds its series by spelling out all labels,
 * which for every message costs more than the message's book.
 */
export class SeenBooks {
  readonly #books: Readonly<Record<Feed, Map<string, SeenBook>>> = { v1: new Map(), ws: new Map() }

  /** `atNs`: monotonic. */
  message(feed: Feed, symbol: string | null, kind: string, atNs: bigint): void {
    const book = this.#bookOf(feed, symbol ?? NO_SYMBOL)
    book.messages.set(kind, (book.messages.get(kind) ?? 0) + 1)
    if (symbol !== null) book.lastNs = atNs
  }

  changes(feed: Feed, symbol: string, count: number): void {
    this.#bookOf(feed, symbol).changes += count
  }

  /** Hands over what was counted since it was asked last. */
  count(counters: Counters): void {
    for (const feed of ['v1', 'ws'] as const) {
      for (const [symbol, book] of this.#books[feed]) {
        for (const [kind, by] of book.messages) {
          if (by > 0) counters.messages({ feed, symbol, kind }, by)
          book.messages.set(kind, 0)
        }
        if (book.changes > 0) counters.changes({ feed, symbol }, book.changes)
        book.changes = 0
      }
    }
  }

  /** When each book was last heard of, monotonic, by `trackKey`. */
  lastNs(): ReadonlyMap<string, bigint> {
    const last = new Map<string, bigint>()
    for (const feed of ['v1', 'ws'] as const)
      for (const [symbol, { lastNs }] of this.#books[feed])
        if (lastNs !== null) last.set(trackKey(feed, symbol), lastNs)
    return last
  }

  #bookOf(feed: Feed, symbol: string): SeenBook {
    const books = this.#books[feed]
    const known = books.get(symbol)
    if (known !== undefined) return known
    const book: SeenBook = { messages: new Map(), changes: 0, lastNs: null }
    books.set(symbol, book)
    return book
  }
}
