import type { Feed } from '@booktape/market'
import { COUNTED_BY, type CountedBy, type CountedRelation } from './counted-by.ts'

/**
 * What is verified: whole hours [fromTime, toTime) as Postgres reads instants, since rows are counted by the hour. Null: all there is. What belongs
 * to no symbol, feed or line of its own is verified with each.
 */
export type VerifySpan = Readonly<{
  fromTime: string | null
  toTime: string | null
  symbols: readonly string[] | null // lower case
  feed: Feed | null
  line: string | null
}>

export function spanValues({ fromTime, toTime, symbols, feed, line }: VerifySpan): unknown[] {
  return [fromTime, toTime, symbols, feed, line]
}

/** SQL: whether a row of a relation is of the span; `$1` to `$5` are `spanValues`, here and below. */
export function isOfSpan(relation: CountedRelation, of: string): string {
  const by = COUNTED_BY[relation]
  return `${isOfHours(columnOf(of, by.time))} and ${isOfPlace(by, of)}`
}

/** SQL: whether an instant is of the span. */
export function isOfHours(time: string): string {
  return `($1::timestamptz is null or ${time} >= $1) and ($2::timestamptz is null or ${time} < $2)`
}

/** SQL: whether a row is of the symbols, the feed and the line that are asked for. */
export function isOfPlace({ symbol, feed, line }: Pick<CountedBy, 'symbol' | 'feed' | 'line'>, of: string): string {
  return `($3::text[] is null or ${columnOf(of, symbol)} = any ($3) or ${columnOf(of, symbol)} = '')
    and ($4::text is null or ${columnOf(of, feed)} = $4 or ${columnOf(of, feed)} = '')
    and ($5::text is null or ${columnOf(of, line)} = $5 or ${columnOf(of, line)} = '')`
}

function columnOf(of: string, sql: string): string {
  return /^\w+$/.test(sql) ? `${of}.${sql}` : sql
}
