import type { RestAnswer } from '@booktape/venue'
import { errorAnswer, refusalFor } from '@booktape/venue'
import { type ApiKey, KeyRing, type PrivateHeaders, type Role } from './api-keys.ts'
import type { FaultPlan } from './fault-plan.ts'
import { InstantDesk, type TrueQuote } from './instant-quotes.ts'
import type { Market } from './market.ts'
import { pastFills, pastOrders } from './past-orders.ts'
import type { TradingDesk } from './trading-desk.ts'

/** The roles that each private path asks for. Those of orders are here to be counted: nothing is ever placed. */
const PRIVATE_PATHS: ReadonlyMap<string, readonly Role[]> = new Map([
  ['/v1/instant/quote', ['Trader']],
  ['/v1/instant/execute', ['Trader']],
  ['/v1/order/new', ['Trader']],
  ['/v1/order/cancel', ['Trader']],
  ['/v1/orders/history', ['Trader', 'Auditor']],
  ['/v1/mytrades', ['Trader', 'Auditor']],
])
/** Whoever calls these asks to trade. */
const TRADING_PATHS = ['/v1/instant/execute', '/v1/order/new', '/v1/order/cancel']

/** Above this the venue answers 429, five more being queued (docs/gemini.md, claim 34). */
const PRIVATE_PER_MINUTE = 600
const NS_PER_MINUTE = 60_000_000_000n

/** The private side of REST: who asks, whether they may, and what they get. */
export class PrivateRest {
  readonly keys: KeyRing
  readonly #desk: InstantDesk
  readonly #markets: ReadonlyMap<string, Market>
  readonly #faults: FaultPlan
  readonly #account: TradingDesk
  #recentNs: bigint[] = []
  #executions = 0
  #rateLimited = 0
  #mostInAMinute = 0

  constructor(
    parts: Readonly<{
      keys: readonly ApiKey[]
      markets: ReadonlyMap<string, Market>
      faults: FaultPlan
      account: TradingDesk
      startNs: bigint
    }>,
  ) {
    this.keys = new KeyRing(parts.keys)
    this.#desk = new InstantDesk(parts.startNs)
    this.#markets = parts.markets
    this.#faults = parts.faults
    this.#account = parts.account
  }

  /** Every quote that was offered and is remembered, oldest first. */
  get quotes(): readonly TrueQuote[] {
    return this.#desk.quotes
  }

  /** How often somebody asked to execute a quote, or to place or cancel an order. */
  get executions(): number {
    return this.#executions
  }

  /** How many requests came too fast. */
  get rateLimited(): number {
    return this.#rateLimited
  }

  /** The most requests that came within one minute, those that were refused by a fault included. */
  get mostInAMinute(): number {
    return this.#mostInAMinute
  }

  answer(path: string, headers: PrivateHeaders, nowNs: bigint): RestAnswer {
    const roles = PRIVATE_PATHS.get(path)
    if (roles === undefined) return refusalFor(404, null)
    if (TRADING_PATHS.includes(path)) this.#executions++
    const isTooFast = this.#isTooFast(nowNs)
    const fault = this.#faults.privateRefusal()
    if (fault !== null) return fault
    if (isTooFast) {
      this.#rateLimited++
      return refusalFor(429, 1)
    }
    const signed = this.keys.readRequest(path, headers, roles, nowNs)
    if ('status' in signed) return signed
    if (path === '/v1/instant/quote') return this.#desk.answer(this.#markets, signed.fields, nowNs)
    if (path === '/v1/orders/history') return pastOrders(this.#account, signed.fields)
    if (path === '/v1/mytrades') return pastFills(this.#account, signed.fields)
    return errorAnswer(400, 'MarketNotOpen', 'This exchange is simulated and places no orders of yours')
  }

  #isTooFast(nowNs: bigint): boolean {
    this.#recentNs = this.#recentNs.filter((atNs) => nowNs - atNs < NS_PER_MINUTE)
    if (this.#recentNs.length >= PRIVATE_PER_MINUTE) return true
    this.#recentNs.push(nowNs)
    this.#mostInAMinute = Math.max(this.#mostInAMinute, this.#recentNs.length)
    return false
  }
}
