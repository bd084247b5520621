/**
 * How a key's nonces are counted, chosen when the key is made. `monotonic`: each is greater than the one before. `time`: Unix seconds
 * that the venue accepts within 30 s of its clock (docs/gemini.md, claim 28).
 */
export const NONCE_KINDS = ['monotonic', 'time'] as const
export type NonceKind = (typeof NONCE_KINDS)[number]

/** A nonce, or how long there is none yet. */
export type NextNonce = Readonly<{ nonce: bigint }> | Readonly<{ waitMs: bigint }>

/**
 * How far a nonce of kind `time` may run ahead of our clock when requests come faster than one a second: a third of the 30 s,
 * the rest is for the difference between our clock and the venue's.
 */
export const MAX_TIME_LEAD_S = 10n

const MS_PER_S = 1_000n

/**
 * The nonce after `last`: the time, or one more where time has not grown. So it never repeats and always grows, whatever the
 * clock does.
 *
 *   monotonic   last 1000   now 5000 ms   5000
 *   monotonic   last 9000   now 5000 ms   9001   the clock was set back
 *   time        last 4      now 5999 ms   5
 *   time        last 15     now 5999 ms   wait until it is 6 s
 */
export function nextNonce(kind: NonceKind, last: bigint, nowMs: bigint): NextNonce {
  const now = kind === 'time' ? nowMs / MS_PER_S : nowMs
  const nonce = last < now ? now : last + 1n
  const waitMs = kind === 'time' ? (nonce - MAX_TIME_LEAD_S) * MS_PER_S - nowMs : 0n
  return waitMs > 0n ? { waitMs } : { nonce }
}
