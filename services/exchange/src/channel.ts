import type { EngineEvent, Market } from './market.ts'
import type { V1Connection } from './v1-connection.ts'
import type { WsConnection } from './ws-connection.ts'
import { type DepthWindow, wsDepth, wsPartialDepth, wsTicker, wsTrade } from './ws-message.ts'

/** The paces at which the new WebSocket API gathers changes. */
export type Pace = '100ms' | '1s'
export type PartialDepth = 5 | 10 | 20

/** One stream of one symbol on the new WebSocket API. */
export type Stream =
  | Readonly<{ kind: 'bookTicker' }>
  | Readonly<{ kind: 'trade' }>
  | Readonly<{ kind: 'depth'; pace: Pace }>
  | Readonly<{ kind: 'partial'; levels: PartialDepth; pace: Pace }>

type OpenWindow = { firstUpdateId: bigint; bids: Map<bigint, bigint>; asks: Map<bigint, bigint> }

/** What one symbol publishes on both feeds: its market's events in, frames to whoever listens. */
export class Channel {
  readonly market: Market
  readonly v1 = new Set<V1Connection>()
  readonly #listeners = new Map<string, Set<WsConnection>>()
  readonly #windows: Record<Pace, OpenWindow>
  readonly #lastWindow: Record<Pace, DepthWindow | null> = { '100ms': null, '1s': null }
  #top: readonly [bigint | null, bigint, bigint | null, bigint]
  #ticker: string

  constructor(market: Market) {
    this.market = market
    this.#windows = { '100ms': emptyWindow(market.lastUpdateId), '1s': emptyWindow(market.lastUpdateId) }
    this.#top = topOf(market)
    this.#ticker = wsTicker(market)
  }

  /** The bookTicker as of the last change of the top: its id may be older than the book's. */
  get ticker(): string {
    return this.#ticker
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
      this.#ticker = wsTicker(this.market)
    }
    for (const connection of this.v1) connection.onEvent(event)
    const { symbol } = this.market.spec
    for (const trade of event.trades) {
      this.#publish({ kind: 'trade' }, (listener) =>
        listener.publish('trade', symbol, wsTrade(this.market.spec, trade)),
      )
    }
    if (isNewTop) this.#publish({ kind: 'bookTicker' }, (listener) => listener.publish('ticker', symbol, this.#ticker))
  }

  onBeat(): void {
    for (const connection of this.v1) connection.onBeat()
  }

  /** Ends a window: what changed in it goes out. A window without an event sends nothing. */
  closeWindow(pace: Pace): void {
    this.#closeDepthWindow(pace)
    for (const levels of [5, 10, 20] as const) {
      this.#publish({ kind: 'partial', levels, pace }, (listener) =>
        listener.publish('partial_depth', this.market.spec.symbol, wsPartialDepth(this.market, levels)),
      )
    }
  }

  /**
   * The window that was open when a snapshot was taken ends with it and still goes out, so the snapshot is followed
   * by a stale update (docs/gemini.md, section 2.5); when nothing had changed in it, by the one before it.
   */
  closeWindowAfterSnapshot(pace: Pace, connection: WsConnection): void {
    if (this.#closeDepthWindow(pace)) return
    const last = this.#lastWindow[pace]
    if (last !== null) connection.publish('depth', this.market.spec.symbol, wsDepth(this.market.spec, last))
  }

  #closeDepthWindow(pace: Pace): boolean {
    const { firstUpdateId, bids, asks } = this.#windows[pace]
    const { spec, lastUpdateId, lastTimeNs } = this.market
    if (lastUpdateId === firstUpdateId) return false
    const closed = { firstUpdateId, lastUpdateId, lastTimeNs, bids, asks }
    this.#lastWindow[pace] = closed
    this.#windows[pace] = emptyWindow(lastUpdateId)
    let text: string | null = null
    this.#publish({ kind: 'depth', pace }, (listener) => {
      text ??= wsDepth(spec, closed)
      listener.publish('depth', spec.symbol, text)
    })
    return true
  }

  #publish(stream: Stream, send: (listener: WsConnection) => void): void {
    for (const listener of this.#listeners.get(streamName(stream)) ?? []) send(listener)
  }
}

/** The part of a stream's name after the symbol. */
export function streamName(stream: Stream): string {
  switch (stream.kind) {
    case 'bookTicker':
      return 'bookTicker'
    case 'trade':
      return 'trade'
    case 'depth':
      return stream.pace === '100ms' ? 'depth@100ms' : 'depth'
    case 'partial':
      return stream.pace === '100ms' ? `depth${stream.levels}@100ms` : `depth${stream.levels}`
  }
}

/** Every stream a symbol has. */
export const STREAMS: readonly Stream[] = [
  { kind: 'bookTicker' },
  { kind: 'trade' },
  { kind: 'depth', pace: '100ms' },
  { kind: 'depth', pace: '1s' },
  ...([5, 10, 20] as const).flatMap((levels) => [
    { kind: 'partial', levels, pace: '100ms' } as const,
    { kind: 'partial', levels, pace: '1s' } as const,
  ]),
]

function emptyWindow(firstUpdateId: bigint): OpenWindow {
  return { firstUpdateId, bids: new Map(), asks: new Map() }
}

function topOf({ bids, asks }: Market): readonly [bigint | null, bigint, bigint | null, bigint] {
  return [bids.priceAt(0), bids.quantityAt(0), asks.priceAt(0), asks.quantityAt(0)]
}
