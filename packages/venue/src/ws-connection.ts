import { Connection, type Surroundings } from './connection.ts'
import type { FrameKind, Refusal } from './frames.ts'
import type { BookLevels } from './levels.ts'
import { errorAnswer } from './refusals.ts'
import { type Pace, STREAMS, type Stream, streamName } from './streams.ts'
import { wsDepthResult, wsSnapshot } from './ws-message.ts'
import { readWsRequest, type WsErrorCode, type WsRequest, wsError, wsSuccess } from './ws-request.ts'

/** Ours: the venue publishes no limit. All its symbols fit with every stream a recorder uses. */
export const MAX_STREAMS_PER_CONNECTION = 4_096

const MAX_DEPTH_LIMIT = 5_000
const USUAL_DEPTH_LIMIT = 100
const NS_PER_MS = 1_000_000n

/** The limits `conninfo` tells (docs/gemini.md, claim 25). */
const WEIGHT_INTERVAL_NS = 10_000_000_000n
const WEIGHT_LIMIT = 7_000

/** What one symbol publishes, as a ws connection meets it. */
export type WsChannel = Readonly<{
  symbol: string
  /** As of now; null while there is no book. */
  book: BookLevels | null
  /** The bookTicker as of the last change of the top: its id may be older than the book's. Null where there is none yet. */
  ticker: string | null
  offers(stream: Stream): boolean
  join(stream: Stream, connection: WsConnection): void
  leave(stream: Stream, connection: WsConnection): void
  /** What is sent after the snapshot of a subscription: the window that was open (docs/gemini.md, claim 7). */
  closeWindowAfterSnapshot(pace: Pace, connection: WsConnection): void
}>

/** What a ws connection asks its venue for. */
export type WsVenue = Readonly<{
  channelOf(symbol: string): WsChannel | null
  nowNs(): bigint
  connectionAttempts(): number
  refusesSubscribe(symbol: string): boolean
  /** By name, on a connection that was signed; null on any other. */
  accountStreams?: ReadonlyMap<string, WsAccountStream> | null
}>

/** What an account publishes to whoever has signed with a key of it, as `orders@account`. */
export type WsAccountStream = Readonly<{
  join(connection: WsConnection): void // and sends what stands now
  leave(connection: WsConnection): void
}>

type Subscription = Readonly<{ name: string; stream: Stream; channel: WsChannel }>

const ACCOUNT_STREAM = /@account$/

/** `?snapshot=` of an address: levels a side, as the venue takes them. */
export function readSnapshotLevels(query: URLSearchParams): number | Refusal {
  const snapshot = query.get('snapshot') ?? '0'
  return /^-?\d{1,6}$/.test(snapshot) ? Number(snapshot) : errorAnswer(400, 'Bad Request', 'snapshot is a whole number')
}

/** Many streams over one socket, asked for by requests. */
export class WsConnection extends Connection {
  readonly #venue: WsVenue
  readonly #snapshotLimit: number // levels a side; zero: no snapshot
  readonly #subscriptions = new Map<string, Subscription>()
  readonly #joined = new Map<string, WsAccountStream>()
  readonly #onceSubscribed = new Set<string>() // a snapshot comes before the answer only the first time
  #requests = 0
  #weightInterval = 0n

  /** `snapshot` as in the URL: zero for none, negative for all levels, else as many of the best. */
  constructor(id: number, venue: WsVenue, snapshot: number, surroundings: Surroundings) {
    super(id, 'ws', surroundings)
    this.#venue = venue
    this.#snapshotLimit = snapshot < 0 ? Number.POSITIVE_INFINITY : snapshot
  }

  get subscriptions(): readonly string[] {
    return [...this.#subscriptions.keys(), ...this.#joined.keys()]
  }

  concerns(symbol: string): boolean {
    return [...this.#subscriptions.values()].some(({ channel }) => channel.symbol === symbol)
  }

  publish(kind: FrameKind, symbol: string | null, text: string): void {
    this.send(kind, symbol, text)
  }

  override close(code?: number, reason?: string): void {
    super.close(code, reason)
    for (const { stream, channel } of this.#subscriptions.values()) channel.leave(stream, this)
    this.#subscriptions.clear()
    for (const stream of this.#joined.values()) stream.leave(this)
    this.#joined.clear()
  }

  protected onText(text: string): void {
    const request = readWsRequest(text)
    if (typeof request === 'string') return this.#answer(wsError('null', -1013, request))
    this.#countRequest()
    switch (request.method) {
      case 'subscribe':
        return this.#subscribe(request)
      case 'unsubscribe':
        return this.#unsubscribe(request)
      case 'list_subscriptions':
        return this.#answer(wsSuccess(request.idText, `"result":${JSON.stringify(this.subscriptions)}`))
      case 'depth':
        return this.#depth(request)
      case 'ping':
        return this.#answer(wsSuccess(request.idText))
      case 'time':
        return this.#answer(wsSuccess(request.idText, `"result":{"serverTime":${this.#venue.nowNs() / NS_PER_MS}}`))
      case 'conninfo':
        return this.#answer(wsSuccess(request.idText, `"rateLimits":${this.#rateLimits()}`))
      default:
        return this.#refuse(request, -1020, 'Unsupported operation')
    }
  }

  /** Nothing starts when one name is bad. */
  #subscribe(request: WsRequest): void {
    if (isAboutAccount(request.params)) return this.#subscribeToAccount(request, request.params)
    const wanted = this.#readStreams(request)
    if (wanted === null) return
    const refused = wanted.find(({ channel }) => this.#venue.refusesSubscribe(channel.symbol))
    if (refused !== undefined) return this.#refuse(request, -1013, `Invalid stream name: ${refused.name}`)
    const news = wanted.filter(({ name }) => !this.#subscriptions.has(name))
    if (this.#subscriptions.size + news.length > MAX_STREAMS_PER_CONNECTION) {
      return this.#refuse(request, -1013, `More than ${MAX_STREAMS_PER_CONNECTION} streams`)
    }
    this.#start(news, wsSuccess(request.idText))
  }

  /**
   * The order on the wire (docs/gemini.md, claim 4): on a fresh subscription the first snapshot comes before the
   * answer, on a later one after it; then the other first frames; then the window that was open.
   */
  #start(news: readonly Subscription[], answer: string): void {
    const depths = this.#snapshotLimit === 0 ? [] : news.filter(({ stream }) => stream.kind === 'depth')
    const snapshots = depths.filter(({ channel }) => channel.book !== null) // the others wait for `beginBook`
    const early = snapshots[0]
    const isEarly = early !== undefined && !this.#onceSubscribed.has(early.name)
    if (isEarly) this.#sendSnapshot(early)
    this.#answer(answer)
    for (const subscription of news) {
      const { name, stream, channel } = subscription
      this.#subscriptions.set(name, subscription)
      this.#onceSubscribed.add(name)
      channel.join(stream, this)
      if (snapshots.includes(subscription) && !(isEarly && subscription === early)) this.#sendSnapshot(subscription)
      if (stream.kind === 'bookTicker' && channel.ticker !== null) this.send('ticker', channel.symbol, channel.ticker)
    }
    for (const { stream, channel } of snapshots) {
      if (stream.kind === 'depth') channel.closeWindowAfterSnapshot(stream.pace, this)
    }
  }

  /** Streams of the account and of the market are asked for apart. */
  #subscribeToAccount(request: WsRequest, names: readonly string[]): void {
    const { accountStreams } = this.#venue
    if (accountStreams === undefined || accountStreams === null)
      return this.#refuse(request, -1002, 'Authentication required')
    const stranger = names.find((name) => !accountStreams.has(name))
    if (stranger !== undefined) return this.#refuse(request, -1013, `Invalid stream name: ${stranger}`)
    this.#answer(wsSuccess(request.idText))
    for (const name of names) {
      const stream = accountStreams.get(name)
      if (stream === undefined || this.#joined.has(name)) continue
      this.#joined.set(name, stream)
      stream.join(this)
    }
  }

  #unsubscribe(request: WsRequest): void {
    const named = this.#readStreams(request)
    if (named === null) return
    for (const { name, stream, channel } of named) {
      this.#subscriptions.delete(name)
      channel.leave(stream, this)
    }
    this.#answer(wsSuccess(request.idText))
  }

  #depth(request: WsRequest): void {
    const { symbol, limit } = readDepthParams(request.params)
    const channel = symbol === null ? null : this.#venue.channelOf(symbol)
    if (channel === null) return this.#refuse(request, -1013, `Invalid symbol: ${symbol ?? ''}`)
    if (limit === null) return this.#refuse(request, -1013, `Invalid limit: 1 to ${MAX_DEPTH_LIMIT}`)
    if (channel.book === null) return this.#refuse(request, -1000, 'The book is not known')
    this.#answer(wsSuccess(request.idText, `"result":${wsDepthResult(channel.book, limit)}`))
  }

  /** The streams a request names, in its order and each once; null when it was refused. */
  #readStreams(request: WsRequest): readonly Subscription[] | null {
    const { params } = request
    if (!Array.isArray(params) || params.length === 0) {
      this.#refuse(request, -1013, 'Invalid params: an array of stream names')
      return null
    }
    const streams = new Map<string, Subscription>()
    for (const param of params as readonly unknown[]) {
      const subscription = typeof param === 'string' ? this.#readStream(param) : null
      if (subscription === null) {
        this.#refuse(request, -1013, `Invalid stream name: ${String(param)}`)
        return null
      }
      streams.set(subscription.name, subscription)
    }
    return [...streams.values()]
  }

  #readStream(text: string): Subscription | null {
    const at = text.indexOf('@')
    const channel = at === -1 ? null : this.#venue.channelOf(text.slice(0, at).toLowerCase())
    const stream = STREAMS.find((candidate) => streamName(candidate) === text.slice(at + 1))
    if (channel === null || stream === undefined || !channel.offers(stream)) return null
    return { name: `${channel.symbol}@${streamName(stream)}`, stream, channel }
  }

  /** A book becomes known that a subscription was waiting for. */
  beginBook(channel: WsChannel): void {
    if (this.#snapshotLimit !== 0) this.#sendSnapshot({ channel })
  }

  #sendSnapshot({ channel }: Pick<Subscription, 'channel'>): void {
    const { symbol, book } = channel
    if (book !== null) this.send('snapshot', symbol, wsSnapshot(symbol, book, this.#snapshotLimit))
  }

  #answer(text: string): void {
    this.send('response', null, text)
  }

  #refuse(request: WsRequest, code: WsErrorCode, message: string): void {
    this.#answer(wsError(request.idText, code, message))
  }

  #countRequest(): void {
    const interval = this.#venue.nowNs() / WEIGHT_INTERVAL_NS
    if (interval !== this.#weightInterval) this.#requests = 0
    this.#weightInterval = interval
    this.#requests++
  }

  #rateLimits(): string {
    return JSON.stringify([
      {
        rateLimitType: 'REQUEST_WEIGHT',
        interval: 'SECOND',
        intervalNum: 10,
        limit: WEIGHT_LIMIT,
        count: this.#requests,
      },
      {
        rateLimitType: 'CONNECTION_ATTEMPTS',
        interval: 'MINUTE',
        intervalNum: 5,
        limit: 300,
        count: this.#venue.connectionAttempts(),
      },
    ])
  }
}

function readDepthParams(params: unknown): { symbol: string | null; limit: number | null } {
  if (typeof params !== 'object' || params === null) return { symbol: null, limit: null }
  const { symbol, limit = USUAL_DEPTH_LIMIT } = params as { symbol?: unknown; limit?: unknown }
  const isLimit = typeof limit === 'number' && Number.isInteger(limit) && limit >= 1 && limit <= MAX_DEPTH_LIMIT
  return { symbol: typeof symbol === 'string' ? symbol.toLowerCase() : null, limit: isLimit ? limit : null }
}

function isAboutAccount(params: unknown): params is readonly string[] {
  return (
    Array.isArray(params) &&
    params.every((name) => typeof name === 'string') &&
    params.some((name) => ACCOUNT_STREAM.test(name))
  )
}
