import type { Database } from './database.ts'
import { orStoreError } from './failure.ts'

/** A gap of a private feed that is over, and whose time REST has not been asked about. */
export type UnfilledGap = Readonly<{ journalId: string; position: string; feed: string }>

/** What is to be asked about, and from when; null where there is nothing. Times in nanoseconds. */
export type UnfilledGaps = Readonly<{ gaps: readonly UnfilledGap[]; fromNs: bigint; ordersFromNs: bigint }>

/** The most that one reading of the lists is for. */
export const MAX_GAPS_AT_ONCE = 500

/**
 * Orders are listed by their submission: the list must begin with the oldest that may have ended in a gap. Older ones than `lookbackNs`
 * before it are not looked for. Throws `StoreError`; on `AWAY`, ask again.
 */
export async function unfilledGaps(
  database: Database,
  keyFingerprint: string,
  lookbackNs: bigint,
): Promise<UnfilledGaps | null> {
  return await orStoreError(async () => {
    const { rows } = await database.pool.query<Row>(QUESTION, [keyFingerprint, MAX_GAPS_AT_ONCE])
    const [first] = rows
    if (first === undefined) return null
    const fromNs = first.from_ns
    const oldestNs = first.oldest_order_ns ?? fromNs
    const earliestNs = fromNs - lookbackNs
    const ordersFromNs = oldestNs > fromNs ? fromNs : oldestNs < earliestNs ? earliestNs : oldestNs
    const gaps = rows.map(({ journal_id, position, feed }) => ({
      journalId: journal_id,
      position: String(position),
      feed,
    }))
    return { gaps, fromNs, ordersFromNs }
  })
}

type Row = Readonly<{
  journal_id: string
  position: bigint
  feed: string
  from_ns: bigint
  oldest_order_ns: bigint | null
}>

const QUESTION = `select g.journal_id, g.position, g.feed, (extract(epoch from min(g.started_at) over ()) * 1000000000)::bigint as from_ns,
    (select (extract(epoch from min(o.first_received_time)) * 1000000000)::bigint from account.orders o
     where o.state in ('accepted', 'open', 'partially_filled', 'ended_unseen', 'closed') and o.key_fingerprint = $1) as oldest_order_ns
  from account.gaps g
  where g.key_fingerprint = $1 and g.state = 'closed' and g.started_at > '-infinity'
    and g.ended_at < now() - interval '2 seconds' -- what has just happened may not be listed yet
  order by g.started_at limit $2`
