import { type DecimalText, invariant, type Side, type Trade } from '@booktape/market'
import {
  type Connection,
  type Refusal,
  type RestAnswer,
  type RestMarket,
  readSnapshotLevels,
  readV1Options,
  restAnswer,
  type Surroundings,
  unknownSymbol,
  V1Connection,
  WsConnection,
} from '@booktape/venue'
import { AccountFeeds, OrderEventsConnection } from './account-feeds.ts'
import type { TrueBalance } from './account-funds.ts'
import { Agenda } from './agenda.ts'
import { type ApiKey, type PrivateHeaders, SIMULATED_KEYS } from './api-keys.ts'
import { Channel } from './channel.ts'
import { FaultPlan } from './fault-plan.ts'
import type { FaultRequest } from './faults.ts'
import { type BookText, MAX_REMEMBERED_CHANGES } from './history.ts'
import type { TrueQuote } from './instant-quotes.ts'
import { type EngineEvent, Market } from './market.ts'
import { PrivateRest } from './private-rest.ts'
import { Random } from './random.ts'
import { canonicalText } from './scaled.ts'
import { ScriptedTrader, type TradingScript } from './scripted-trader.ts'
import { canonicalLevels, detailsOf } from './spelling.ts'
import type { SymbolSpec } from './symbols.ts'
import { TradingDesk, type TrueFill, type TrueOrder, type TrueOrderEvent } from './trading-desk.ts'
import { VenueIds } from './venue-ids.ts'

export type ExchangeOptions = Readonly<{
  seed: number
  symbols: readonly SymbolSpec[]
  startNs: bigint
  rate?: number // multiplies how often anything happens
  rememberedChanges?: number // of each symbol, for `truth`
  keys?: readonly ApiKey[] // SIMULATED_KEYS unless told
}>

/** A level change as it happened, in canonical text. */
export type TrueChange = Readonly<{
  updateId: bigint
  eventTimeNs: bigint
  side: Side
  price: DecimalText
  quantity: DecimalText
}>

/** What really happened, to be held against what a recorder stored. Unknown symbols and forgotten ids throw a RangeError. */
export type Truth = Readonly<{
  /** The book after the last update of the symbol at or before the id. */
  bookAfter(symbol: string, updateId: bigint): BookText
  /** The trades remembered, oldest first, those marked as broken included. */
  trades(symbol: string): readonly Trade[]
  brokenTradeIds(symbol: string): readonly bigint[]
  lastUpdateId(symbol: string): bigint
  /** The update ids remembered, growing; the first is that of the oldest book that can be built. */
  updateIds(symbol: string): readonly bigint[]
  /** The level changes of the updates in (afterId, upToId]. */
  changes(symbol: string, afterId: bigint, upToId: bigint): readonly TrueChange[]
  /** How much has happened since the start. */
  counts(symbol: string): Readonly<{ changes: number; trades: number }>
  /** The instant quotes that were offered and are remembered, oldest first. */
  quotes(): readonly TrueQuote[]
  /**
   * How often somebody asked to execute a quote or to place or cancel an order; how many signed requests came too fast, and how
   * many at most within a minute.
   */
  /** The orders of the account, what happened to them, their fills, and every balance that was told, oldest first. */
  orders(): readonly TrueOrder[]
  orderEvents(): readonly TrueOrderEvent[]
  fills(): readonly TrueFill[]
  balances(): readonly TrueBalance[]
  privateCounts(): Readonly<{ executions: number; rateLimited: number; mostInAMinute: number }>
}>

const WINDOW_NS = { '100ms': 100_000_000n, '1s': 1_000_000_000n } as const
const BEAT_NS = 5_000_000_000n

/** The beat is the server's, not a connection's: it does not start when we do. */
const FIRST_BEAT_NS = 1_700_000_000n

/** Windows of different symbols end at different times. */
const WINDOW_STAGGER_NS = 3_700_000n

/**
 * The simulated Gemini: one market a symbol, seen over v1, over the new WebSocket API and over REST. No clock, no sockets and
 * no dice but the seed's: the same seed and the same calls at the same times give the same frames, byte for byte.
 */
export class Exchange {
  readonly faults: FaultPlan
  readonly truth: Truth
  readonly #markets = new Map<string, Market>()
  readonly #channels = new Map<string, Channel>()
  readonly #told = new Map<string, RestMarket>()
  readonly #connections = new Set<Connection>()
  readonly #muted = new Set<string>()
  readonly #agenda = new Agenda()
  readonly #surroundings: Surroundings
  readonly #private: PrivateRest
  readonly #desk: TradingDesk
  readonly #feeds: AccountFeeds
  readonly #trader: ScriptedTrader
  #nowNs: bigint
  #connectionAttempts = 0

  /** Symbols are lowercase and each is there once. */
  constructor(options: ExchangeOptions) {
    const { seed, symbols, startNs, rate = 1, rememberedChanges = MAX_REMEMBERED_CHANGES } = options
    invariant(rate > 0 && Number.isFinite(rate), 'the rate is a positive number')
    this.#nowNs = startNs
    this.#agenda.add(startNs + FIRST_BEAT_NS, (atNs) => this.#beat(atNs))
    const ids = new VenueIds(new Random(seed, 'ids'), startNs)
    for (const [index, spec] of symbols.entries()) {
      invariant(!this.#markets.has(spec.symbol), `${spec.symbol} is listed once`)
      const market = new Market(spec, { seed, ids, startNs, rate, rememberedChanges })
      const channel = new Channel(market)
      this.#markets.set(spec.symbol, market)
      this.#channels.set(spec.symbol, channel)
      this.#told.set(spec.symbol, { details: detailsOf(spec), book: canonicalLevels(market), trades: market.trades })
      this.#schedule(channel, startNs, BigInt(index) * WINDOW_STAGGER_NS)
    }
    this.faults = new FaultPlan({
      hasSymbol: (symbol) => this.#markets.has(symbol),
      closeConnections: (request, code, reason) => this.#eachMatching(request, (match) => match.close(code, reason)),
      silenceConnections: (request) => this.#eachMatching(request, (match) => match.silence()),
      mute: (symbol, isMuted) => (isMuted ? this.#muted.add(symbol) : this.#muted.delete(symbol)),
      emptyBook: (symbol, side) => this.#emptyBook(symbol, side),
      reopenBook: (symbol) => this.#market(symbol).reopen(),
      breakTrade: (symbol) => this.#market(symbol).breakTrade() !== null,
    })
    this.#surroundings = {
      faults: this.faults,
      isMuted: (symbol) => this.#muted.has(symbol),
      after: (delayNs, run) =>
        this.#agenda.add(this.#nowNs + delayNs, () => {
          run()
          return null
        }),
    }
    this.#feeds = new AccountFeeds({
      activeOrders: () => this.#desk.activeOrders,
      balances: () => this.#desk.funds.balances,
      nowNs: () => this.#nowNs,
    })
    const markets = [...this.#markets.values()]
    this.#desk = new TradingDesk({
      startNs,
      random: new Random(seed, 'orders'),
      markets,
      publish: (symbol, event) => this.#onEvent(symbol, event),
      listener: this.#feeds,
    })
    const { keys = SIMULATED_KEYS } = options
    this.#private = new PrivateRest({ keys, markets: this.#markets, faults: this.faults, account: this.#desk, startNs })
    this.#trader = new ScriptedTrader({
      desk: this.#desk,
      markets,
      random: new Random(seed, 'trader'),
      counterparty: (market, makerSide, quantity, nowNs) => {
        const atNs = market.lastTimeNs >= nowNs ? market.lastTimeNs + 1n : nowNs
        const event = market.fill(atNs, { orderId: null, makerSide, quantity, limit: null })
        if (event !== null) this.#onEvent(market.spec.symbol, event)
        this.#desk.speak(nowNs)
      },
    })
    this.truth = this.#truth()
  }

  get nowNs(): bigint {
    return this.#nowNs
  }

  get symbols(): readonly string[] {
    return [...this.#markets.keys()]
  }

  /** The connections that are open, in the order in which they came. */
  get connections(): readonly Connection[] {
    this.#forgetClosed()
    return [...this.#connections]
  }

  /** Moves every market to that instant; connections gather the frames due. An instant that is past changes nothing. */
  advanceTo(nowNs: bigint): void {
    if (nowNs <= this.#nowNs) return
    this.#agenda.runUntil(nowNs, (atNs) => {
      this.#nowNs = atNs
    })
    this.#nowNs = nowNs
    this.#forgetClosed()
  }

  /** Moves the clock without the markets: nothing happens in between. */
  skipTo(nowNs: bigint): void {
    if (nowNs <= this.#nowNs) return
    this.#agenda.postpone(nowNs - this.#nowNs)
    this.#nowNs = nowNs
  }

  /** `wss://api.gemini.com/v1/marketdata/:symbol`, the symbol in either case. */
  connectV1(symbol: string, query: URLSearchParams): V1Connection | Refusal {
    const channel = this.#channels.get(symbol.toLowerCase())
    const refusal = this.faults.refusalOf('refuse_upgrade', 'v1', symbol.toLowerCase())
    if (refusal !== null) return refusal
    if (channel === undefined) return unknownSymbol(symbol)
    const firstSequence = this.faults.firstSequence(channel.symbol)
    const id = ++this.#connectionAttempts
    const connection = new V1Connection(id, channel.symbol, readV1Options(query), firstSequence, this.#surroundings)
    channel.beginV1(connection)
    this.#connections.add(connection)
    return connection
  }

  /** `wss://api.gemini.com/v1/order/events`, signed. */
  connectOrderEvents(query: URLSearchParams, headers: PrivateHeaders): OrderEventsConnection | Refusal {
    const refusal = this.faults.refusalOf('refuse_upgrade', 'v1', null) ?? this.faults.privateRefusal()
    if (refusal !== null) return refusal
    const signed = this.#private.keys.readRequest('/v1/order/events', headers, ['Trader', 'Auditor'], this.#nowNs)
    if ('status' in signed) return signed
    const hasHeartbeat = query.get('heartbeat') === 'true'
    const id = ++this.#connectionAttempts
    const connection = new OrderEventsConnection(id, signed.key.key, hasHeartbeat, this.#surroundings)
    connection.begin(this.#desk.activeOrders, this.#nowNs)
    this.#feeds.join(connection)
    this.#connections.add(connection)
    return connection
  }

  /** A trader begins to place orders, whose fills are trades of the market; what it does is told on both private feeds. */
  trade(script: TradingScript): void {
    const isIdle = !this.#trader.isBusy
    this.#trader.begin(script)
    if (!isIdle) return
    this.#agenda.add(this.#nowNs + this.#trader.nextGapNs(), (atNs) => {
      this.#trader.step(atNs)
      return this.#trader.isBusy ? atNs + this.#trader.nextGapNs() : null
    })
  }

  /** Whether a script goes on: orders to be placed, or not over. */
  get isTrading(): boolean {
    return this.#trader.isBusy
  }

  /** `wss://ws.gemini.com?snapshot=…`; the upgrade may be signed. */
  connectWs(query: URLSearchParams, headers: PrivateHeaders = {}): WsConnection | Refusal {
    const refusal = this.faults.refusalOf('refuse_upgrade', 'ws', null)
    if (refusal !== null) return refusal
    const signed = this.#private.keys.readStream(headers, this.#nowNs)
    if (signed !== null && 'status' in signed) return signed
    const levels = readSnapshotLevels(query)
    if (typeof levels !== 'number') return levels
    const venue = {
      channelOf: (symbol: string) => this.#channels.get(symbol) ?? null,
      nowNs: () => this.#nowNs,
      connectionAttempts: () => this.#connectionAttempts,
      refusesSubscribe: (symbol: string) => this.faults.refusesSubscribe(symbol),
      accountStreams: signed === null ? null : this.#feeds.streams,
    }
    const connection = new WsConnection(++this.#connectionAttempts, venue, levels, this.#surroundings)
    this.#connections.add(connection)
    return connection
  }

  /** `path` without the query, as `/v1/trades/btcusd`. */
  rest(method: string, path: string, query: URLSearchParams): RestAnswer {
    return this.faults.refusalOf('refuse_rest', null, null) ?? restAnswer(this.#told, method, path, query)
  }

  /** A signed POST: everything is in its headers. */
  privateRest(path: string, headers: PrivateHeaders): RestAnswer {
    return this.faults.refusalOf('refuse_rest', null, null) ?? this.#private.answer(path, headers, this.#nowNs)
  }

  #schedule(channel: Channel, startNs: bigint, staggerNs: bigint): void {
    const { market } = channel
    this.#agenda.add(startNs + market.nextGapNs(), (atNs) => {
      const event = market.step(atNs)
      if (event !== null) {
        this.#onEvent(market.spec.symbol, event)
        this.#desk.speak(atNs)
      }
      return atNs + market.nextGapNs()
    })
    for (const pace of ['100ms', '1s'] as const) {
      this.#agenda.add(startNs + WINDOW_NS[pace] + staggerNs, (atNs) => {
        channel.closeWindow(pace)
        return atNs + WINDOW_NS[pace]
      })
    }
  }

  #beat(atNs: bigint): bigint {
    for (const channel of this.#channels.values()) channel.onBeat()
    this.#feeds.onBeat(atNs)
    return atNs + BEAT_NS
  }

  /** The market's feeds first, then the account's. */
  #onEvent(symbol: string, event: EngineEvent): void {
    this.#channels.get(symbol)?.onEvent(event)
    this.#desk.onEvent(event)
  }

  #emptyBook(symbol: string, side: Side | null): boolean {
    const market = this.#market(symbol)
    const afterLastNs = market.lastTimeNs + 1n
    const event = market.empty(afterLastNs > this.#nowNs ? afterLastNs : this.#nowNs, side)
    if (event === null) return false
    this.#onEvent(symbol, event)
    this.#desk.speak(this.#nowNs)
    return true
  }

  #eachMatching({ connection, feed, symbol }: FaultRequest, act: (match: Connection) => void): number {
    const matches = this.connections.filter(
      (candidate) =>
        (connection === undefined || candidate.id === connection) &&
        (feed === undefined || candidate.feed === feed) &&
        (symbol === undefined || candidate.concerns(symbol)),
    )
    for (const match of matches) act(match)
    return matches.length
  }

  #forgetClosed(): void {
    for (const connection of this.#connections) {
      if (connection.closed === null) continue
      this.#connections.delete(connection)
      this.faults.forget(connection.id)
      if (connection instanceof OrderEventsConnection) this.#feeds.leave(connection)
      if (connection instanceof V1Connection) this.#channels.get(connection.symbol)?.v1.delete(connection)
    }
  }

  #market(symbol: string): Market {
    const market = this.#markets.get(symbol.toLowerCase())
    if (market === undefined)
      throw new RangeError(`this exchange has no symbol ${symbol}; it has ${this.symbols.join(', ')}`)
    return market
  }

  #truth(): Truth {
    return {
      bookAfter: (symbol, updateId) => this.#market(symbol).bookAfter(updateId),
      trades: (symbol) =>
        this.#market(symbol).trades.map(({ tradeId, eventTimeNs, price, quantity, takerSide }) => {
          return { tradeId, eventTimeNs, price, quantity, takerSide }
        }),
      brokenTradeIds: (symbol) =>
        this.#market(symbol)
          .trades.filter((trade) => trade.broken)
          .map((trade) => trade.tradeId),
      lastUpdateId: (symbol) => this.#market(symbol).lastUpdateId,
      updateIds: (symbol) => this.#market(symbol).history.updateIds(),
      changes: (symbol, afterId, upToId) => {
        const { history, spec } = this.#market(symbol)
        return Array.from(history.changes(afterId, upToId), ({ updateId, eventTimeNs, side, price, quantity }) => ({
          updateId,
          eventTimeNs,
          side,
          price: canonicalText(price, spec.priceDigits),
          quantity: canonicalText(quantity, spec.quantityDigits),
        }))
      },
      counts: (symbol) => this.#market(symbol).counts,
      quotes: () => this.#private.quotes,
      orders: () => this.#desk.orders,
      orderEvents: () => this.#desk.events,
      fills: () => this.#desk.fills,
      balances: () => this.#desk.funds.told,
      privateCounts: () => {
        const { executions, rateLimited, mostInAMinute } = this.#private
        return { executions, rateLimited, mostInAMinute }
      },
    }
  }
}
