import { isCrossed } from '@booktape/book'
import { AUDIT_INTERVAL_MS } from './audit.ts'
import { msToNs } from './backoff.ts'
import type { Instant } from './event.ts'
import type { Track } from './track.ts'

/**
 * A book whose best bid is not below its best ask. It is told, never repaired by guessing: which of the two sides is wrong cannot
 * be known here. The venue is asked at once; when nobody bears the book out, and it stays so, it is taken anew.
 */
export type Crossing = {
  readonly sinceNs: bigint // monotonic
  messages: number
  /** The last message after which the book was in order; null where the venue's own snapshot was crossed. */
  readonly before: Readonly<{ at: Instant; updateId: bigint }> | null
}

/** A book that is crossed for this many messages is looked at at once. */
export const CROSSED_MESSAGES = 3
/** Time enough to ask the venue, and to hear that it is so there as well. */
export const CROSSED_MS = 10_000

/** After each message. `before`: the state that message met. True where the book is crossed. */
export function noteCrossing(track: Track, before: Crossing['before'], at: Instant): boolean {
  if (!isCrossed(track.book)) {
    track.crossing = null
    return false
  }
  track.crossing ??= { sinceNs: at.monoNs, messages: 0, before }
  if (++track.crossing.messages === CROSSED_MESSAGES) track.audit.dueNs = 0n
  return true
}

/** True once for a book that stays crossed and that nobody bore out: it is to be taken anew, as right only until it crossed. */
export function distrustCrossed(track: Track, at: Instant): boolean {
  const { crossing, audit } = track
  if (
    track.epoch === null ||
    crossing === null ||
    crossing.before === null ||
    at.monoNs - crossing.sinceNs < msToNs(CROSSED_MS)
  )
    return false
  if (audit.good.at.monoNs >= crossing.sinceNs) return false // the venue's book is crossed, too
  if (at.monoNs < track.crossedNotBeforeNs) return false
  track.crossedNotBeforeNs = at.monoNs + msToNs(AUDIT_INTERVAL_MS)
  if (crossing.before.at.monoNs > audit.good.at.monoNs) audit.good = crossing.before
  return true
}
