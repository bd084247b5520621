/** Price levels as texts of the wire's spelling, in the order they are to be sent. */
export type Levels = Iterable<readonly [price: string, quantity: string]>

/** A book that can be asked for its best levels, best first; no limit: all of a side. */
export type BookLevels = Readonly<{
  lastUpdateId: bigint
  lastTimeNs: bigint
  bids(limit: number): Levels
  asks(limit: number): Levels
}>
