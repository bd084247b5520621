/**
 * Doubling with a cap, and a jitter that is a function of the name: the same in every replay, different for each. What has failed
 * `patience` times in a row will fail for longer, and is asked at the second cap from then on.
 */
export type Backoff = Readonly<{ firstMs: number; capMs: number; patience: number; laterCapMs: number }>

/** As the venue's own clients wait; a book that was lost again and again is back within seconds of the last fault all the same. */
export const RESYNC_BACKOFF: Backoff = { firstMs: 250, capMs: 4_000, patience: 20, laterCapMs: 30_000 }
/** For some minutes we knock every four seconds, sixty times in five minutes at most; a venue that is away for longer is asked once a minute. */
export const DIAL_BACKOFF: Backoff = { firstMs: 500, capMs: 4_000, patience: 55, laterCapMs: 60_000 }
/** v1 asks for a minute between two dials of one symbol anyway: there the wait grows to it at once. */
export const V1_DIAL_BACKOFF: Backoff = { firstMs: 500, capMs: 60_000, patience: 0, laterCapMs: 60_000 }
/** A symbol that the venue refuses may be listed some day: asked again after a minute, then ever more rarely. */
export const PARK_BACKOFF: Backoff = { firstMs: 60_000, capMs: 3_600_000, patience: 0, laterCapMs: 3_600_000 }
/** Retry-After is obeyed up to here, so that one bad header cannot stop a recorder for a day. */
export const MAX_RETRY_AFTER_MS = 300_000
/** A connection or a book that lasted this long was good: its failures are forgotten. */
export const STABLE_MS = 60_000
/** The old feed's advice: one request a symbol a minute (docs/gemini.md, claim 25). */
export const V1_SAME_SYMBOL_MS = 60_000

/**
 * Milliseconds before attempt `attempt` (1 is the first retry): half fixed, half by jitter, and in the end the cap itself, so
 * that a venue that is away for hours is asked exactly that often.
 */
export function backoffMs(backoff: Backoff, attempt: number, name: string): number {
  const whole = backoff.firstMs * 2 ** Math.min(attempt - 1, 30)
  const capMs = attempt > backoff.patience ? backoff.laterCapMs : backoff.capMs
  return Math.min(capMs, Math.round(whole / 2 + (whole / 2) * fraction(`${name}#${attempt}`)))
}

/** FNV-1a over the text, as a fraction of one. */
export function fraction(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return (hash >>> 0) / 2 ** 32
}

export const msToNs = (ms: number): bigint => BigInt(Math.round(ms)) * 1_000_000n
