import type { TapeBook, TapeGap, TapeMessage, TapeQuote, TapeTrade } from '@booktape/client'
import type { DecimalText, Feed, GapCause } from '@booktape/market'
import type { BookLevels, Stream, V1Change, V1Connection, V1Trade, WsChannel, WsConnection } from '@booktape/venue'
import { streamName, wsDepth, wsTicker, wsTrade } from '@booktape/venue'
import { deltaOf, ReplayedBook, type ToldUpdate } from './replayed-book.ts'
import { TradePool } from './trade-pool.ts'

/** Causes of a gap that took one book and left its connection: a client finds it by the ids that are missing. */
const CAUSES_OF_ONE_BOOK: ReadonlySet<string> = new Set<GapCause>([
  'sequence',
  'malformed',
  'protocol',
  'snapshot_missing',
  'subscription_lost',
  'divergence',
  'refused',
  'unstorable',
])

const WENT_AWAY = 1001

/** One symbol on one feed, as it is published again. */
export abstract class ReplayChannel {
  readonly symbol: string
  readonly feed: Feed
  protected replayed: ReplayedBook | null = null

  constructor(symbol: string, feed: Feed) {
    this.symbol = symbol
    this.feed = feed
  }

  /** Null while it is not known. */
  get book(): BookLevels | null {
    return this.replayed
  }

  /** Whether a client follows the book, or there is none to follow. */
  get isAttended(): boolean {
    return this.replayed === null || this.hasFollower()
  }

  protected abstract hasFollower(): boolean
  /** A book begins that the clients do not have. */
  protected abstract begin(before: bigint | null): void
  protected abstract tell(update: ToldUpdate): void
  /** The book is lost. `isShared`: with the connection that it came on. */
  protected abstract lose(isShared: boolean): void

  #lostAt: bigint | null = null // the id up to which clients have the book that was lost

  takeBook(opening: TapeBook): void {
    if (this.replayed !== null) {
      const update = this.replayed.goOn(opening)
      if (update !== null) this.tell(update)
      return
    }
    this.replayed = new ReplayedBook(opening)
    this.begin(this.#lostAt)
    this.#lostAt = null
  }

  takeMessage(message: TapeMessage): void {
    const update = this.replayed?.take(message) ?? null
    if (update !== null) this.tell(update)
  }

  takeGap({ causes }: TapeGap): void {
    if (this.replayed === null) return
    this.#lostAt = this.replayed.lastUpdateId
    this.replayed = null
    this.lose(!(causes.length > 0 && causes.every((cause) => CAUSES_OF_ONE_BOOK.has(cause))))
  }
}

/** v1: each client has a connection of its own for the symbol, which begins with the whole book. */
export class V1Channel extends ReplayChannel {
  /** Of the symbol's trades, those that its messages have yet to tell. */
  readonly pool = new TradePool()
  readonly #waiting = new Set<V1Connection>()
  readonly #following = new Set<V1Connection>()
  readonly #lost = new Set<V1Connection>() // told that a message is missing; theirs to hang up

  constructor(symbol: string) {
    super(symbol, 'v1')
  }

  connect(connection: V1Connection): void {
    if (this.replayed === null) this.#waiting.add(connection)
    else this.#beginOn(connection, this.replayed)
  }

  onBeat(): void {
    for (const connection of this.#following) connection.onBeat()
  }

  protected hasFollower(): boolean {
    return someOpen(this.#following)
  }

  protected begin(): void {
    for (const connection of this.#lost) connection.close(WENT_AWAY, 'the book was lost')
    this.#lost.clear()
    for (const connection of this.#waiting) if (this.replayed !== null) this.#beginOn(connection, this.replayed)
    this.#waiting.clear()
  }

  protected tell(update: ToldUpdate): void {
    const { replayed } = this
    const { eventTimeNs, lastUpdateId, changes } = update
    if (eventTimeNs !== null) this.pool.forgetBefore(eventTimeNs)
    if (replayed === null || !someOpen(this.#following)) return
    const elements: (V1Change | V1Trade)[] = []
    for (const change of changes) {
      const { side, price, quantity, reason } = change
      const delta = deltaOf(change)
      if (reason === 'trade' && eventTimeNs !== null && delta.startsWith('-')) {
        const filled = delta.slice(1) as DecimalText
        const trades = this.pool.takeOf(eventTimeNs, { makerSide: side, price, filled })
        elements.push(...trades.map(v1TradeOf))
      }
      elements.push({ kind: 'change', side, price, remaining: quantity, delta, reason: reason ?? 'place' })
    }
    if (changes.length === 0 && eventTimeNs !== null) {
      elements.push(...this.pool.takeWithoutTaker(eventTimeNs).map(v1TradeOf))
    }
    const event = { eventId: lastUpdateId, timeNs: eventTimeNs, elements }
    for (const connection of this.#following) connection.onEvent(event, replayed)
  }

  protected lose(isShared: boolean): void {
    for (const connection of this.#following) {
      if (isShared) {
        connection.close(WENT_AWAY, 'the book was lost')
      } else {
        connection.skipOne()
        connection.onBeat()
        this.#lost.add(connection)
      }
    }
    this.#following.clear()
  }

  #beginOn(connection: V1Connection, book: BookLevels): void {
    this.#following.add(connection)
    connection.begin(book)
  }
}

/** The new API: a client subscribes the symbol's streams on a connection that it may use for others too. */
export class ReplayWsChannel extends ReplayChannel implements WsChannel {
  readonly #listeners = new Map<string, Set<WsConnection>>()
  // Of the listeners to the book, each is in one of these, or has a book of before that was lost with its connection.
  readonly #following = new Set<WsConnection>() // have the book of now
  readonly #waiting = new Set<WsConnection>() // came while it was not known
  readonly #lapsed = new Set<WsConnection>() // were told that ids are missing, and are to subscribe anew
  #ticker: string | null = null

  constructor(symbol: string) {
    super(symbol, 'ws')
  }

  get ticker(): string | null {
    return this.#ticker
  }

  offers(stream: Stream): boolean {
    return OFFERED.has(streamName(stream))
  }

  join(stream: Stream, connection: WsConnection): void {
    const listeners = this.#of(stream)
    this.#listeners.set(streamName(stream), listeners.add(connection))
    if (stream.kind !== 'depth') return
    this.#lapsed.delete(connection)
    if (this.replayed === null) this.#waiting.add(connection)
    else this.#following.add(connection)
  }

  leave(stream: Stream, connection: WsConnection): void {
    this.#of(stream).delete(connection)
    if (stream.kind !== 'depth') return
    this.#following.delete(connection)
    this.#waiting.delete(connection)
  }

  closeWindowAfterSnapshot(): void {
    // The next frame is the recording's: it follows the snapshot without a gap.
  }

  takeTrade({ symbol, source, tradeId, eventTimeNs: timeNs, price, quantity, takerSide }: TapeTrade): void {
    if (source === 'rest') return // nobody was told of it when it was made
    const text = wsTrade({ symbol, tradeId, timeNs, price, quantity, isBuyerMaker: takerSide === 'sell' })
    for (const listener of this.#of({ kind: 'trade' })) listener.publish('trade', symbol, text)
  }

  takeQuote({ symbol, updateId, eventTimeNs, receivedTimeNs, top }: TapeQuote): void {
    const pair = (price: DecimalText | null, quantity: DecimalText | null) =>
      price === null || quantity === null ? null : ([price, quantity] as const)
    this.#ticker = wsTicker({
      symbol,
      updateId,
      timeNs: eventTimeNs ?? receivedTimeNs,
      bid: pair(top.bidPrice, top.bidQuantity),
      ask: pair(top.askPrice, top.askQuantity),
      lastTrade: null,
    })
    for (const listener of this.#of({ kind: 'bookTicker' })) listener.publish('ticker', symbol, this.#ticker)
  }

  /** Clients that were told that ids are missing, and do not care: they are given what follows as it comes. */
  followAll(): void {
    for (const connection of this.#lapsed) if (this.#of(DEPTH).has(connection)) this.#following.add(connection)
    this.#lapsed.clear()
  }

  protected hasFollower(): boolean {
    if (someOpen(this.#following)) return true
    if (someOpen(this.#lapsed)) return false
    return someOpen(this.#of({ kind: 'trade' })) || someOpen(this.#of({ kind: 'bookTicker' }))
  }

  protected begin(before: bigint | null): void {
    const { symbol, replayed } = this
    if (replayed === null) return
    const { lastUpdateId, lastTimeNs } = replayed
    for (const listener of this.#of(DEPTH)) {
      if (this.#waiting.has(listener)) {
        this.#following.add(listener)
        listener.beginBook(this)
      } else if (before === lastUpdateId) {
        this.#following.add(listener) // nothing was missed
      } else if (before === null || before > lastUpdateId) {
        listener.close(WENT_AWAY, 'the book was lost') // its ids begin anew: no skipped id would be seen
      } else {
        this.#lapsed.add(listener)
        const range = { firstUpdateId: lastUpdateId, lastUpdateId, lastTimeNs }
        listener.publish('depth', symbol, wsDepth({ symbol, ...range, bids: [], asks: [] }))
      }
    }
    this.#waiting.clear()
  }

  protected tell({ firstUpdateId, lastUpdateId, eventTimeNs, changes }: ToldUpdate): void {
    const { symbol, replayed } = this
    if (replayed === null || !someOpen(this.#following)) return
    const ofSide = (wanted: string) =>
      changes.filter(({ side }) => side === wanted).map(({ price, quantity }) => [price, quantity] as const)
    const lastTimeNs = eventTimeNs ?? replayed.lastTimeNs
    const sides = { bids: ofSide('bid'), asks: ofSide('ask') }
    const text = wsDepth({ symbol, firstUpdateId, lastUpdateId, lastTimeNs, ...sides })
    for (const listener of this.#following) listener.publish('depth', symbol, text)
  }

  protected lose(isShared: boolean): void {
    this.#following.clear()
    if (!isShared) return
    this.#ticker = null
    for (const listener of this.#of(DEPTH)) listener.close(WENT_AWAY, 'the book was lost')
  }

  #of(stream: Stream): Set<WsConnection> {
    return this.#listeners.get(streamName(stream)) ?? new Set()
  }
}

const DEPTH: Stream = { kind: 'depth', pace: '100ms' }
/** The streams that a recording holds as they were. */
const OFFERED: ReadonlySet<string> = new Set(
  [DEPTH, { kind: 'trade' }, { kind: 'bookTicker' }].map((s) => streamName(s as Stream)),
)

function someOpen(connections: ReadonlySet<V1Connection | WsConnection>): boolean {
  for (const connection of connections) if (connection.closed === null) return true
  return false
}

function v1TradeOf({ tradeId, price, quantity, takerSide }: TapeTrade): V1Trade {
  const makerSide = takerSide === 'buy' ? 'ask' : takerSide === 'sell' ? 'bid' : takerSide
  return { kind: 'trade', tradeId, price, amount: quantity, makerSide }
}
