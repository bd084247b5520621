import type { BookLevels, Pace, Stream, V1Connection, V1Event, WsChannel, WsConnection } from '@booktape/venue'
import { streamName, wsDepth, wsPartialDepth, wsTicker, wsTrade } from '@booktape/venue'
import type { EngineEvent, EngineTrade, Market } from './market.ts'
import { paddedText } from './scaled.ts'
import { canonicalLevels, paddedLevels, v1EventOf } from './spelling.ts'

type OpenWindow = { firstUpdateId: bigint; bids: Map<bigint, bigint>; asks: Map<bigint, bigint> }
type ClosedWindow = Readonly<OpenWindow & { lastUpdateId: bigint; lastTimeNs: bigint }>

/** What one symbol publishes on both feeds: its market's events in, frames to whoever listens. */
export class Channel implements WsChannel {
  readonly market: Market
  readonly symbol: string
  readonly book: BookLevels
  readonly v1 = new Set<V1Connection>()
  readonly #v1Book: BookLevels
  readonly #listeners = new Map<string, Set<WsConnection>>()
  readonly #windows: Record<Pace, OpenWindow>
  readonly #lastWindow: Record<Pace, ClosedWindow | null> = { '100ms': null, '1s': null }
  #top: readonly [bigint | null, bigint, bigint | null, bigint]
  #ticker: string

  constructor(market: Market) {
    this.market = market
    this.symbol = market.spec.symbol
    this.book = paddedLevels(market)
    this.#v1Book = canonicalLevels(market)
    this.#windows = { '100ms': emptyWindow(market.lastUpdateId), '1s': emptyWindow(market.lastUpdateId) }
    this.#top = topOf(market)
    this.#ticker = this.#tickerText()
  }

  get ticker(): string {
    return this.#ticker
  }

  offers(): boolean {
    return true
  }

  beginV1(connection: V1Connection): void {
    this.v1.add(connection)
    connection.begin(this.#v1Book)
  }

  join(stream: Stream, connection: WsConnection): void {
    const name = streamName(stream)
    const listeners = this.#listeners.get(name) ?? new Set()
    this.#listeners.set(name, listeners.add(connection))
  }

  leave(stream: Stream, connection: WsConnection): void {
    this.#listeners.get(streamName(stream))?.delete(connection)
  }

  onEvent(event: EngineEvent): void {
    for (const window of Object.values(this.#windows)) {
      for (const change of event.changes) {
        const side = change.side === 'bid' ? window.bids : window.asks
        side.set(change.price, change.quantity)
      }
    }
    const top = topOf(this.market)
    const isNewTop = top.some((value, index) => value !== this.#top[index])
    if (isNewTop) {
      this.#top = top
      this.#ticker = this.#tickerText()
    }
    let v1Event: V1Event | null = null
    for (const connection of this.v1) {
      v1Event ??= v1EventOf(event, this.market.spec)
      connection.onEvent(v1Event, this.#v1Book)
    }
    for (const trade of event.trades) {
      this.#publish({ kind: 'trade' }, (listener) => listener.publish('trade', this.symbol, this.#tradeText(trade)))
    }
    if (isNewTop) {
      this.#publish({ kind: 'bookTicker' }, (listener) => listener.publish('ticker', this.symbol, this.#ticker))
    }
  }

  onBeat(): void {
    for (const connection of this.v1) connection.onBeat()
  }

  /** Ends a window: what changed in it goes out. A window without an event sends nothing. */
  closeWindow(pace: Pace): void {
    this.#closeDepthWindow(pace)
    for (const levels of [5, 10, 20] as const) {
      this.#publish({ kind: 'partial', levels, pace }, (listener) =>
        listener.publish('partial_depth', this.symbol, wsPartialDepth(this.symbol, this.book, levels)),
      )
    }
  }

  /**
   * The window that was open when a snapshot was taken ends with it and still goes out, so the snapshot is followed
   * by a stale update (docs/gemini.md, claim 7); when nothing had changed in it, by the one before it.
   */
  closeWindowAfterSnapshot(pace: Pace, connection: WsConnection): void {
    if (this.#closeDepthWindow(pace)) return
    const last = this.#lastWindow[pace]
    if (last !== null) connection.publish('depth', this.symbol, this.#depthText(last))
  }

  #closeDepthWindow(pace: Pace): boolean {
    const { firstUpdateId, bids, asks } = this.#windows[pace]
    const { lastUpdateId, lastTimeNs } = this.market
    if (lastUpdateId === firstUpdateId) return false
    const closed = { firstUpdateId, lastUpdateId, lastTimeNs, bids, asks }
    this.#lastWindow[pace] = closed
    this.#windows[pace] = emptyWindow(lastUpdateId)
    let text: string | null = null
    this.#publish({ kind: 'depth', pace }, (listener) => {
      text ??= this.#depthText(closed)
      listener.publish('depth', this.symbol, text)
    })
    return true
  }

  /** In the order of their first change. */
  #depthText({ bids, asks, ...range }: ClosedWindow): string {
    return wsDepth({ symbol: this.symbol, ...range, bids: this.#padded(bids), asks: this.#padded(asks) })
  }

  *#padded(levels: Iterable<readonly [bigint, bigint]>): Generator<readonly [string, string]> {
    for (const [price, quantity] of levels) yield this.#pair(price, quantity)
  }

  #pair(price: bigint, quantity: bigint): readonly [price: string, quantity: string] {
    const { priceDigits, quantityDigits } = this.market.spec
    return [paddedText(price, priceDigits), paddedText(quantity, quantityDigits)]
  }

  #tickerText(): string {
    const { symbol, market } = this
    const [bid, bidQuantity, ask, askQuantity] = this.#top
    const { lastTrade } = market
    return wsTicker({
      symbol,
      updateId: market.lastUpdateId,
      timeNs: market.lastTimeNs,
      bid: bid === null ? null : this.#pair(bid, bidQuantity),
      ask: ask === null ? null : this.#pair(ask, askQuantity),
      lastTrade: lastTrade === null ? null : this.#pair(lastTrade.price, lastTrade.quantity),
    })
  }

  #tradeText({ tradeId, eventTimeNs, price, quantity, makerSide }: EngineTrade): string {
    const [priceText, quantityText] = this.#pair(price, quantity)
    const isBuyerMaker = makerSide === 'bid'
    const { symbol } = this
    return wsTrade({ symbol, tradeId, timeNs: eventTimeNs, price: priceText, quantity: quantityText, isBuyerMaker })
  }

  #publish(stream: Stream, send: (listener: WsConnection) => void): void {
    for (const listener of this.#listeners.get(streamName(stream)) ?? []) send(listener)
  }
}

function emptyWindow(firstUpdateId: bigint): OpenWindow {
  return { firstUpdateId, bids: new Map(), asks: new Map() }
}

function topOf({ bids, asks }: Market): readonly [bigint | null, bigint, bigint | null, bigint] {
  return [bids.priceAt(0), bids.quantityAt(0), asks.priceAt(0), asks.quantityAt(0)]
}
