import type { TapeTrade } from '@booktape/client'
import { type DecimalText, Exact, type Side, type TakerSide, ZERO } from '@booktape/market'

const NS_PER_MS = 1_000_000n

/** A trade that no message within this asked for belongs to none of v1's. */
export const FORGET_AFTER_MS = 10_000n

/**
 * One symbol's trades that wait for the message of v1 that made them. A recording keeps each trade once, whichever feed told it
 * first, and not where in v1's messages it stood: there it is found again by its millisecond, price, side and quantity.
 */
export class TradePool {
  readonly #waiting = new Map<bigint, TapeTrade[]>() // by millisecond, oldest first
  #toldMs = 0n

  /** They come by the venue's time. */
  add(trade: TapeTrade): void {
    for (const oldMs of this.#waiting.keys()) {
      if (oldMs >= this.#toldMs - FORGET_AFTER_MS) break
      this.#waiting.delete(oldMs)
    }
    const timeMs = trade.eventTimeNs / NS_PER_MS
    const waiting = this.#waiting.get(timeMs) ?? []
    this.#waiting.set(
      timeMs,
      [...waiting, trade].sort((a, b) => (a.tradeId < b.tradeId ? -1 : 1)),
    )
  }

  /** Messages have been told up to this instant of the venue. */
  forgetBefore(timeNs: bigint): void {
    this.#toldMs = timeNs / NS_PER_MS
  }

  /**
   * The trades that took `filled` of a level, each one once: one of that very quantity, else the first ones that add up to it, else the
   * first at that price.
   */
  takeOf(
    timeNs: bigint,
    level: Readonly<{ makerSide: Side; price: DecimalText; filled: DecimalText }>,
  ): readonly TapeTrade[] {
    const takerSide: TakerSide = level.makerSide === 'bid' ? 'sell' : 'buy'
    const fitting = this.#at(timeNs).filter((trade) => trade.takerSide === takerSide && trade.price === level.price)
    const whole = fitting.find(({ quantity }) => quantity === level.filled)
    return this.#take(timeNs, whole === undefined ? firstThatAddUp(fitting, level.filled) : [whole])
  }

  /** Trades of an instant that nobody took, as in an auction: they make no change. */
  takeWithoutTaker(timeNs: bigint): readonly TapeTrade[] {
    const isWithout = ({ takerSide }: TapeTrade): boolean => takerSide === 'auction' || takerSide === 'unknown'
    return this.#take(timeNs, this.#at(timeNs).filter(isWithout))
  }

  #at(timeNs: bigint): readonly TapeTrade[] {
    return this.#waiting.get(timeNs / NS_PER_MS) ?? []
  }

  #take(timeNs: bigint, taken: readonly TapeTrade[]): readonly TapeTrade[] {
    if (taken.length > 0)
      this.#waiting.set(
        timeNs / NS_PER_MS,
        this.#at(timeNs).filter((trade) => !taken.includes(trade)),
      )
    return taken
  }
}

function firstThatAddUp(trades: readonly TapeTrade[], filled: DecimalText): readonly TapeTrade[] {
  let sum = new Exact(ZERO)
  for (const [i, { quantity }] of trades.entries()) {
    sum = sum.plus(quantity)
    if (sum.eq(filled)) return trades.slice(0, i + 1)
    if (sum.gt(filled)) break
  }
  return trades.slice(0, 1)
}
