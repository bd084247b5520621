import { createHash } from 'node:crypto'
import { deriveId } from '@booktape/market'

/** Dice that fall the same way for the same seed and name: splitmix32, started from a hash of both. */
export class Dice {
  readonly #name: string
  #state: number
  #ids = 0

  constructor(seed: number, name: string) {
    this.#name = `${name} of ${seed}`
    this.#state = createHash('sha256').update(this.#name).digest().readInt32LE(0)
  }

  /** A number in [0, 1). */
  unit(): number {
    this.#state = (this.#state + 0x9e3779b9) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 16), 0x21f0aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32
  }

  chance(probability: number): boolean {
    return this.unit() < probability
  }

  /** A whole number in [least, most]. */
  between(least: number, most: number): number {
    return least + Math.floor(this.unit() * (most - least + 1))
  }

  /** Between the two, each order of magnitude as likely as the next. */
  logBetween(least: number, most: number): number {
    return least * (most / least) ** this.unit()
  }

  exponential(mean: number): number {
    return -mean * Math.log(1 - this.unit())
  }

  /** One of them, or undefined when there is none. */
  pick<T>(of: readonly T[]): T | undefined {
    return of[Math.floor(this.unit() * of.length)]
  }

  uuid(): string {
    return deriveId(this.#name, this.#ids++)
  }
}
