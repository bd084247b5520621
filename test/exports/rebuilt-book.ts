import { createHash } from 'node:crypto'
import { Decimal } from 'decimal.js'

/** What a file says, row by row: everything before a time is what its reader knows then. */
export type Told =
  | Readonly<{ atNs: bigint; kind: 'clear' }>
  | Readonly<{ atNs: bigint; kind: 'level'; side: 'bid' | 'ask'; price: string; quantity: string }>

/** A book kept in the plainest way, by code that shares nothing with booktape's own. */
export class RebuiltBook {
  readonly #sides = { bid: new Map<string, string>(), ask: new Map<string, string>() }

  take(told: Told): void {
    if (told.kind === 'clear') {
      this.#sides.bid.clear()
      this.#sides.ask.clear()
    } else if (/^0(\.0*)?$/.test(told.quantity)) this.#sides[told.side].delete(told.price)
    else this.#sides[told.side].set(told.price, told.quantity)
  }

  get size(): number {
    return this.#sides.bid.size + this.#sides.ask.size
  }

  /** One side, best first, at most `limit` levels. */
  levels(side: 'bid' | 'ask', limit = Number.POSITIVE_INFINITY): readonly (readonly [string, string])[] {
    const direction = side === 'bid' ? -1 : 1
    return [...this.#sides[side]].sort(([a], [b]) => direction * comparePlain(a, b)).slice(0, limit)
  }

  /** As docs/data.md has it: SHA-256 over a line a level, bids then asks, best first. */
  digest(limit = Number.POSITIVE_INFINITY): string {
    const hash = createHash('sha256')
    for (const side of ['bid', 'ask'] as const)
      for (const [price, quantity] of this.levels(side, limit)) hash.update(`${side} ${price} ${quantity}\n`)
    return hash.digest('hex')
  }
}

/** The digest of the book at each instant, after all that was told before it. Instants ascend. */
export async function digestsAt(
  told: AsyncIterable<Told> | Iterable<Told>,
  instants: readonly bigint[],
  limit?: number,
): Promise<readonly string[]> {
  const book = new RebuiltBook()
  const digests: string[] = []
  for await (const one of told) {
    for (let at = instants[digests.length]; at !== undefined && at <= one.atNs; at = instants[digests.length])
      digests.push(book.digest(limit))
    book.take(one)
  }
  while (digests.length < instants.length) digests.push(book.digest(limit))
  return digests
}

/** Plain digits without needless zeros: more digits before the point are more, else the texts order as the numbers do. */
function comparePlain(a: string, b: string): number {
  const digits = wholeDigits(a) - wholeDigits(b)
  return digits !== 0 ? digits : a < b ? -1 : a > b ? 1 : 0
}

function wholeDigits(text: string): number {
  const point = text.indexOf('.')
  return point === -1 ? text.length : point
}

/** A binary or exponential spelling as plain digits. */
export function plainDigits(value: number | bigint, unitDigits = 0): string {
  const decimal = new Decimal(typeof value === 'bigint' ? value.toString() : value)
  return new Wide(decimal).div(new Wide(10).pow(unitDigits)).toFixed()
}

const Wide = Decimal.clone({ precision: 60 })
