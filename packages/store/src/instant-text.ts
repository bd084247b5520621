import { timestampText } from './timestamp.ts'

/** SQL that gives an instant for `instantText`, whatever it is: years that no nanosecond count holds and infinities too. */
export const instantCell = (column: string): string => `extract(epoch from ${column})::text`

/** An instant as the writer spells it (timestamp.ts), from the seconds since 1970 that Postgres gives; what is none stays as it is. */
export function instantText(seconds: string): string {
  const [, whole, micros] = /^(-?\d+)\.(\d{6})$/.exec(seconds) ?? []
  if (whole === undefined || micros === undefined) return seconds
  const sign = whole.startsWith('-') ? -1n : 1n
  return timestampText(sign * BigInt(whole.replace('-', '') + micros) * 1_000n)
}
