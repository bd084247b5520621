import { setTimeout as delay } from 'node:timers/promises'

/** The only door to time. `monoNs` never goes back and counts from an arbitrary point; `wallNs` is ns since 1970 UTC. */
export type Clock = Readonly<{
  monoNs(): bigint
  wallNs(): bigint
  /** Resolves after `ms`; rejects with the signal's `AbortError` when the signal fires first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}>

/** A longer timer fires at once in Node (it overflows 31 bits), so long sleeps are made of several. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1

/** Two readings further apart than this were interrupted between, and say nothing about the wall clock. */
export const UNDISTURBED_NS = 50_000n

const NS_PER_MS = 1_000_000n

/** What a clock reads from the system. */
export type TimeSource = Readonly<{ hrtimeNs(): bigint; dateMs(): number }>

export function systemClock(): Clock {
  return clockFrom({ hrtimeNs: () => process.hrtime.bigint(), dateMs: () => Date.now() })
}

/**
 * Joins the date, exact but cut to whole milliseconds, and the counter of nanoseconds, which knows no date.
 * The true wall time always lies in [date, date + 1 ms): the joined time is held inside that span, which finds the
 * offset between the two within a few readings and follows a clock that is set, by any distance, at the next reading.
 */
export function clockFrom(source: TimeSource): Clock {
  let offsetNs = BigInt(source.dateMs()) * NS_PER_MS - source.hrtimeNs()

  return {
    monoNs: () => source.hrtimeNs(),
    wallNs: () => {
      const before = source.hrtimeNs()
      const earliest = BigInt(source.dateMs()) * NS_PER_MS
      const after = source.hrtimeNs()
      if (after - before > UNDISTURBED_NS && isNear(before + offsetNs, earliest)) return after + offsetNs
      const latest = earliest + NS_PER_MS - 1n
      if (before + offsetNs < earliest) offsetNs = earliest - before
      else if (before + offsetNs > latest) offsetNs = latest - before
      return before + offsetNs
    },
    sleep,
  }
}

/** Off by less than a busy machine can pause us: no sign of a clock that was set. */
function isNear(wallNs: bigint, earliest: bigint): boolean {
  const distance = wallNs > earliest ? wallNs - earliest : earliest - wallNs
  return distance < 1000n * NS_PER_MS
}

async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  let left = Math.max(0, ms)
  do {
    const part = Math.min(left, LONGEST_TIMER_MS)
    await delay(part, undefined, signal === undefined ? {} : { signal })
    left -= part
  } while (left > 0)
}
