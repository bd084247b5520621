import { depth } from '@booktape/book'
import type { MarketRecord } from '@booktape/market'
import { type advance, type CorridorEvent, type CorridorState, type RunSettings, trackKey } from '@booktape/session'
import type { Level, Levels } from './workload.ts'

/** 2026-07-29T08:00:00Z */
export const START_NS = 1_785_312_000_000_000_000n

/**
 * A session state on one open connection that has asked for its symbols: what comes next is frames. Time passes only as far as it
 * is told.
 */
export class SessionDriver {
  readonly #state: CorridorState
  readonly #advance: typeof advance
  /** What was to be stored before the first frame. */
  readonly opening: readonly MarketRecord[]
  #nowNs = START_NS
  #messageSeq = 0

  constructor(state: CorridorState, move: typeof advance, symbols: readonly string[], snapshotIntervalMs = 60_000) {
    this.#state = state
    this.#advance = move
    const run: RunSettings = {
      runId: 'bench',
      line: 'a',
      symbols,
      feeds: ['ws'],
      v1Url: 'wss://v1.invalid',
      wsUrl: 'wss://ws.invalid',
      snapshotIntervalMs,
    }
    const opening = [...this.#take({ kind: 'started', at: this.#at(), run }), ...this.tick()]
    let connection = 0
    for (const session of state.sessions.keys()) {
      connection++
      const sessionId = `00000000-0000-8000-8000-${String(connection).padStart(12, '0')}`
      this.#take({ kind: 'dialing', at: this.#at(), connection, session, sessionId, url: run.wsUrl })
      opening.push(...this.#take({ kind: 'opened', at: this.#at(), connection }))
    }
    this.opening = opening
  }

  /** `connection`: 1 for the first SYMBOLS_PER_WS_CONNECTION symbols, and so on. */
  frame(payload: Uint8Array, connection = 1): readonly MarketRecord[] {
    const messageSeq = ++this.#messageSeq
    return this.#take({ kind: 'frame', at: this.#at(), connection, messageSeq, isBinary: false, payload })
  }

  tick(): readonly MarketRecord[] {
    return this.#take({ kind: 'tick', at: this.#at() })
  }

  pass(ns: bigint): void {
    this.#nowNs += ns
  }

  get nowNs(): bigint {
    return this.#nowNs
  }

  isLive(symbol: string): boolean {
    return this.#state.tracks.get(trackKey('ws', symbol))?.epoch !== null
  }

  levels(symbol: string): Levels {
    const book = this.#state.tracks.get(trackKey('ws', symbol))?.book
    if (book === undefined) return { bids: [], asks: [] }
    const side = (wanted: 'bid' | 'ask'): Level[] => {
      const { prices, quantities } = depth(book, wanted)
      return prices.map((price, i): Level => [price, quantities[i] ?? ''])
    }
    return { bids: side('bid'), asks: side('ask') }
  }

  #at(): { wallNs: bigint; monoNs: bigint } {
    return { wallNs: this.#nowNs, monoNs: this.#nowNs - START_NS }
  }

  #take(event: CorridorEvent): readonly MarketRecord[] {
    return this.#advance(this.#state, event).records
  }
}
