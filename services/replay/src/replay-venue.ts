import type { TapeEvent, TapeQuote, TapeTrade } from '@booktape/client'
import type { Feed, Instrument } from '@booktape/market'
import {
  type Connection,
  type Refusal,
  type RestAnswer,
  type RestMarket,
  type RestTrade,
  readSnapshotLevels,
  readV1Options,
  restAnswer,
  type Surroundings,
  unknownSymbol,
  V1Connection,
  WsConnection,
} from '@booktape/venue'
import { type ReplayChannel, ReplayWsChannel, V1Channel } from './replay-channel.ts'
import type { TradePool } from './trade-pool.ts'

export type ReplayEvent = TapeEvent | TapeQuote

/** What a book is called: `v1 btcusd`. */
export type BookName = Readonly<{ feed: Feed; symbol: string }>

/** How many trades of one symbol are remembered: what REST can page through. */
export const MAX_REMEMBERED_TRADES = 100_000

/** Frames pass as they are. */
const UNDISTURBED: Surroundings = {
  faults: { isArmed: false, pass: () => [] },
  isMuted: () => false,
  after: () => undefined,
}

/**
 * The venue as a recording has it: events in, frames to whoever listens. No sockets, and no clock but the events' own. What each
 * feed told is told again on that feed; a feed that was not recorded is refused.
 */
export class ReplayVenue {
  readonly #v1 = new Map<string, V1Channel>()
  readonly #ws = new Map<string, ReplayWsChannel>()
  readonly #trades = new Map<string, RestTrade[]>()
  readonly #told: ReadonlyMap<string, RestMarket>
  readonly #channels: readonly ReplayChannel[]
  readonly #connections = new Set<Connection>()
  #connectionAttempts = 0
  readonly #toNs: bigint
  #nowNs: bigint

  constructor(
    books: readonly BookName[],
    instruments: readonly Instrument[],
    { fromNs, toNs }: Readonly<{ fromNs: bigint; toNs: bigint }>,
  ) {
    this.#nowNs = fromNs
    this.#toNs = toNs
    for (const { feed, symbol } of books) {
      if (feed === 'v1') this.#v1.set(symbol, new V1Channel(symbol))
      else this.#ws.set(symbol, new ReplayWsChannel(symbol))
    }
    this.#channels = [...this.#v1.values(), ...this.#ws.values()]
    this.#told = new Map(
      [...new Set(books.map(({ symbol }) => symbol))].map((symbol) => {
        const trades: RestTrade[] = []
        this.#trades.set(symbol, trades)
        const [v1, ws] = [this.#v1.get(symbol), this.#ws.get(symbol)]
        const details = instruments.find((instrument) => instrument.symbol === symbol) ?? null
        return [
          symbol,
          {
            details,
            trades,
            get book() {
              return v1?.book ?? ws?.book ?? null
            },
          },
        ]
      }),
    )
  }

  get nowNs(): bigint {
    return this.#nowNs
  }

  get symbols(): readonly string[] {
    return [...this.#told.keys()]
  }

  /** Where the trades of a symbol wait for their messages of v1. */
  poolOf(symbol: string): TradePool | undefined {
    return this.#v1.get(symbol)?.pool
  }

  /** Known books that no client follows. */
  get unattended(): readonly BookName[] {
    return this.#channels.filter((channel) => !channel.isAttended)
  }

  get isUnattended(): boolean {
    return this.#channels.some((channel) => !channel.isAttended)
  }

  /** Whether anybody listens to anything. */
  get hasClient(): boolean {
    return [...this.#connections].some(
      (connection) =>
        connection.closed === null && (!(connection instanceof WsConnection) || connection.subscriptions.length > 0),
    )
  }

  /** Instants never go back: an event that does happens now. */
  passTo(instantNs: bigint): void {
    if (instantNs > this.#nowNs) this.#nowNs = instantNs
  }

  take(event: ReplayEvent): void {
    switch (event.kind) {
      case 'trade':
        this.#remember(event)
        this.#ws.get(event.symbol)?.takeTrade(event)
        return
      case 'quote':
        this.#ws.get(event.symbol)?.takeQuote(event)
        return
      case 'gap':
        // What ends with the recording is not lost: it stays as it is.
        if (event.feed !== null && event.toNs < this.#toNs) this.#channel(event.feed, event.symbol)?.takeGap(event)
        return
      case 'book':
        return this.#channel(event.feed, event.symbol)?.takeBook(event)
      case 'book_message':
        return this.#channel(event.feed, event.symbol)?.takeMessage(event)
    }
  }

  /** Every five seconds of the client's time. */
  beat(): void {
    for (const channel of this.#v1.values()) channel.onBeat()
  }

  /** Clients of ws that were told that ids are missing, and did not subscribe anew, are given what follows all the same. */
  followAll(): void {
    for (const channel of this.#ws.values()) channel.followAll()
  }

  closeAll(code: number, reason: string): void {
    for (const connection of this.#connections) connection.close(code, reason)
  }

  connectV1(symbol: string, query: URLSearchParams): V1Connection | Refusal {
    const channel = this.#v1.get(symbol.toLowerCase())
    if (channel === undefined) return unknownSymbol(symbol)
    const id = ++this.#connectionAttempts
    const connection = new V1Connection(id, channel.symbol, readV1Options(query), 0, UNDISTURBED)
    channel.connect(connection)
    this.#keep(connection)
    return connection
  }

  connectWs(query: URLSearchParams): WsConnection | Refusal {
    const levels = readSnapshotLevels(query)
    if (typeof levels !== 'number') return levels
    const venue = {
      channelOf: (symbol: string) => this.#ws.get(symbol) ?? null,
      nowNs: () => this.#nowNs,
      connectionAttempts: () => this.#connectionAttempts,
      refusesSubscribe: () => false,
    }
    const connection = new WsConnection(++this.#connectionAttempts, venue, levels, UNDISTURBED)
    this.#keep(connection)
    return connection
  }

  rest(method: string, path: string, query: URLSearchParams): RestAnswer {
    return restAnswer(this.#told, method, path, query)
  }

  #remember(trade: TapeTrade): void {
    const trades = this.#trades.get(trade.symbol)
    if (trades === undefined) return
    // Their ids grow; one that comes late goes where it belongs.
    const at = trades.findLastIndex(({ tradeId }) => tradeId < trade.tradeId) + 1
    trades.splice(at, 0, trade)
    if (trades.length > MAX_REMEMBERED_TRADES) trades.splice(0, trades.length - MAX_REMEMBERED_TRADES)
  }

  #channel(feed: Feed, symbol: string): ReplayChannel | undefined {
    return feed === 'v1' ? this.#v1.get(symbol) : this.#ws.get(symbol)
  }

  #keep(connection: Connection): void {
    for (const other of this.#connections) if (other.closed !== null) this.#connections.delete(other)
    this.#connections.add(connection)
  }
}
