import type { PoolClient } from 'pg'
import { COUNTED_BY, type CountedRelation } from './counted-by.ts'
import { orStoreError } from './failure.ts'
import { keysOf } from './stored-columns.ts'
import { isOfHours, isOfPlace, isOfSpan, spanValues, type VerifySpan } from './verify-span.ts'

/** An hour of a relation in which there are not the rows that were written. */
export type TallyFault = Readonly<{
  relation: CountedRelation
  symbol: string
  feed: string
  line: string
  hour: string // when it begins: `2026-07-29T08:00Z`
  written: bigint
  found: bigint // as many as written: they are others
}>

export const COUNTED_RELATIONS: readonly CountedRelation[] = keysOf(COUNTED_BY)
/** Of each relation: whoever has more has lost it. */
const MAX_FAULTS = 1_000

/** What was written to a relation in a span and is not there, or the other way round. `client` is in a transaction. Throws `StoreError`. */
export async function tallyFaults(
  client: PoolClient,
  relation: CountedRelation,
  span: VerifySpan,
): Promise<readonly TallyFault[]> {
  const { symbol, feed, line, time, checksum } = COUNTED_BY[relation]
  const sql = `select '${relation}' as relation, symbol, feed, line,
      to_char(hour at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI"Z"') as hour, coalesce(w.row_count, 0) as written,
      coalesce(f.row_count, 0) as found
    from (
      select t.symbol, t.feed, t.line, t.hour, t.row_count, t.checksum from booktape.tallies t
      where t.relation = '${relation}' and ${OF_TALLIES}
    ) w
    full join (
      select ${symbol} as symbol, ${feed} as feed, ${line} as line, booktape.hour_of(${time}) as hour,
        sum(r.weight)::bigint as row_count, booktape.wrapped(sum(${checksum})) as checksum
      from ${FROM[relation] ?? `(select *, 1 as weight from booktape.${relation}) r`}
      where ${isOfSpan(relation, 'r')}
      group by 1, 2, 3, 4
    ) f using (symbol, feed, line, hour)
    where coalesce(w.row_count, 0) <> coalesce(f.row_count, 0) or coalesce(w.checksum, 0) <> coalesce(f.checksum, 0)
    order by hour, symbol, feed, line
    limit ${MAX_FAULTS}`
  return (await orStoreError(() => client.query<TallyFault>(sql, spanValues(span)))).rows
}

/** How many rows were written in a span. Throws `StoreError`. */
export async function tallied(client: PoolClient, span: VerifySpan): Promise<bigint> {
  const sql = `select coalesce(sum(t.row_count), 0)::bigint as rows from booktape.tallies t where ${OF_TALLIES}`
  const { rows } = await orStoreError(() => client.query<{ rows: bigint }>(sql, spanValues(span)))
  return rows[0]?.rows ?? 0n
}

const OF_TALLIES = `${isOfHours('t.hour')} and ${isOfPlace({ symbol: 'symbol', feed: 'feed', line: 'line' }, 't')}`

/** Where a row of the relation is not a row of its table. */
const FROM: Readonly<Partial<Record<CountedRelation, string>>> = {
  book_messages: `(
    select symbol, feed, line, received_time, 1 as weight, checksum from booktape.book_messages
    union all
    select symbol, feed, line, received_from, cardinality(seq_steps), checksum from booktape.book_chunks) r`,
  omitted_runs: `(select o.from_time, e.symbol, e.feed, e.line, 1 as weight
    from booktape.omitted_runs o join booktape.epochs e using (epoch_id)) r`,
}
