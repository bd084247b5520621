import type { Feed } from '@booktape/market'
import { type Backoff, backoffMs, MAX_RETRY_AFTER_MS, msToNs, PARK_BACKOFF, STABLE_MS } from './backoff.ts'
import type { CorridorEvent, Instant, Refusal } from './event.ts'
import type { Step } from './step.ts'

/**
 * One connection slot, from the wish to connect to the end of the connection. Knows nothing of books.
 *
 *   backing_off ──tick──► dialing ──dialing──► connecting ──opened──► open
 *        ▲                                        │ refused             │ closed, or hung up by us
 *        └────────────────────────────────────────┴─────────────────────┘
 */
export type Link =
  | Readonly<{ phase: 'backing_off'; attempt: number; resumeAtNs: bigint }>
  | Readonly<{ phase: 'dialing'; attempt: number }> // ordered; waiting for the dial budget
  | Readonly<{ phase: 'connecting'; attempt: number; connection: number; sessionId: string; url: string }>
  | OpenLink

export type OpenLink = {
  readonly phase: 'open'
  readonly attempt: number
  readonly connection: number
  readonly sessionId: string
  readonly openedNs: bigint // monotonic
  heard: Instant // the last frame of any kind
}

/** A slot that connects as soon as the budget lets it. */
export function newLink(): Link {
  return { phase: 'backing_off', attempt: 0, resumeAtNs: 0n }
}

export function dialWhenDue(link: Link, at: Instant, session: string, feed: Feed, url: string, step: Step): Link {
  if (link.phase !== 'backing_off' || at.monoNs < link.resumeAtNs) return link
  step.orders.push({ kind: 'dial', session, feed, url })
  return { phase: 'dialing', attempt: link.attempt }
}

export function onDialing(link: Link, event: Extract<CorridorEvent, { kind: 'dialing' }>): Link {
  const { connection, sessionId, url } = event
  return { phase: 'connecting', attempt: link.attempt, connection, sessionId, url }
}

export function onOpened(
  link: Extract<Link, { phase: 'connecting' }>,
  feed: Feed,
  session: string,
  at: Instant,
  step: Step,
): OpenLink {
  const { attempt, connection, sessionId, url } = link
  step.records.push({ kind: 'session_opened', sessionId, feed, url, receivedTimeNs: at.wallNs })
  step.observations.push({ kind: 'connect', feed, session, result: 'opened', reason: url })
  return { phase: 'open', attempt, connection, sessionId, openedNs: at.monoNs, heard: at }
}

/** What the session says of the end of an open connection. */
export function recordClosed(
  link: OpenLink,
  feed: Feed,
  session: string,
  at: Instant,
  code: number | null,
  reason: string,
  step: Step,
): void {
  step.records.push({ kind: 'session_closed', sessionId: link.sessionId, code, reason, receivedTimeNs: at.wallNs })
  step.observations.push({ kind: 'connect', feed, session, result: 'closed', reason })
}

/** Ends a connection that nothing depends on any more, in whatever phase it is. */
export function hangUpUnused(link: Link, feed: Feed, session: string, at: Instant, step: Step): void {
  if (link.phase !== 'open' && link.phase !== 'connecting') return
  step.orders.push({ kind: 'hang_up', connection: link.connection })
  if (link.phase === 'open') recordClosed(link, feed, session, at, null, 'rotation', step)
}

/** Failures in a row, this one included; a connection that was stable forgets the ones before it. */
export function nextAttempt(link: Link, at: Instant): number {
  const wasStable = link.phase === 'open' && at.monoNs - link.openedNs >= msToNs(STABLE_MS)
  return wasStable ? 1 : link.attempt + 1
}

/** How long to wait after a refusal: its own word first, and ever longer where asking again cannot help soon. */
export function refusalWaitMs(refusal: Refusal, backoff: Backoff, attempt: number, session: string): number {
  const { status, retryAfterMs } = refusal
  const hopeless = status !== null && status >= 400 && status < 500 && status !== 408 && status !== 429
  const waitMs = backoffMs(hopeless ? PARK_BACKOFF : backoff, attempt, session)
  return Math.max(waitMs, Math.min(retryAfterMs ?? 0, MAX_RETRY_AFTER_MS))
}

export function backOff(at: Instant, attempt: number, waitMs: number): Link {
  return { phase: 'backing_off', attempt, resumeAtNs: at.monoNs + msToNs(waitMs) }
}
