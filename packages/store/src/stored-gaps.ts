import type { Feed } from '@booktape/market'
import type { PoolClient } from 'pg'
import type { ReplayQuestion } from './book-spans.ts'
import { orStoreError } from './failure.ts'

/** A row of `market.gaps` of stream `book`, as instants; an open one ends where the question does. */
export type StoredGap = Readonly<{ feed: Feed; line: string; cause: string; startedNs: bigint; endedNs: bigint }>

/** The gaps of a symbol's book that touch [fromTime, toTime); feed null: of all feeds. Throws `StoreError`. */
export async function storedGaps(client: PoolClient, question: ReplayQuestion): Promise<readonly StoredGap[]> {
  type Row = Readonly<{ feed: Feed; line: string; cause: string; started_ns: bigint; ended_ns: bigint }>
  const { symbol, fromTime, toTime, feed } = question
  const { rows } = await orStoreError(() => client.query<Row>(GAPS, [symbol, fromTime, toTime, feed]))
  return rows.map((row) => ({
    feed: row.feed,
    line: row.line,
    cause: row.cause,
    startedNs: row.started_ns,
    endedNs: row.ended_ns,
  }))
}

const GAPS = `select g.feed, g.line, g.cause, booktape.nanoseconds(g.started_at) as started_ns,
  booktape.nanoseconds(least(g.ended_at, $3::timestamptz)) as ended_ns
from booktape.gaps g
where g.symbol = $1 and ($4::text is null or g.feed = $4) and g.stream = 'book'
  and g.started_at < $3 and (g.ended_at is null or g.ended_at > $2)
order by g.started_at`
