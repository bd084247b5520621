import type { Feed } from '@booktape/market'

/** What is exported at a time, finished or not at all: one symbol of one feed within one day, half-open, by receive time. */
export type Part = Readonly<{
  symbol: string
  feed: Feed | null // null: the one that is known first
  day: string // 2026-03-01, UTC
  fromNs: bigint
  toNs: bigint
}>

const NS_PER_DAY = 86_400_000_000_000n

/** The days of [fromNs, toNs), the first and the last maybe cut. */
export function partsOf(symbol: string, feed: Feed | null, fromNs: bigint, toNs: bigint): readonly Part[] {
  const parts: Part[] = []
  for (let at = fromNs; at < toNs; ) {
    const midnight = (at / NS_PER_DAY + 1n) * NS_PER_DAY
    const end = midnight < toNs ? midnight : toNs
    parts.push({ symbol, feed, day: isoTime(at).slice(0, 10), fromNs: at, toNs: end })
    at = end
  }
  return parts
}

/** `2026-03-01T10:00:00.123456789Z`. */
export function isoTime(timeNs: bigint): string {
  const seconds = new Date(Number(timeNs / 1_000_000_000n) * 1000).toISOString().slice(0, 19) // seconds: far below 2^53
  return `${seconds}.${(timeNs % 1_000_000_000n).toString().padStart(9, '0')}Z`
}
