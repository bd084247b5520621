/**
 * An instant as Postgres reads it, cut (never rounded) to the microseconds a `timestamptz` holds:
 *
 *   1785312000123456789n  2026-07-29T08:00:00.123456Z
 *
 * Exact for every nanosecond count a `bigint` column holds (the years 1677 to 2262), before 1970 too.
 */
export function timestampText(timeNs: bigint): string {
  const digits = timeNs < 0n ? '' : timeNs.toString()
  if (digits.length < 10) return timestampTextOfParts(timeNs)
  // Ten digits and more: the seconds are all but the last nine, so no arithmetic is needed.
  return `${secondText(digits.slice(0, -9))}.${digits.slice(-9, -3)}Z`
}

/** Near and before 1970, where the digits alone do not give the parts. */
function timestampTextOfParts(timeNs: bigint): string {
  const restNs = ((timeNs % NS_PER_SECOND) + NS_PER_SECOND) % NS_PER_SECOND
  const seconds = (timeNs - restNs) / NS_PER_SECOND
  return `${secondText(seconds.toString())}.${restNs.toString().padStart(9, '0').slice(0, 6)}Z`
}

const NS_PER_SECOND = 1_000_000_000n

// Neighbouring rows share their second, so the calendar is asked once a second and not once a row.
let lastSeconds = ''
let lastText = ''

function secondText(seconds: string): string {
  if (seconds === lastSeconds) return lastText
  lastSeconds = seconds
  // Ten digits of seconds: far below 2^53, also in milliseconds.
  lastText = new Date(Number(seconds) * 1000).toISOString().slice(0, 19)
  return lastText
}
