import { Connection, type Surroundings } from './connection.ts'
import type { EngineEvent, Market } from './market.ts'
import {
  type V1Filter,
  v1Elements,
  v1Heartbeat,
  v1Initial,
  v1TopElement,
  v1TradeElements,
  v1Update,
} from './v1-message.ts'

/** What the URL of a v1 connection asks for. */
export type V1Options = Readonly<{ filter: V1Filter; heartbeat: boolean }>

type Top = Readonly<{ price: bigint; quantity: bigint }> | null

/**
 * The filter rule the wire follows, the older of the two documented ones (docs/gemini.md, section 1.1):
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

/** One symbol, every engine event, in one sequence. The client says nothing. */
export class V1Connection extends Connection {
  readonly symbol: string
  readonly #market: Market
  readonly #options: V1Options
  #nextSequence: number
  #bestBid: Top = null
  #bestAsk: Top = null

  constructor(id: number, market: Market, options: V1Options, firstSequence: number, surroundings: Surroundings) {
    super(id, 'v1', surroundings)
    this.symbol = market.spec.symbol
    this.#market = market
    this.#options = options
    this.#nextSequence = firstSequence
    this.#bestBid = topOf(market.bids)
    this.#bestAsk = topOf(market.asks)
    this.send('snapshot', this.symbol, v1Initial(market, options.filter, this.#nextSequence++))
  }

  concerns(symbol: string): boolean {
    return symbol === this.symbol
  }

  onEvent(event: EngineEvent): void {
    const { filter } = this.#options
    if (!filter.topOfBook) return this.#publish(event, v1Elements(event, this.#market.spec, filter))
    // In this mode a bid, an ask and the trades of one event come in messages of their own.
    if (filter.trades) this.#publish(event, v1TradeElements(event, this.#market.spec))
    const bid = topOf(this.#market.bids)
    const ask = topOf(this.#market.asks)
    if (filter.bids && bid !== null && !isSame(bid, this.#bestBid)) {
      this.#publish(event, [v1TopElement(this.#market.spec, 'bid', bid.price, bid.quantity)])
    }
    if (filter.offers && ask !== null && !isSame(ask, this.#bestAsk)) {
      this.#publish(event, [v1TopElement(this.#market.spec, 'ask', ask.price, ask.quantity)])
    }
    this.#bestBid = bid
    this.#bestAsk = ask
  }

  /** The server's beat, one for all connections; it uses up a number of the sequence. */
  onBeat(): void {
    if (this.#options.heartbeat) this.send('heartbeat', this.symbol, v1Heartbeat(this.#nextSequence++))
  }

  protected onText(): void {
    // v1 listens to nobody.
  }

  #publish(event: EngineEvent, elements: readonly string[]): void {
    if (elements.length > 0) this.send('update', this.symbol, v1Update(event, elements, this.#nextSequence++))
  }
}

function topOf(ladder: Market['bids']): Top {
  const price = ladder.priceAt(0)
  return price === null ? null : { price, quantity: ladder.quantityAt(0) }
}

function isSame(a: Top, b: Top): boolean {
  return a?.price === b?.price && a?.quantity === b?.quantity
}
