import { bookDigest, bookFromLevels } from '@booktape/book'
import type { Connection, Exchange, Frame } from '@booktape/exchange'
import { type DecimalText, deriveId, invariant, type LevelChange, type MarketRecord } from '@booktape/market'
import { pathOf } from '@booktape/recorder'
import {
  advance,
  type CorridorEvent,
  type CorridorState,
  newCorridorState,
  type Observation,
  type Order,
  type RunSettings,
  TICK_MS,
  type Track,
  trackKey,
} from '@booktape/session'

/** What becomes of a frame on its way from the exchange to the recorder. */
export type Intercept = (connection: number, frame: Frame) => readonly Frame[]

/** Whatever the exchange says within a step is received at its end. */
export const STEP_NS = 20_000_000n
const TICK_NS = BigInt(TICK_MS) * 1_000_000n
const V1_BASE = 'ws://127.0.0.1:1'
const WS_BASE = 'ws://127.0.0.1:2'

/**
 * The recorder's pure part at the simulated exchange, in virtual time and without sockets, disk or database: what a
 * journal would give it in days passes in seconds. Everything it would store is in `records`.
 */
export class VirtualRecorder {
  readonly exchange: Exchange
  readonly state: CorridorState = newCorridorState()
  records: MarketRecord[] = []
  observations: Observation[] = []
  /** How long before the end of its step a frame is received, which a real clock has for each; falls within a step. */
  frameLeadNs: (stepEndNs: bigint) => bigint = () => 0n
  readonly #intercept: Intercept
  readonly #connections = new Map<number, { theirs: Connection; messageSeq: number }>()
  #lastConnection = 0
  #nowNs: bigint
  #tickNs: bigint

  constructor(exchange: Exchange, run: Partial<RunSettings>, intercept: Intercept = (_, frame) => [frame]) {
    this.exchange = exchange
    this.#intercept = intercept
    this.#nowNs = exchange.nowNs
    this.#tickNs = exchange.nowNs
    this.start(run)
  }

  start(run: Partial<RunSettings>): void {
    const settings: RunSettings = {
      runId: 'virtual run',
      line: 'a',
      symbols: [...this.exchange.symbols],
      feeds: ['v1', 'ws'],
      v1Url: V1_BASE,
      wsUrl: WS_BASE,
      snapshotIntervalMs: 60_000,
      ...run,
    }
    this.#take({ kind: 'started', at: this.#at(), run: settings })
  }

  /** Ends every connection as a killed process would: nobody is told. */
  kill(): void {
    for (const { theirs } of this.#connections.values()) theirs.close()
    this.#connections.clear()
  }

  /** The process is not there: the venue goes on without it. */
  beAway(forMs: number): void {
    this.#nowNs += BigInt(forMs) * 1_000_000n
    this.#tickNs = this.#nowNs
    this.exchange.advanceTo(this.#nowNs)
  }

  stop(): void {
    this.#take({ kind: 'stopped', at: this.#at() })
    this.kill()
  }

  track(feed: 'v1' | 'ws', symbol: string): Track {
    const track = this.state.tracks.get(trackKey(feed, symbol))
    invariant(track !== undefined, `${symbol} is recorded on ${feed}`)
    return track
  }

  /** Lets virtual time pass, until `done` or for `forMs`; false when `done` did not come true. */
  pass(forMs: number, done: () => boolean = () => false): boolean {
    const untilNs = this.#nowNs + BigInt(forMs) * 1_000_000n
    while (this.#nowNs < untilNs) {
      this.#nowNs += STEP_NS
      this.exchange.advanceTo(this.#nowNs)
      this.deliver()
      if (this.#nowNs - this.#tickNs >= TICK_NS) {
        this.#tickNs = this.#nowNs
        this.#take({ kind: 'tick', at: this.#at() })
      }
      if (done()) return true
    }
    return false
  }

  /** Hands over what the exchange has sent so far. */
  deliver(): void {
    for (const [connection, line] of new Map(this.#connections)) {
      for (const frame of line.theirs.takeFrames()) {
        for (const passed of this.#intercept(connection, frame)) this.#frame(connection, line, passed)
      }
      const { closed } = line.theirs
      if (closed === null || !this.#connections.has(connection)) continue
      this.#connections.delete(connection)
      this.#take({ kind: 'closed', at: this.#at(), connection, ...closed })
    }
  }

  #frame(connection: number, line: { messageSeq: number }, frame: Frame): void {
    const payload = typeof frame === 'string' ? new TextEncoder().encode(frame) : frame
    const isBinary = typeof frame !== 'string'
    this.#take({
      kind: 'frame',
      at: this.#at(this.frameLeadNs(this.#nowNs)),
      connection,
      messageSeq: ++line.messageSeq,
      isBinary,
      payload,
    })
  }

  #take(event: CorridorEvent): void {
    const step = advance(this.state, event)
    this.records.push(...step.records)
    this.observations.push(...step.observations)
    for (const order of step.orders) this.#obey(order)
  }

  #obey(order: Order): void {
    switch (order.kind) {
      case 'dial':
        return this.#dial(order)
      case 'hang_up':
        this.#connections.get(order.connection)?.theirs.close()
        this.#connections.delete(order.connection)
        return
      case 'send':
        this.#connections.get(order.connection)?.theirs.receive(order.text)
        return
      case 'fetch_trades':
      case 'fetch_book': {
        const url = new URL(pathOf(order), 'http://127.0.0.1')
        const { status, body } = this.exchange.rest('GET', url.pathname, url.searchParams)
        const kind = order.kind === 'fetch_trades' ? 'trades_page' : 'book_page'
        this.#take({ kind, at: this.#at(), symbol: order.symbol, status, body })
      }
    }
  }

  #dial({ session, feed, url }: Extract<Order, { kind: 'dial' }>): void {
    const connection = ++this.#lastConnection
    const sessionId = deriveId('session', 'virtual', connection)
    this.#take({ kind: 'dialing', at: this.#at(), connection, session, sessionId, url })
    const { pathname, searchParams } = new URL(url)
    const theirs =
      feed === 'v1'
        ? this.exchange.connectV1(pathname.split('/').at(-1)?.toLowerCase() ?? '', searchParams)
        : this.exchange.connectWs(searchParams)
    if ('status' in theirs) {
      const retryAfterS = Number(theirs.headers['Retry-After'] ?? theirs.headers['retry-after'] ?? 0)
      const refusal = { status: theirs.status, retryAfterMs: retryAfterS * 1000, reason: theirs.body }
      this.#take({ kind: 'refused', at: this.#at(), connection, refusal })
      return
    }
    this.#connections.set(connection, { theirs, messageSeq: 0 })
    this.#take({ kind: 'opened', at: this.#at(), connection })
  }

  #at(leadNs = 0n) {
    return { wallNs: this.#nowNs - leadNs, monoNs: this.#nowNs }
  }
}

/** The digest of the exchange's own book after an update, to be equal to that of the recorder's. */
export function trueDigest(exchange: Exchange, symbol: string, updateId: bigint): string {
  const { bids, asks } = exchange.truth.bookAfter(symbol, updateId)
  const level =
    (side: 'bid' | 'ask') =>
    ([price, quantity]: readonly [string, string]): LevelChange => ({
      side,
      price: price as DecimalText,
      quantity: quantity as DecimalText,
      reason: null,
    })
  return bookDigest(bookFromLevels([...bids.map(level('bid')), ...asks.map(level('ask'))]))
}

/** For `frameLeadNs`: frames of a step come half a millisecond apart in the mean, at nanoseconds that are drawn, and in their order. */
export function receivedWithinStep(): (stepEndNs: bigint) => bigint {
  let state = 1
  let stepNs = 0n
  let leadNs = STEP_NS
  return (stepEndNs) => {
    if (stepEndNs !== stepNs) leadNs = STEP_NS
    stepNs = stepEndNs
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    const apartNs = BigInt((state >>> 8) % 1_000_000)
    leadNs = apartNs < leadNs ? leadNs - apartNs : leadNs / 2n // more than the step has room for
    return leadNs
  }
}
