import type { PoolClient } from 'pg'
import { orStoreError } from './failure.ts'
import { instantCell, instantText } from './instant-text.ts'
import type { MessageRange } from './stored-messages.ts'
import { isOfSpan, spanValues, type VerifySpan } from './verify-span.ts'

/** The messages and whole books of one epoch that are stored in a span, and what the ledger says of the epoch. */
export type EpochToVerify = Readonly<{
  epochId: string
  symbol: string // as the first of them has it, as are feed and line
  feed: string
  line: string
  /** From the last whole book at or before the first message on. */
  range: MessageRange
  ledger: EpochLedger | null // null: no such epoch
  isRefused: boolean // the database refused the epoch, and a gap says so
  /** Messages that the ledger says are not there: refused by the database, or kept by another line. Numbers of the first and the last. */
  holes: readonly Readonly<{ firstSeq: bigint; lastSeq: bigint }>[]
}>

export type EpochLedger = Readonly<{
  startedAt: string
  firstUpdateId: bigint
  /** What its last message must say; null while it is live, where it goes on after the span, and where it was not believed to its end. */
  lastUpdateId: bigint | null
}>

/** All epochs that have something stored in a span, with or without a row of their own. `client` is in a transaction. Throws `StoreError`. */
export async function epochsToVerify(client: PoolClient, span: VerifySpan): Promise<readonly EpochToVerify[]> {
  const { rows } = await orStoreError(() => client.query<Row>(EPOCHS, spanValues(span)))
  return rows.map((row) => ({
    epochId: row.epoch_id,
    symbol: row.symbol,
    feed: row.feed,
    line: row.line,
    range: {
      epochId: row.epoch_id,
      line: row.line,
      afterSeq: row.opening_seq ?? row.first_seq - 1n,
      lastSeq: row.last_seq,
      fromTime: row.from_time,
      untilTime: row.until_time,
    },
    ledger:
      row.started_at === null || row.first_update_id === null
        ? null
        : {
            startedAt: instantText(row.started_at),
            firstUpdateId: row.first_update_id,
            lastUpdateId: row.is_whole ? row.last_update_id : null,
          },
    isRefused: row.is_refused,
    holes: (row.holes ?? []).map((hole) => {
      const [first = '', last = ''] = hole.split('..')
      return { firstSeq: BigInt(first), lastSeq: BigInt(last) }
    }),
  }))
}

type Row = Readonly<{
  epoch_id: string
  symbol: string
  feed: string
  line: string
  first_seq: bigint
  last_seq: bigint
  opening_seq: bigint | null
  from_time: string
  until_time: string
  started_at: string | null
  first_update_id: bigint | null
  last_update_id: bigint | null
  is_whole: boolean | null
  is_refused: boolean
  holes: string[] | null
}>

const EPOCHS = `with seen as (
    select m.epoch_id, m.symbol, m.feed, m.line, m.message_seq as first_seq, m.message_seq as last_seq,
      m.received_time as from_time, m.received_time as until_time
    from booktape.book_messages m where ${isOfSpan('book_messages', 'm')}
    union all
    select c.epoch_id, c.symbol, c.feed, c.line, c.first_seq, c.last_seq, c.received_from, c.received_to
    from (select *, received_from as received_time from booktape.book_chunks) c where ${isOfSpan('book_messages', 'c')}
    union all
    select s.epoch_id, s.symbol, s.feed, s.line, s.message_seq, s.message_seq, s.received_time, s.received_time
    from booktape.book_snapshots s where ${isOfSpan('book_snapshots', 's')}
  ),
  ranges as (
    select s.epoch_id, min(s.symbol) as symbol, min(s.feed) as feed, min(s.line) as line, min(s.first_seq) as first_seq,
      max(s.last_seq) as last_seq, min(s.from_time) as from_time, max(s.until_time) as until_time
    from seen s group by s.epoch_id
  )
  select r.epoch_id, r.symbol, r.feed, r.line, r.first_seq, r.last_seq, opening.message_seq as opening_seq,
    least(r.from_time, opening.received_time)::text as from_time, r.until_time::text as until_time,
    ${instantCell('e.started_at')} as started_at, e.first_update_id, e.last_update_id,
    e.ended_at is not null and e.end_reason not in ('divergence', 'journal_damaged') and ($2::timestamptz is null or e.ended_at < $2) as is_whole,
    exists (select from booktape.gaps g where g.epoch_id = r.epoch_id and g.message_seq is null) as is_refused, holes.all as holes
  from ranges r
  left join booktape.epochs e using (epoch_id)
  left join lateral (
    select s.message_seq, s.received_time from booktape.book_snapshots s
    where s.epoch_id = r.epoch_id and s.message_seq <= r.first_seq
      and s.received_time >= coalesce(e.started_at, r.from_time) - booktape.clock_step()
      and s.received_time <= r.from_time + booktape.clock_step()
    order by s.message_seq desc limit 1
  ) opening on true
  left join lateral (
    select array_agg(h.first_seq || '..' || h.last_seq order by h.first_seq) as all
    from (
      select g.message_seq as first_seq, g.message_seq as last_seq from booktape.gaps g
      where g.epoch_id = r.epoch_id and g.message_seq is not null
      union all
      select o.first_seq, o.last_seq from booktape.omitted_runs o where o.epoch_id = r.epoch_id
    ) h
  ) holes on true
  order by r.symbol, r.feed, r.line, r.from_time`
