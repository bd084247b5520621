import { Connection, type Surroundings } from './connection.ts'
import type { BookLevels, Levels } from './levels.ts'
import {
  type V1Event,
  type V1Filter,
  v1Elements,
  v1Heartbeat,
  v1Initial,
  v1TopElement,
  v1Update,
} from './v1-message.ts'

/** What the URL of a v1 connection asks for. */
export type V1Options = Readonly<{ filter: V1Filter; heartbeat: boolean }>

type Top = readonly [price: string, quantity: string] | null

/**
 * The filter rule the wire follows, the older of the two documented ones (docs/gemini.md, claim 14):
 * whoever names one type gets no other type that is not named `true` too.
 */
export function readV1Options(query: URLSearchParams): V1Options {
  const types = ['bids', 'offers', 'trades', 'auctions'] as const
  const namesOne = types.some((type) => query.has(type))
  const isOn = (type: (typeof types)[number]): boolean => !namesOne || query.get(type) === 'true'
  const topOfBook = query.get('top_of_book') === 'true'
  return {
    filter: { bids: isOn('bids'), offers: isOn('offers'), trades: isOn('trades'), topOfBook },
    heartbeat: query.get('heartbeat') === 'true',
  }
}

/** One symbol, every event of its market, in one sequence that begins with the whole book. The client says nothing. */
export class V1Connection extends Connection {
  readonly symbol: string
  readonly #options: V1Options
  #nextSequence: number
  #bestBid: Top = null
  #bestAsk: Top = null

  constructor(id: number, symbol: string, options: V1Options, firstSequence: number, surroundings: Surroundings) {
    super(id, 'v1', surroundings)
    this.symbol = symbol
    this.#options = options
    this.#nextSequence = firstSequence
  }

  /** The initial message: once, before any other. */
  begin(book: BookLevels): void {
    this.#bestBid = topOf(book.bids(1))
    this.#bestAsk = topOf(book.asks(1))
    this.send('snapshot', this.symbol, v1Initial(book, this.#options.filter, this.#nextSequence++))
  }

  concerns(symbol: string): boolean {
    return symbol === this.symbol
  }

  /** `book`: as it stands after the event. */
  onEvent(event: V1Event, book: BookLevels): void {
    const { filter } = this.#options
    this.#publish(event, v1Elements(event, filter), event.elements.length === 0)
    if (!filter.topOfBook) return
    // In this mode a bid, an ask and the trades of one event come in messages of their own.
    const bid = topOf(book.bids(1))
    const ask = topOf(book.asks(1))
    if (filter.bids && bid !== null && !isSame(bid, this.#bestBid)) this.#publish(event, [v1TopElement('bid', ...bid)])
    if (filter.offers && ask !== null && !isSame(ask, this.#bestAsk))
      this.#publish(event, [v1TopElement('ask', ...ask)])
    this.#bestBid = bid
    this.#bestAsk = ask
  }

  /** The server's beat, one for all connections; it uses up a number of the sequence. */
  onBeat(): void {
    if (this.#options.heartbeat) this.send('heartbeat', this.symbol, v1Heartbeat(this.#nextSequence++))
  }

  /** A message that never comes: the client sees that its number is missing. */
  skipOne(): void {
    this.#nextSequence++
  }

  protected onText(): void {
    // v1 listens to nobody.
  }

  /** `isBare`: the event tells nothing but its id. */
  #publish(event: V1Event, elements: readonly string[], isBare = false): void {
    if (elements.length > 0 || isBare) this.send('update', this.symbol, v1Update(event, elements, this.#nextSequence++))
  }
}

function topOf(levels: Levels): Top {
  for (const level of levels) return level
  return null
}

function isSame(a: Top, b: Top): boolean {
  return a?.[0] === b?.[0] && a?.[1] === b?.[1]
}
