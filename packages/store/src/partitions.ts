import { sql } from 'kysely'
import type { Database } from './database.ts'
import { orStoreError } from './failure.ts'
import { inTransaction } from './transaction.ts'

/** A week: long enough for a holiday in which nobody looks at an alarm. */
export const DAYS_AHEAD = 7

const PARTITIONED_TABLES = ['book_messages', 'book_chunks', 'book_snapshots', 'quotes'] as const

/**
 * Makes the day partitions of today and the days ahead, and gives how many were missing. `todayUtc`: `YYYY-MM-DD`.
 * May run in several processes at once. Throws `StoreError`; `AWAY` when a lock or the database is not to be had now.
 */
export async function ensurePartitions(
  database: Database,
  todayUtc: string,
  daysAhead: number = DAYS_AHEAD,
): Promise<number> {
  return await orStoreError(() =>
    inTransaction(database, async (client) => {
      // Two starters would both find a partition missing, and one would fail to make it.
      await client.query(`select pg_advisory_xact_lock(hashtextextended('booktape partitions', 0))`)
      const made = await client.query<{ made: number }>(`select booktape.make_partitions($1::date, $2::int) as made`, [
        todayUtc,
        daysAhead + 1,
      ])
      return { end: 'commit', answer: made.rows[0]?.made ?? 0 }
    }),
  )
}

/** Enough to tell how bad it is; counting all of a forgotten month would hold the recorder up. */
export const MAX_COUNTED_ROWS = 10_000

/** Rows of days that nobody made a partition for, counted up to a limit: not lost, but an alarm. Throws `StoreError`. */
export async function defaultPartitionRows(
  database: Database,
): Promise<Readonly<Record<(typeof PARTITIONED_TABLES)[number], bigint>>> {
  return await orStoreError(async () => {
    const { rows } = await sql<Record<(typeof PARTITIONED_TABLES)[number], bigint>>`select
      (select count(*) from (select from booktape.book_messages_default limit ${MAX_COUNTED_ROWS}) few) as book_messages,
      (select count(*) from (select from booktape.book_chunks_default limit ${MAX_COUNTED_ROWS}) few) as book_chunks,
      (select count(*) from (select from booktape.book_snapshots_default limit ${MAX_COUNTED_ROWS}) few) as book_snapshots,
      (select count(*) from (select from booktape.quotes_default limit ${MAX_COUNTED_ROWS}) few) as quotes`.execute(
      database.queries,
    )
    return rows[0] ?? { book_messages: 0n, book_chunks: 0n, book_snapshots: 0n, quotes: 0n }
  })
}
