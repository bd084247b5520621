import type { Exchange, TrueChange } from '@booktape/exchange'

/** Every update of one symbol in the order of its ids, as the exchange made it. */
export class TruthIndex {
  readonly ids: readonly bigint[] // the first is that of the oldest book
  readonly #changes: readonly TrueChange[]
  readonly #starts: readonly number[] // of each id, its first change
  readonly #places: ReadonlyMap<bigint, number>

  constructor(exchange: Exchange, symbol: string) {
    const { truth } = exchange
    const [oldest = 0n] = truth.updateIds(symbol)
    this.#changes = truth.changes(symbol, oldest, truth.lastUpdateId(symbol))
    const ids = [oldest]
    const starts = [0]
    for (const [i, { updateId }] of this.#changes.entries()) {
      if (updateId === ids.at(-1)) continue
      ids.push(updateId)
      starts.push(i)
    }
    this.ids = ids
    this.#starts = starts
    this.#places = new Map(ids.map((id, i) => [id, i]))
  }

  has(id: bigint): boolean {
    return this.#places.has(id)
  }

  /** The id after this one; null at the end. The id must be one of ours. */
  next(id: bigint): bigint | null {
    const place = this.#places.get(id)
    return place === undefined ? null : (this.ids[place + 1] ?? null)
  }

  /** The changes of the updates in (after, upTo]; both must be ids of ours. */
  between(after: bigint, upTo: bigint): readonly TrueChange[] {
    const from = (this.#places.get(after) ?? 0) + 1
    const to = (this.#places.get(upTo) ?? 0) + 1
    return this.#changes.slice(this.#starts[from] ?? this.#changes.length, this.#starts[to] ?? this.#changes.length)
  }
}
