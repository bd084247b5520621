import { invariant } from '@booktape/market'
import type { Random } from './random.ts'
import { toUnits } from './scaled.ts'
import type { SymbolSpec } from './symbols.ts'

/** Real sizes spread over a few orders of magnitude; this gives p99 at about ten times the median. */
const SPREAD = 1

/** Few sizes are finer than the increment: the venue allows two more digits. */
const FINE_SIZE_CHANCE = 0.08

/** Draws quantities for one symbol, in units. */
export class OrderSizes {
  readonly #incrementUnits: bigint
  readonly #usualIncrements: number
  readonly #fineUnits: bigint // the finest step a size may have, at most two digits below the increment
  readonly #fineSteps: number // how many of them make an increment

  constructor(spec: SymbolSpec) {
    this.#incrementUnits = toUnits(spec.quantityIncrement, spec.quantityDigits)
    this.#usualIncrements = Number(toUnits(spec.usualQuantity, spec.quantityDigits) / this.#incrementUnits)
    invariant(
      Number.isSafeInteger(this.#usualIncrements) && this.#usualIncrements > 0,
      `the usual quantity of ${spec.symbol} is some increments`,
    )
    const below = this.#incrementUnits
    this.#fineUnits = below % 100n === 0n ? below / 100n : below % 10n === 0n ? below / 10n : below
    this.#fineSteps = Number(below / this.#fineUnits) // 1, 10 or 100
  }

  draw(random: Random): bigint {
    const increments = Math.max(1, Math.round(random.logNormal(this.#usualIncrements, SPREAD)))
    const whole = BigInt(increments) * this.#incrementUnits
    if (!random.chance(FINE_SIZE_CHANCE)) return whole
    return whole + BigInt(random.below(this.#fineSteps)) * this.#fineUnits
  }

  /** A part of `quantity`: some but not all of it where it can be divided. */
  part(quantity: bigint, random: Random): bigint {
    const steps = quantity / this.#fineUnits
    if (steps < 2n) return quantity
    return ((steps * BigInt(1 + random.below(999_999))) / 1_000_000n) * this.#fineUnits || this.#fineUnits
  }
}
