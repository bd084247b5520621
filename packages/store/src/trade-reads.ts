import type { TradeRecord } from '@booktape/market'
import type { Database } from './database.ts'
import { orStoreError, type Retry, readFailure } from './failure.ts'
import { laterChecksum } from './ledger-checksums.ts'
import { tradeRowsOf } from './rows.ts'
import { storeRows } from './store-rows.ts'
import { timestampText } from './timestamp.ts'
import type { TradeConflict } from './trade-conflicts.ts'
import { inTransaction } from './transaction.ts'

/** Whose rows these are: no recorder's line. The recorder's own repair stores under the name of its line. */
export const BACKFILL_LINE = 'backfill'

/** Half-open, in nanoseconds since 1970 by the venue's clock. */
export type TradeSpan = Readonly<{ fromNs: bigint; untilNs: bigint }>

/** A row of `market.gaps` of stream `trades` that is not filled. */
export type TradeHole = Readonly<{
  gapId: string
  cause: string
  state: 'open' | 'closed' | 'unfillable'
  startedNs: bigint // our clock
  endedNs: bigint | null
  anchorId: bigint | null // the last trade before it, live; null where none is known
  endId: bigint | null // a trade after it, live: with it everything that the hole may lack has been read; null where none is known
}>

/** What was read from REST before. */
export type TradeRead = TradeSpan & Readonly<{ firstId: bigint | null; lastId: bigint | null }>

export type MissingTrades = Readonly<{
  spans: readonly TradeSpan[] // nobody recorded, and nobody read
  holes: readonly TradeHole[]
  reads: readonly TradeRead[]
}>

/** What may be missing of a symbol's trades in [fromTime, untilTime), in the order of time. Throws `StoreError`. */
export async function missingTrades(
  database: Database,
  symbol: string,
  fromTime: string,
  untilTime: string,
): Promise<MissingTrades> {
  type HoleRow = Readonly<{
    gap_id: string
    cause: string
    state: TradeHole['state']
    started_ns: bigint
    ended_ns: bigint | null
    anchor_id: bigint | null
    end_id: bigint | null
  }>
  type SpanRow = Readonly<{ from_ns: bigint; until_ns: bigint }>
  type ReadRow = SpanRow & Readonly<{ first_id: bigint | null; last_id: bigint | null }>
  const { pool } = database
  return await orStoreError(async () => {
    const spans = await pool.query<SpanRow>(SPANS, [symbol, fromTime, untilTime])
    const holes = await pool.query<HoleRow>(HOLES, [symbol, fromTime, untilTime])
    const reads = await pool.query<ReadRow>(READS, [symbol])
    return {
      spans: spans.rows.map((row) => ({ fromNs: row.from_ns, untilNs: row.until_ns })),
      holes: holes.rows.map((row) => ({
        gapId: row.gap_id,
        cause: row.cause,
        state: row.state,
        startedNs: row.started_ns,
        endedNs: row.ended_ns,
        anchorId: row.anchor_id,
        endId: row.end_id,
      })),
      reads: reads.rows.map((row) => ({
        fromNs: row.from_ns,
        untilNs: row.until_ns,
        firstId: row.first_id,
        lastId: row.last_id,
      })),
    }
  })
}

export type StoredTrades =
  | Readonly<{ outcome: 'committed'; added: number; conflicts: readonly TradeConflict[]; filled: readonly string[] }>
  | Retry // nothing is known to be stored: give the same page again

/** A page of trades, how far they are read with it, and the gaps that are proven to lack nothing with it. */
export type TradePage = Readonly<{
  symbol: string
  trades: readonly TradeRecord[]
  read: TradeRead | null
  filled: readonly string[]
}>

/**
 * Stores a page in one transaction, by the statements of the writer: a trade that stands stays, what is added is counted, one that came
 * with another content is a conflict. There is no journal, because nothing is lost with a page but the question for it.
 *
 * Throws StoreError as `Writer.write` does; a trade that the database refuses is `UNSTORABLE`.
 */
export async function storeTradePage(database: Database, page: TradePage): Promise<StoredTrades> {
  const { symbol, trades, read, filled } = page
  try {
    return await inTransaction<StoredTrades>(database, async (client) => {
      const { rows, conflicts } = await storeRows(client, tradeRowsOf(trades, BACKFILL_LINE), BACKFILL_LINE, null)
      const settled = filled.length === 0 ? [] : (await client.query<{ gap_id: string }>(FILL, [filled])).rows
      if (read !== null) {
        const { fromNs, untilNs, firstId, lastId } = read
        await client.query(NOTE, [symbol, timestampText(fromNs), timestampText(untilNs), firstId, lastId])
      }
      const answer = {
        outcome: 'committed',
        added: rows.trades,
        conflicts,
        filled: settled.map(({ gap_id }) => gap_id),
      } as const
      return { end: 'commit', answer }
    })
  } catch (error) {
    return readFailure(error)
  }
}

/** Within this of a book that is known, trades came live, or were read again by the recorder: two clocks, and what was under way. */
const EDGE = `interval '1 minute'`

/**
 * Trades may be missing wherever no line knew the book on any feed. Not where a gap of trades stands for it: a filled one says that REST was
 * read, and any other is a hole, which is read by its ids, if it has one.
 */
const SPANS = `with unheard as (
  select coalesce(range_agg(tstzrange(c.from_time, c.to_time)), '{}') as spans
  from market.coverage($1, null, $2, $3) c where c.state <> 'live'
), holes as (
  select coalesce(range_agg(tstzrange(g.started_at - ${EDGE}, g.ended_at + ${EDGE})), '{}') as spans
  from booktape.gaps g where g.symbol = $1 and g.stream = 'trades' and g.cause <> 'unstorable'
    and g.ended_at is not null and (g.state = 'filled' or g.from_id is not null)
), wanted as (
  select coalesce(range_agg(tstzrange(lower(s) - ${EDGE}, upper(s) + ${EDGE})), '{}') * tstzmultirange(tstzrange($2, $3)) as spans
  from unheard, holes, unnest(unheard.spans - holes.spans) s
), was_read as (
  select coalesce(range_agg(tstzrange(r.from_time, r.until_time)), '{}') as spans from booktape.trade_reads r where r.symbol = $1
)
select booktape.nanoseconds(lower(s)) as from_ns, booktape.nanoseconds(upper(s)) as until_ns
from wanted, was_read, unnest(wanted.spans - was_read.spans) s
order by lower(s)`

/**
 * What came live a minute before a hole has a lower id than anything the hole lacks, and what came a minute after it a higher one. The index
 * is by the venue's time, which is no further from ours than books allow our clock to step.
 */
const HOLES = `select g.gap_id, g.cause, g.state, booktape.nanoseconds(g.started_at) as started_ns, booktape.nanoseconds(g.ended_at) as ended_ns,
    coalesce(g.from_id, before.trade_id) as anchor_id, behind.trade_id as end_id
  from booktape.gaps g
  left join lateral (
    select max(t.trade_id) as trade_id from booktape.trades t
    where g.from_id is null and t.symbol = g.symbol and t.source <> 'rest' and t.received_time <= g.started_at - ${EDGE}
      and t.event_time >= g.started_at - 2 * booktape.clock_step() and t.event_time <= g.started_at + booktape.clock_step()
  ) before on true
  left join lateral (
    select min(t.trade_id) as trade_id from booktape.trades t
    where t.symbol = g.symbol and t.source <> 'rest' and t.received_time >= g.ended_at + ${EDGE}
      and t.event_time >= g.ended_at - booktape.clock_step() and t.event_time <= g.ended_at + 2 * booktape.clock_step()
  ) behind on true
  where g.symbol = $1 and g.stream = 'trades' and g.state <> 'filled' and g.started_at < $3 and (g.ended_at is null or g.ended_at > $2)
  order by g.started_at, g.gap_id`

const READS = `select booktape.nanoseconds(r.from_time) as from_ns, booktape.nanoseconds(r.until_time) as until_ns, r.first_id, r.last_id
  from booktape.trade_reads r where r.symbol = $1 order by r.from_time`

/** A gap that was given up takes back what its checksum had of that; whatever else was altered in it stays found. */
const FILL = `update booktape.gaps g set state = given.state,
    checksum = booktape.wrapped(g.checksum::numeric + ${laterChecksum('settled_gaps', 'given')}
      - case when g.state = 'unfillable' then ${laterChecksum('settled_gaps', 'g')} else 0 end)
  from (select gap_id, 'filled' as state from unnest($1::uuid[]) as gap_id) given
  where g.gap_id = given.gap_id and g.state in ('closed', 'unfillable')
  returning g.gap_id`

/** Two runs at once may note the same; the one that came further counts. */
const NOTE = `insert into booktape.trade_reads as r (symbol, from_time, until_time, first_id, last_id) values ($1, $2, $3, $4, $5)
  on conflict (symbol, from_time) do update
  set until_time = excluded.until_time, first_id = excluded.first_id, last_id = excluded.last_id
  where excluded.until_time >= r.until_time and excluded.last_id is not null or r.last_id is null`
