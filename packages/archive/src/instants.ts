import type { Instant } from '@booktape/client'

export const NS_PER_MICROSECOND = 1_000n

/** Instants that are compared with receive times are cut to microseconds, as Postgres keeps them. */
export function toMicrosecond(timeNs: bigint): bigint {
  return timeNs - (((timeNs % NS_PER_MICROSECOND) + NS_PER_MICROSECOND) % NS_PER_MICROSECOND)
}

/** Nanoseconds since 1970 UTC, cut to the microsecond. Texts are ISO 8601 and without a zone UTC. @throws RangeError */
export function readInstant(instant: Instant): bigint {
  if (typeof instant === 'bigint') return toMicrosecond(instant)
  const [, date, time = '00:00', seconds = ':00', fraction = '', zone = 'Z'] = ISO.exec(instant) ?? []
  const ms = date === undefined ? Number.NaN : Date.parse(`${date}T${time}${seconds}${zone}`)
  if (Number.isNaN(ms)) throw new RangeError(`${JSON.stringify(instant)} is no instant: write 2026-03-01T10:00:00Z`)
  return toMicrosecond(BigInt(ms) * 1_000_000n + BigInt(fraction.padEnd(9, '0')))
}

const ISO = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d)?(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)?)?$/
