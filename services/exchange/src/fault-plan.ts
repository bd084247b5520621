import type { Feed, Side } from '@booktape/market'
import type { Delivery, OutgoingFrame, Refusal } from '@booktape/venue'
import { errorAnswer, refusalFor } from '@booktape/venue'
import { FAULT_NAMES, type FaultName, type FaultRequest } from './faults.ts'
import { FRAME_EFFECTS, isFrameFault, now } from './frame-faults.ts'

/** A plan longer than this is a mistake, and every frame looks at every armed fault. */
export const MAX_ARMED_FAULTS = 1_000

/** What the faults that act at once act on. */
export type FaultTargets = Readonly<{
  hasSymbol(symbol: string): boolean
  closeConnections(request: FaultRequest, code: number, reason: string): number
  silenceConnections(request: FaultRequest): number
  mute(symbol: string, isMuted: boolean): void
  emptyBook(symbol: string, side: Side | null): boolean
  reopenBook(symbol: string): void
  breakTrade(symbol: string): boolean
}>

type Armed = { readonly id: number; readonly request: FaultRequest; skip: number; left: number }

/** `armed`: the id of a fault that waits for its moment. `affected`: what a fault that acts at once has hit. */
export type Injected = Readonly<{ armed: number | null; affected: number }>

/** The faults asked for: those that act at once do, the others wait here for the frames, connections and requests they name. */
export class FaultPlan {
  readonly #targets: FaultTargets
  readonly #counts = new Map<FaultName, number>()
  #armed: Armed[] = []
  #frameFaults = 0
  readonly #held = new Map<number, Delivery[]>() // by connection: frames that wait for the next one
  #nextId = 1

  constructor(targets: FaultTargets) {
    this.#targets = targets
  }

  /** Whether a frame has to pass through the plan at all. */
  get isArmed(): boolean {
    return this.#frameFaults > 0 || this.#held.size > 0
  }

  /** How often each fault has taken effect. */
  get counts(): Readonly<Record<FaultName, number>> {
    const counts = FAULT_NAMES.map((name) => [name, this.#counts.get(name) ?? 0])
    return Object.fromEntries(counts) as Record<FaultName, number>
  }

  /** The faults that wait, with what is left of them. */
  get armed(): readonly Readonly<{ id: number; request: FaultRequest; left: number }>[] {
    return this.#armed.map(({ id, request, left }) => ({ id, request, left }))
  }

  /** Arms a fault or lets it act; text says why it cannot. */
  inject(request: FaultRequest): Injected | string {
    const { fault, symbol } = request
    if (symbol !== undefined && !this.#targets.hasSymbol(symbol)) return `this exchange has no symbol ${symbol}`
    const affected = this.#actAtOnce(request)
    if (affected !== null) {
      this.#count(fault, affected)
      return { armed: null, affected }
    }
    if (this.#armed.length >= MAX_ARMED_FAULTS) {
      return `${MAX_ARMED_FAULTS} faults wait already; clear them first (DELETE /control/faults)`
    }
    const armed = { id: this.#nextId++, request, skip: (request.nth ?? 1) - 1, left: request.times ?? 1 }
    this.#armed.push(armed)
    this.#countFrameFaults()
    return { armed: armed.id, affected: 0 }
  }

  /** Disarms everything that waits. What has happened stays. */
  clear(): void {
    this.#armed = []
    this.#countFrameFaults()
  }

  /** What becomes of a frame: of the faults it matches, the one armed first acts. */
  pass(frame: OutgoingFrame): readonly Delivery[] {
    const held = this.#held.get(frame.connectionId) ?? []
    this.#held.delete(frame.connectionId)
    return [...this.#deliveriesOf(frame), ...held]
  }

  /** A connection is over: what was held back for it is lost. */
  forget(connectionId: number): void {
    this.#held.delete(connectionId)
  }

  /** The refusal of the next connection or REST request, if a fault wants one. */
  refusalOf(fault: 'refuse_upgrade' | 'refuse_rest', feed: Feed | null, symbol: string | null): Refusal | null {
    const armed = this.#takeFirst(fault, (request) => {
      const isFeed = request.feed === undefined || request.feed === feed
      return isFeed && (request.symbol === undefined || request.symbol === symbol)
    })
    return armed === null ? null : refusalFor(armed.status ?? 503, armed.retryAfterS ?? null)
  }

  /** The refusal of the next signed request, if a fault wants one: with any reason that the venue documents. */
  privateRefusal(): Refusal | null {
    const armed = this.#takeFirst('refuse_private', () => true)
    if (armed === null) return null
    const refusal = errorAnswer(armed.status ?? 400, armed.reason ?? 'System', 'a fault was asked for')
    if (armed.retryAfterS === undefined) return refusal
    return { ...refusal, headers: { ...refusal.headers, 'retry-after': armed.retryAfterS.toString() } }
  }

  refusesSubscribe(symbol: string): boolean {
    return this.#takeFirst('refuse_subscribe', (request) => request.symbol === symbol) !== null
  }

  firstSequence(symbol: string): number {
    const armed = this.#takeFirst(
      'wrong_first_sequence',
      (request) => request.symbol === undefined || request.symbol === symbol,
    )
    return armed === null ? 0 : (armed.sequence ?? 7)
  }

  #deliveriesOf(frame: OutgoingFrame): readonly Delivery[] {
    for (const armed of this.#armed) {
      const { request } = armed
      if (!matchesFrame(request, frame)) continue
      if (request.fault === 'swap') {
        if (!this.#isDue(armed)) continue
        this.#held.set(frame.connectionId, [now(frame.text)])
        return []
      }
      if (!isFrameFault(request.fault)) continue
      const deliveries = FRAME_EFFECTS[request.fault](frame, request)
      if (deliveries !== null && this.#isDue(armed)) return deliveries
    }
    return [now(frame.text)]
  }

  #takeFirst(fault: FaultName, matches: (request: FaultRequest) => boolean): FaultRequest | null {
    for (const armed of this.#armed) {
      if (armed.request.fault === fault && matches(armed.request) && this.#isDue(armed)) return armed.request
    }
    return null
  }

  /** Counts a match: true when the fault acts on it. */
  #isDue(armed: Armed): boolean {
    if (armed.skip > 0) {
      armed.skip--
      return false
    }
    armed.left--
    this.#count(armed.request.fault, 1)
    if (armed.left === 0) {
      this.#armed = this.#armed.filter((other) => other !== armed)
      this.#countFrameFaults()
    }
    return true
  }

  /** How many things the fault has hit; null when it is one that waits. */
  #actAtOnce(request: FaultRequest): number | null {
    const targets = this.#targets
    const symbol = request.symbol ?? ''
    switch (request.fault) {
      case 'close':
        return targets.closeConnections(request, request.code ?? 1001, request.reason ?? 'going away')
      case 'half_open':
        return targets.silenceConnections(request)
      case 'stop_publishing':
      case 'resume_publishing':
        targets.mute(symbol, request.fault === 'stop_publishing')
        return 1
      case 'empty_book':
        return targets.emptyBook(symbol, request.side ?? null) ? 1 : 0
      case 'reopen_book':
        targets.reopenBook(symbol)
        return 1
      case 'break_trade':
        return targets.breakTrade(symbol) ? 1 : 0
      default:
        return null
    }
  }

  #count(fault: FaultName, by: number): void {
    this.#counts.set(fault, (this.#counts.get(fault) ?? 0) + by)
  }

  #countFrameFaults(): void {
    this.#frameFaults = this.#armed.filter(({ request: { fault } }) => fault === 'swap' || isFrameFault(fault)).length
  }
}

function matchesFrame(request: FaultRequest, frame: OutgoingFrame): boolean {
  const { connection, feed, symbol, kind } = request
  return (
    (connection === undefined || connection === frame.connectionId) &&
    (feed === undefined || feed === frame.feed) &&
    (symbol === undefined || symbol === frame.symbol) &&
    (kind === undefined || kind === frame.kind || (kind === 'v1' && frame.feed === 'v1'))
  )
}
