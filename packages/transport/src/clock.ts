/** The two clocks of `packages/runtime` as far as this package needs them. */
export type TransportClock = Readonly<{
  monoNs(): bigint // never goes back; for waiting
  wallNs(): bigint // nanoseconds since 1970 UTC; only to read a Retry-After that names a date
}>

const NS_PER_MS = 1_000_000n

/** Milliseconds of a clock reading, cut. Exact in a number until the year 287,000. */
export function toMs(ns: bigint): number {
  return Number(ns / NS_PER_MS)
}
