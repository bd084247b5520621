import { type DecimalText, invariant, type Side } from '@booktape/market'
import { Ladder } from './ladder.ts'

/** A whole book in canonical text, best level first. */
export type BookText = Readonly<{
  bids: readonly (readonly [price: DecimalText, quantity: DecimalText])[]
  asks: readonly (readonly [price: DecimalText, quantity: DecimalText])[]
}>

export type PastChange = Readonly<{
  updateId: bigint
  eventTimeNs: bigint
  side: Side
  price: bigint
  quantity: bigint
}>

/** Changes between two copies of the book: a btcusd copy costs about as much memory as this many changes. */
export const SEGMENT_CHANGES = 4_096

/** How many changes of one symbol are remembered: about a day of btcusd at its usual pace, 33 bytes a change. */
export const MAX_REMEMBERED_CHANGES = 1_048_576

type Segment = {
  readonly bids: Ladder // the book before the first change
  readonly asks: Ladder
  readonly ids: BigInt64Array
  readonly times: BigInt64Array
  readonly prices: BigInt64Array
  readonly quantities: BigInt64Array
  readonly isAsk: Uint8Array
  count: number
}

/** The book after the first `count` changes of a segment, which are those up to `updateId`. */
type BuiltBook = {
  readonly segment: Segment
  readonly bids: Ladder
  readonly asks: Ladder
  updateId: bigint
  count: number
}

/** Every change of one book, so that the book after any remembered update can be built again. */
export class History {
  readonly #limit: number
  readonly #segments: Segment[] = []
  #oldestUpdateId: bigint
  #lastUpdateId: bigint
  #built: BuiltBook | null = null // the last book that was asked for: the next one is often a little later

  /** `limit` is in changes; whole segments are forgotten, so a little less may be remembered. */
  constructor(firstUpdateId: bigint, limit: number) {
    invariant(limit >= 2 * SEGMENT_CHANGES, `at least ${2 * SEGMENT_CHANGES} changes are remembered`)
    this.#limit = limit
    this.#oldestUpdateId = firstUpdateId
    this.#lastUpdateId = firstUpdateId
  }

  get lastUpdateId(): bigint {
    return this.#lastUpdateId
  }

  /** Called before the change is made, with the book as it still stands. */
  record(change: PastChange, bids: Ladder, asks: Ladder): void {
    let segment = this.#segments.at(-1)
    if (segment === undefined || segment.count === SEGMENT_CHANGES) {
      segment = newSegment(bids.copy(), asks.copy())
      this.#segments.push(segment)
      if (this.#segments.length * SEGMENT_CHANGES > this.#limit) this.#forgetOldest()
    }
    const index = segment.count++
    segment.ids[index] = change.updateId
    segment.times[index] = change.eventTimeNs
    segment.prices[index] = change.price
    segment.quantities[index] = change.quantity
    segment.isAsk[index] = change.side === 'ask' ? 1 : 0
    this.#lastUpdateId = change.updateId
  }

  /**
   * The book after the last update at or before `updateId`; ids of other symbols in between are fine.
   * `live` is the book as it stands now. Throws a RangeError for an id that is forgotten or has not come yet.
   */
  bookAfter(updateId: bigint, live: Readonly<{ bids: Ladder; asks: Ladder }>): { bids: Ladder; asks: Ladder } {
    this.#mustRemember(updateId)
    if (updateId === this.#lastUpdateId) return { bids: live.bids.copy(), asks: live.asks.copy() }
    const segment = this.#segments.findLast((candidate) => (candidate.ids[0] ?? 0n) <= updateId) ?? this.#segments[0]
    invariant(segment !== undefined, 'an update before the last one has changes after it')
    if (this.#built?.segment !== segment || this.#built.updateId > updateId) {
      this.#built = { segment, bids: segment.bids.copy(), asks: segment.asks.copy(), updateId, count: 0 }
    }
    const { bids, asks } = this.#built
    let i = this.#built.count
    for (; i < segment.count && (segment.ids[i] ?? 0n) <= updateId; i++) {
      const ladder = segment.isAsk[i] === 1 ? asks : bids
      ladder.set(segment.prices[i] ?? 0n, segment.quantities[i] ?? 0n)
    }
    this.#built.updateId = updateId
    this.#built.count = i
    return { bids: bids.copy(), asks: asks.copy() }
  }

  /** The changes of the updates in (afterId, upToId], in order. Throws a RangeError like `bookAfter`. */
  *changes(afterId: bigint, upToId: bigint): Generator<PastChange> {
    this.#mustRemember(afterId)
    for (const segment of this.#segments) {
      if ((segment.ids[segment.count - 1] ?? 0n) <= afterId) continue
      for (let i = 0; i < segment.count; i++) {
        const updateId = segment.ids[i] ?? 0n
        if (updateId <= afterId) continue
        if (updateId > upToId) return
        yield {
          updateId,
          eventTimeNs: segment.times[i] ?? 0n,
          side: segment.isAsk[i] === 1 ? 'ask' : 'bid',
          price: segment.prices[i] ?? 0n,
          quantity: segment.quantities[i] ?? 0n,
        }
      }
    }
  }

  /** The ids that are remembered, growing; the first is that of the oldest book that can be built. */
  updateIds(): bigint[] {
    const ids = [this.#oldestUpdateId]
    for (const change of this.changes(this.#oldestUpdateId, this.#lastUpdateId)) {
      if (change.updateId !== ids.at(-1)) ids.push(change.updateId)
    }
    return ids
  }

  #mustRemember(updateId: bigint): void {
    if (updateId < this.#oldestUpdateId) {
      throw new RangeError(
        `update ${updateId} is forgotten: the oldest one remembered is ${this.#oldestUpdateId} (limit ${this.#limit} changes)`,
      )
    }
    if (updateId > this.#lastUpdateId) {
      throw new RangeError(`update ${updateId} has not come yet: the last one is ${this.#lastUpdateId}`)
    }
  }

  #forgetOldest(): void {
    const forgotten = this.#segments.shift()
    invariant(forgotten !== undefined, 'only a full history forgets')
    this.#oldestUpdateId = forgotten.ids[forgotten.count - 1] ?? this.#oldestUpdateId
  }
}

function newSegment(bids: Ladder, asks: Ladder): Segment {
  return {
    bids,
    asks,
    ids: new BigInt64Array(SEGMENT_CHANGES),
    times: new BigInt64Array(SEGMENT_CHANGES),
    prices: new BigInt64Array(SEGMENT_CHANGES),
    quantities: new BigInt64Array(SEGMENT_CHANGES),
    isAsk: new Uint8Array(SEGMENT_CHANGES),
    count: 0,
  }
}
