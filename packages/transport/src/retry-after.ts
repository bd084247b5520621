import { type TransportClock, toMs } from './clock.ts'

// A venue in maintenance may name hours. We ask again sooner: a late answer costs book time, a question costs little.
export const MAX_RETRY_AFTER_MS = 300_000

/**
 * Milliseconds to wait by a Retry-After header (RFC 9110, 10.2.3), at most `MAX_RETRY_AFTER_MS`.
 *
 *   "3"                              3000
 *   "Wed, 21 Oct 2026 07:28:00 GMT"  until then; 0 when it is past
 *   "soon", "-1", "1.5", none        null
 */
export function readRetryAfterMs(header: string | undefined, clock: Pick<TransportClock, 'wallNs'>): number | null {
  if (header === undefined) return null
  const text = header.trim()
  if (/^\d{1,9}$/.test(text)) return within(Number(text) * 1000)
  if (!/^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(text)) return null
  const dateMs = Date.parse(text)
  return Number.isNaN(dateMs) ? null : within(dateMs - toMs(clock.wallNs()))
}

function within(ms: number): number {
  return Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS)
}
