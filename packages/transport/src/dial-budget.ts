import { invariant } from '@booktape/market'
import { type TransportClock, toMs } from './clock.ts'

// Enough for a fresh start of a few symbols to be at once; a fleet of hundreds then spreads over minutes.
export const DIAL_BURST = 10
// The venue counts 300 connection attempts in 5 minutes (docs/gemini.md); no setting passes that.
export const MAX_DIALS_PER_MINUTE = 60
// The venue's advice for public REST is one request a second, with five more queued before it answers 429.
export const REST_PER_MINUTE = 60
export const REST_BURST = 5
// The venue's advice for private REST is five requests a second; its limit is twice that.
export const PRIVATE_PER_MINUTE = 300
export const PRIVATE_BURST = 5
// The venue's hard limit for public requests. Upgrades are HTTP requests too, so both kinds count here.
export const SHARED_PER_MINUTE = 120
// Far above every symbol of the venue on both feeds: more waiting callers than this are a fault of ours.
export const MAX_WAITING = 10_000

const MS_PER_MINUTE = 60_000

/**
 * The permissions of this process to trouble the venue: one budget for dials, one for REST, and what both share.
 */
export function createVenueBudgets(
  options: Readonly<{ dialsPerMinute: number; clock: Pick<TransportClock, 'monoNs'> }>,
): Readonly<{ dials: Budget; rest: Budget }> {
  const { clock } = options
  const shared = new TokenBucket({ perMinute: SHARED_PER_MINUTE, burst: DIAL_BURST + REST_BURST })
  const perMinute = Math.min(options.dialsPerMinute, MAX_DIALS_PER_MINUTE)
  return {
    dials: new Budget({ bucket: new TokenBucket({ perMinute, burst: DIAL_BURST }), shared, clock }),
    rest: new Budget({ bucket: new TokenBucket({ perMinute: REST_PER_MINUTE, burst: REST_BURST }), shared, clock }),
  }
}

/** The permission of this process to make signed requests of one key. */
export function createPrivateBudget(clock: Pick<TransportClock, 'monoNs'>): Budget {
  return new Budget({ bucket: new TokenBucket({ perMinute: PRIVATE_PER_MINUTE, burst: PRIVATE_BURST }), clock })
}

/**
 * A bucket of `burst` tokens that gains `perMinute` tokens a minute, as pure arithmetic of the times it is handed.
 * It keeps one number: the time at which it will be full again.
 *
 *   burst 2, 60 a minute   takeAt(0) 0   takeAt(0) 0   takeAt(0) 1000   takeAt(1000) 0   takeAt(1500) 500
 */
export class TokenBucket {
  readonly #intervalMs: number // whole, rounded up: never faster than asked for
  readonly #burst: number
  #fullAtMs = Number.NEGATIVE_INFINITY

  constructor({ perMinute, burst }: Readonly<{ perMinute: number; burst: number }>) {
    invariant(perMinute > 0 && burst >= 1, 'a bucket gains tokens and holds at least one')
    this.#intervalMs = Math.ceil(MS_PER_MINUTE / perMinute)
    this.#burst = burst
  }

  /** Milliseconds from `nowMs` until there is a token; 0 when there is one. */
  waitAt(nowMs: number): number {
    return Math.max(0, this.#fullAtMs - (this.#burst - 1) * this.#intervalMs - nowMs)
  }

  /** Takes a token and gives 0; or takes none and gives the milliseconds until there is one. */
  takeAt(nowMs: number): number {
    const waitMs = this.waitAt(nowMs)
    if (waitMs === 0) this.#fullAtMs = Math.max(this.#fullAtMs, nowMs) + this.#intervalMs
    return waitMs
  }
}

/** Hands out a bucket's tokens in the order in which they were asked for. With `shared`, each costs one of both. */
export class Budget {
  readonly #bucket: TokenBucket
  readonly #shared: TokenBucket | null
  readonly #clock: Pick<TransportClock, 'monoNs'>
  readonly #queue = new Set<() => void>()
  #timer: NodeJS.Timeout | undefined

  constructor(options: Readonly<{ bucket: TokenBucket; shared?: TokenBucket; clock: Pick<TransportClock, 'monoNs'> }>) {
    this.#bucket = options.bucket
    this.#shared = options.shared ?? null
    this.#clock = options.clock
  }

  /** Fulfilled when it is this caller's turn. Rejects with the signal's reason, and then costs nothing. */
  acquire(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason)
      invariant(this.#queue.size < MAX_WAITING, `at most ${MAX_WAITING} callers wait for one budget`)
      const leave = (): void => {
        this.#queue.delete(grant)
        reject(signal.reason)
        this.#serve()
      }
      const grant = (): void => {
        signal.removeEventListener('abort', leave)
        resolve()
      }
      signal.addEventListener('abort', leave, { once: true })
      this.#queue.add(grant)
      this.#serve()
    })
  }

  /** How many callers wait for their turn. */
  get waiting(): number {
    return this.#queue.size
  }

  #serve(): void {
    clearTimeout(this.#timer)
    for (const grant of this.#queue) {
      const waitMs = this.#takeAt(toMs(this.#clock.monoNs()))
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.#serve(), waitMs)
        return
      }
      this.#queue.delete(grant)
      grant()
    }
  }

  #takeAt(nowMs: number): number {
    const waitMs = Math.max(this.#bucket.waitAt(nowMs), this.#shared?.waitAt(nowMs) ?? 0)
    if (waitMs > 0) return waitMs
    this.#shared?.takeAt(nowMs)
    return this.#bucket.takeAt(nowMs)
  }
}
