import { msToNs } from './backoff.ts'

/** What makes a whole book due: time, or the changes that whoever wants a book of the past would have to apply. */
export type SinceSnapshot = Readonly<{
  passedNs: bigint // since the last whole book, by the monotonic clock
  changes: number // price levels set since then
  levels: number // in the book now, both sides
}>

/** As many changes are applied within milliseconds, so a small book is not stored again sooner (docs/adr/0007-settled-chunks.md). */
export const MIN_CHANGES_BETWEEN_BOOKS = 10_000

/**
 * By the clock, so that a recording that breaks off is never far from a whole book; by volume, so that `book_at` in a storm costs what it
 * always costs. A book of many levels waits for as many changes, so that whole books never outweigh what changed them. One that
 * did not change is not stored again.
 */
export function isSnapshotDue({ passedNs, changes, levels }: SinceSnapshot, intervalMs: number): boolean {
  if (changes === 0) return false
  return passedNs >= msToNs(intervalMs) || changes >= Math.max(MIN_CHANGES_BETWEEN_BOOKS, levels)
}
