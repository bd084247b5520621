import type { Side } from '@booktape/market'
import type { Ladder } from './ladder.ts'
import type { OrderSizes } from './order-sizes.ts'
import type { Random } from './random.ts'
import { toUnits } from './scaled.ts'
import type { SymbolSpec } from './symbols.ts'

/** What the traders of one symbol do next. Quantities of `set` are absolute. */
export type Intent =
  | Readonly<{ kind: 'set'; side: Side; price: bigint; quantity: bigint; reason: 'place' | 'cancel' }>
  | Readonly<{ kind: 'take'; makerSide: Side; quantity: bigint; inOneEvent: boolean }>

// Shares and ranks as measured (docs/gemini.md, "what Gemini sends"): 40 % new levels, 40 % removals, 20 % new
// quantities; rank from the top p50 2 to 5, p99 16 to 45.
const PLACE_SHARE = 0.4
const CANCEL_SHARE = 0.4
const RANK_MEDIAN = 3.3
const RANK_SPREAD = 0.95

/** A side never falls below this many levels while orders flow. */
export const LEAST_LEVELS = 3

/** Orders of the last moments are withdrawn soon: the reason why removals of unknown levels reach the wire. */
const FRESH_LEVELS = 6
const FRESH_CANCEL_CHANCE = 0.3
const REVERT_CHANCE = 0.4

/** A book above its usual size gets rid of far orders too, not only of those at the top. */
const DEEP_CANCEL_CHANCE = 0.02

const GAP_SEARCH_RANKS = 48

/** One order goes at most this far into a gap. */
const WIDE_SPREAD_TICKS = 400n
const BURST_CHANCE = 0.0008

export class OrderFlow {
  readonly #spec: SymbolSpec
  readonly #random: Random
  readonly #sizes: OrderSizes
  readonly #tick: bigint
  readonly #lowest: bigint
  readonly #highest: bigint
  readonly #meanGapNs: number
  readonly #fresh: { side: Side; price: bigint }[] = []
  #resized: { side: Side; price: bigint; before: bigint } | null = null
  #trend: -1 | 0 | 1 = 0
  #burstLeft = 0

  constructor(spec: SymbolSpec, sizes: OrderSizes, random: Random, rate: number) {
    this.#spec = spec
    this.#random = random
    this.#sizes = sizes
    this.#tick = toUnits(spec.priceIncrement, spec.priceDigits)
    const start = toUnits(spec.startPrice, spec.priceDigits)
    this.#lowest = start / 2n
    this.#highest = start * 2n
    this.#meanGapNs = 1e9 / (spec.changesPerSecond * rate)
  }

  /** Nanoseconds to the next event: most follow another within a few milliseconds, then it is quiet. */
  nextGapNs(): bigint {
    const shortNs = Math.min(2e6, 0.3 * this.#meanGapNs)
    if (this.#burstLeft > 0) {
      this.#burstLeft--
      return BigInt(1 + Math.floor(this.#random.exponential(0.1 * shortNs)))
    }
    if (this.#random.chance(BURST_CHANCE)) this.#burstLeft = 50 + this.#random.below(200)
    const longNs = (this.#meanGapNs - 0.7 * shortNs) / 0.3
    return BigInt(1 + Math.floor(this.#random.exponential(this.#random.chance(0.7) ? shortNs : longNs)))
  }

  next(bids: Ladder, asks: Ladder): Intent {
    const random = this.#random
    this.#turnTrend(bids)
    for (const ladder of [bids, asks]) {
      if (ladder.size <= LEAST_LEVELS) return this.#place(ladder, ladder === bids ? asks : bids, ladder.size)
    }
    if (random.chance(this.#spec.tradesPerSecond / this.#spec.changesPerSecond)) return this.#take(bids, asks)

    const side: Side = random.chance(0.5) ? 'bid' : 'ask'
    const ladder = side === 'bid' ? bids : asks
    const opposite = side === 'bid' ? asks : bids
    if (this.#isWide(bids, asks))
      return this.#place(this.#leansTo(side) ? ladder : opposite, this.#leansTo(side) ? opposite : ladder, 0)

    const share = random.unit()
    const usual = side === 'bid' ? this.#spec.bids : this.#spec.asks
    if (share < PLACE_SHARE + CANCEL_SHARE) {
      const isFull = ladder.size > usual + 2 + usual / 50
      const isThin = ladder.size < usual - 2 - usual / 50
      const wantsPlace = isFull ? false : isThin ? true : share < PLACE_SHARE
      return wantsPlace
        ? this.#place(ladder, opposite, this.#rank(ladder))
        : this.#cancel(ladder, isFull && random.chance(DEEP_CANCEL_CHANCE))
    }
    return this.#resize(ladder)
  }

  #place(ladder: Ladder, opposite: Ladder, rank: number): Intent {
    const price = rank === 0 ? this.#improvedPrice(ladder, opposite) : this.#priceInGap(ladder, rank)
    if (price === null) return ladder.size === 0 ? this.#reopen(ladder, opposite) : this.#resize(ladder)
    this.#fresh.push({ side: ladder.side, price })
    if (this.#fresh.length > FRESH_LEVELS) this.#fresh.shift()
    return { kind: 'set', side: ladder.side, price, quantity: this.#sizes.draw(this.#random), reason: 'place' }
  }

  #cancel(ladder: Ladder, anywhere: boolean): Intent {
    const fresh = this.#fresh.findLast((level) => level.side === ladder.side && ladder.quantityOf(level.price) !== 0n)
    if (fresh !== undefined && this.#random.chance(FRESH_CANCEL_CHANCE)) {
      return { kind: 'set', ...fresh, quantity: 0n, reason: 'cancel' }
    }
    const rank = anywhere ? this.#random.below(Math.max(1, Math.floor(ladder.size * 0.9))) : this.#rank(ladder)
    const price = ladder.priceAt(rank)
    if (price === null) return this.#resize(ladder)
    return { kind: 'set', side: ladder.side, price, quantity: 0n, reason: 'cancel' }
  }

  #resize(ladder: Ladder): Intent {
    const side = ladder.side
    const last = this.#resized
    this.#resized = null
    if (last !== null && last.side === side && this.#random.chance(REVERT_CHANCE)) {
      const now = ladder.quantityOf(last.price)
      if (now !== 0n && now !== last.before) {
        const reason = last.before > now ? 'place' : 'cancel'
        return { kind: 'set', side, price: last.price, quantity: last.before, reason }
      }
    }
    const rank = this.#rank(ladder)
    const price = ladder.priceAt(rank) ?? this.#tick
    const before = ladder.quantityAt(rank)
    this.#resized = { side, price, before }
    if (this.#random.chance(0.5)) {
      const rest = this.#sizes.part(before, this.#random)
      if (rest !== before) return { kind: 'set', side, price, quantity: rest, reason: 'cancel' }
    }
    return { kind: 'set', side, price, quantity: before + this.#sizes.draw(this.#random), reason: 'place' }
  }

  #take(bids: Ladder, asks: Ladder): Intent {
    const makers = this.#random.chance(0.5 + 0.2 * this.#trend) ? asks : bids
    const best = makers.quantityAt(0)
    const roll = this.#random.unit()
    const quantity =
      roll < 0.6
        ? this.#sizes.part(best, this.#random)
        : roll < 0.75
          ? best
          : best + makers.quantityAt(1) + this.#sizes.part(makers.quantityAt(2), this.#random)
    return { kind: 'take', makerSide: makers.side, quantity, inOneEvent: this.#random.chance(0.5) }
  }

  /** Better than the best, inside the spread; null where there is no room. */
  #improvedPrice(ladder: Ladder, opposite: Ladder): bigint | null {
    const best = ladder.priceAt(0)
    const limit = opposite.priceAt(0)
    if (best === null || limit === null) return null
    const room = (ladder.side === 'bid' ? limit - best : best - limit) / this.#tick - 1n
    if (room < 1n) return null
    // A spread torn open by a taker closes in a few steps, whatever its width.
    const isTorn = room > WIDE_SPREAD_TICKS
    const step = isTorn ? ((room * BigInt(3 + this.#random.below(500))) / 1_000n) * this.#tick : this.#step(room)
    return ladder.side === 'bid' ? best + step : best - step
  }

  /** Between two levels, at or below the rank; below the last level when the side is short. */
  #priceInGap(ladder: Ladder, rank: number): bigint | null {
    const away = ladder.side === 'bid' ? -1n : 1n
    for (let below = rank; below < rank + GAP_SEARCH_RANKS; below++) {
      const near = ladder.priceAt(below - 1)
      if (near === null) return null
      const far = ladder.priceAt(below) ?? near + away * (near / 50n + 40n * this.#tick)
      const room = ((far - near) * away) / this.#tick - 1n
      if (room < 1n) continue
      const price = near + away * this.#step(room)
      if (price >= this.#tick) return price - (price % this.#tick)
    }
    return null
  }

  /** The first order of a side that was empty: as far from the other side as a spread goes, or at the start price. */
  #reopen(ladder: Ladder, opposite: Ladder): Intent {
    const away = ladder.side === 'bid' ? -1n : 1n
    const from = opposite.priceAt(0) ?? toUnits(this.#spec.startPrice, this.#spec.priceDigits)
    const price = from + away * this.#tick * BigInt(1 + this.#random.below(5))
    return { kind: 'set', side: ladder.side, price, quantity: this.#sizes.draw(this.#random), reason: 'place' }
  }

  /** One to `room` ticks, more often few, in units. */
  #step(room: bigint): bigint {
    const most = room > WIDE_SPREAD_TICKS ? Number(WIDE_SPREAD_TICKS) : Number(room)
    const ticks = Math.min(most, 1 + Math.floor(this.#random.exponential(most / 3)))
    return BigInt(ticks) * this.#tick
  }

  #rank(ladder: Ladder): number {
    const rank = Math.floor(this.#random.logNormal(RANK_MEDIAN, RANK_SPREAD))
    return Math.min(rank, Math.max(0, ladder.size - 1))
  }

  #isWide(bids: Ladder, asks: Ladder): boolean {
    const bid = bids.priceAt(0)
    const ask = asks.priceAt(0)
    if (bid === null || ask === null) return false
    return ask - bid > this.#tick * 4n + ask / 30_000n && this.#random.chance(0.5)
  }

  #leansTo(side: Side): boolean {
    return this.#random.chance(0.5 + (side === 'bid' ? 0.3 : -0.3) * this.#trend)
  }

  /** The mid walks at random, but not out of the range from half to double the start price. */
  #turnTrend(bids: Ladder): void {
    if (!this.#random.chance(0.003)) return
    const best = bids.priceAt(0)
    if (best === null) return
    const drawn = this.#random.below(3) - 1
    this.#trend = best < this.#lowest ? 1 : best > this.#highest ? -1 : drawn === 1 ? 1 : drawn === 0 ? 0 : -1
  }
}
