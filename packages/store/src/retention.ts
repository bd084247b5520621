import type { Database } from './database.ts'
import { orStoreError } from './failure.ts'
import { inTransaction } from './transaction.ts'

/** One day of one big table. */
export type DayPartition = Readonly<{
  day: string // YYYY-MM-DD
  partition: string
  bytes: bigint // indexes and all
  kept: 'not archived' | null // why it stays, though it is old enough
}>

/**
 * The day partitions of the days before `firstKeptDay` (`YYYY-MM-DD`), oldest first. With `isArchived`, a day is kept until it and the
 * next stand in `booktape.archived_days`. Throws `StoreError`.
 */
export async function oldPartitions(
  database: Database,
  firstKeptDay: string,
  isArchived: boolean,
): Promise<readonly DayPartition[]> {
  return await orStoreError(async () => {
    const archived = isArchived ? await archivedDays(database) : null
    const { rows } = await database.pool.query<Omit<DayPartition, 'kept'>>(OLD_PARTITIONS, [firstKeptDay])
    return rows.map((row) => ({
      ...row,
      kept: archived === null || archived.has(row.day) ? null : 'not archived',
    }))
  })
}

/**
 * Drops one day of one table. Readers and writers of other days wait for it no longer than a lock is waited for; whoever waits longer
 * for this one finds `AWAY`: drop it another time. A partition that is gone is no error. What it held is no longer counted, so that
 * "booktape verify" does not miss it. Throws `StoreError`; `REFUSED` without the rights of the tables' owner.
 */
export async function dropPartition(database: Database, { day, partition }: DayPartition): Promise<void> {
  const relation = partition.replace(/_\d{8}$/, '').replace('book_chunks', 'book_messages')
  await orStoreError(() =>
    inTransaction(database, async (client) => {
      await client.query(`drop table if exists booktape."${partition.replaceAll('"', '""')}"`)
      await client.query(FORGET_DAY, [relation, day])
      return { end: 'commit', answer: undefined }
    }),
  )
}

const FORGET_DAY = `delete from booktape.tallies
  where relation = $1 and hour >= $2::date::timestamp at time zone 'UTC' and hour < ($2::date + 1)::timestamp at time zone 'UTC'`

/**
 * Days that are archived and whose next day is too: that one's first book is made from what is stored of this one. A note that is not what
 * `booktape archive` wrote counts for nothing.
 */
async function archivedDays(database: Database): Promise<ReadonlySet<string>> {
  const { rows } = await database.pool.query<{ day: string }>(
    `with noted as (select a.day from booktape.archived_days a where a.checksum = booktape.checksum_of(a))
     select to_char(n.day, 'YYYY-MM-DD') as day from noted n where exists (select from noted next where next.day = n.day + 1)`,
  )
  return new Set(rows.map(({ day }) => day))
}

/** By name, as make_partition gives it; the default partitions have no day and stay. */
const OLD_PARTITIONS = `select regexp_replace(right(c.relname, 8), '(....)(..)(..)', '\\1-\\2-\\3') as day, c.relname as partition,
    pg_total_relation_size(c.oid) as bytes
  from pg_inherits i
  join pg_class c on c.oid = i.inhrelid
  join pg_class parent on parent.oid = i.inhparent
  where parent.relnamespace = 'booktape'::regnamespace
    and parent.relname in ('book_messages', 'book_chunks', 'book_snapshots', 'quotes')
    and c.relname ~ ('^' || parent.relname || '_[0-9]{8}$')
    and right(c.relname, 8) < to_char($1::date, 'YYYYMMDD')
  order by 1, 2`
