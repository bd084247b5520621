import type { Side } from '@booktape/market'

/**
 * One side of an exact book, in units. The best level is at the end of the arrays, because changes cluster there;
 * outside, rank 0 is the best level.
 */
export class Ladder {
  readonly side: Side
  readonly #keys: bigint[] // growing: the price of a bid, the negated price of an ask
  readonly #quantities: bigint[]

  constructor(side: Side, from?: Ladder) {
    this.side = side
    this.#keys = from === undefined ? [] : from.#keys.slice()
    this.#quantities = from === undefined ? [] : from.#quantities.slice()
  }

  get size(): number {
    return this.#keys.length
  }

  /** The price at a rank from the top; null below the last level. */
  priceAt(rank: number): bigint | null {
    const key = this.#keys[this.#keys.length - 1 - rank]
    return key === undefined ? null : this.#priceOf(key)
  }

  /** Zero where there is no such rank. */
  quantityAt(rank: number): bigint {
    return this.#quantities[this.#quantities.length - 1 - rank] ?? 0n
  }

  /** Zero where there is no such level. */
  quantityOf(price: bigint): bigint {
    const key = this.#priceOf(price)
    const index = this.#indexOf(key)
    return this.#keys[index] === key ? (this.#quantities[index] ?? 0n) : 0n
  }

  /** Sets a level to an absolute quantity, zero removes it; returns the quantity before. */
  set(price: bigint, quantity: bigint): bigint {
    const key = this.#priceOf(price)
    const index = this.#indexOf(key)
    if (this.#keys[index] !== key) {
      if (quantity !== 0n) {
        this.#keys.splice(index, 0, key)
        this.#quantities.splice(index, 0, quantity)
      }
      return 0n
    }
    const before = this.#quantities[index] ?? 0n
    if (quantity === 0n) {
      this.#keys.splice(index, 1)
      this.#quantities.splice(index, 1)
    } else {
      this.#quantities[index] = quantity
    }
    return before
  }

  /** Best first, at most `limit` levels. */
  *levels(limit = this.size): Generator<readonly [price: bigint, quantity: bigint]> {
    const count = Math.min(limit, this.size)
    for (let rank = 0; rank < count; rank++) {
      const price = this.priceAt(rank)
      if (price !== null) yield [price, this.quantityAt(rank)]
    }
  }

  copy(): Ladder {
    return new Ladder(this.side, this)
  }

  #priceOf(key: bigint): bigint {
    return this.side === 'bid' ? key : -key
  }

  /** The first index whose key is not below `key`, searched from the top in growing strides. */
  #indexOf(key: bigint): number {
    const keys = this.#keys
    let high = keys.length
    let stride = 1
    let low = high - stride
    while (low >= 0 && (keys[low] ?? 0n) >= key) {
      high = low
      stride *= 2
      low -= stride
    }
    low = Math.max(low, -1) + 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((keys[middle] ?? 0n) < key) low = middle + 1
      else high = middle
    }
    return low
  }
}
