import { counting, discounting } from './counted-by.ts'
import { begunChecksum, changedChecksum, ledgerChecksum } from './ledger-checksums.ts'
import {
  CHANGED_COLUMNS,
  type Change,
  type ColumnType,
  type CopiedTable,
  DISCLOSED_COLUMNS,
  KNOWN_BOOK_COLUMNS,
  mapValues,
  STORED_COLUMNS,
  type StoredTable,
} from './stored-columns.ts'

/** What `columns` hold, as a list to select from: `unnest($1::uuid[], …) as given(session_id, …)`. */
function given(columns: Readonly<Record<string, ColumnType>>): string {
  const names = Object.keys(columns)
  const arrays = Object.values(columns).map((type, i) => `$${i + 1}::${ARRIVES_AS[type]}[]`)
  return `unnest(${arrays.join(', ')}) as given(${names.join(', ')})`
}

const ARRIVES_AS = {
  uuid: 'uuid',
  text: 'text',
  timestamptz: 'timestamptz',
  bigint: 'bigint',
  integer: 'integer',
  numeric: 'numeric',
  'numeric[]': 'text',
  bytea: 'text',
} as const satisfies Record<ColumnType, string>

function selected(name: string, type: ColumnType): string {
  if (type === 'numeric[]') return `${name}::numeric[]`
  if (type === 'bytea') return `decode(${name}, 'hex')`
  return name
}

/** Natural keys decide: a row that stands stays as it is. Each gives what it added, as `CountedRows`. */
export const INSERTS: Readonly<Record<StoredTable, string>> = mapValues(STORED_COLUMNS, (table, columns) => {
  const names = Object.keys(columns)
  const values = Object.entries(columns).map(([name, type]) => selected(name, type))
  if (table === 'sessions' || table === 'epochs' || table === 'gaps') {
    names.push('checksum')
    values.push(begunChecksum(table, 'given'))
  }
  const insert = `insert into booktape.${table} (${names.join(', ')}) select ${values.join(', ')} from ${given(columns)} on conflict do nothing`
  return counting(table, insert)
})

export const COPIES: Readonly<Record<CopiedTable, string>> = {
  book_messages: copyOf('book_messages'),
  quotes: copyOf('quotes'),
}

function copyOf(table: CopiedTable): string {
  const names = Object.keys(STORED_COLUMNS[table]).join(', ')
  return `copy booktape.${table} (${names}) from stdin with (format csv, null 'NULL', escape '\\')`
}

/** Each changes a row at most once: what is closed stays as it was closed. */
export const CHANGES: Readonly<Record<Change, string>> = {
  broken_trades: `update booktape.trades t set broken = true, ${changedChecksum('t', 'broken_trades', 'given')}
    from ${given(CHANGED_COLUMNS.broken_trades)}
    where t.symbol = given.symbol and t.trade_id = given.trade_id and not t.broken`,
  closed_sessions: `update booktape.sessions s set closed_at = given.closed_at, close_code = given.close_code,
    close_reason = given.close_reason, ${changedChecksum('s', 'closed_sessions', 'given')}
    from ${given(CHANGED_COLUMNS.closed_sessions)}
    where s.session_id = given.session_id and s.closed_at is null`,
  ended_epochs: `update booktape.epochs e set ended_at = given.ended_at, last_update_id = given.last_update_id,
    end_reason = given.end_reason, ${changedChecksum('e', 'ended_epochs', 'given')}
    from ${given(CHANGED_COLUMNS.ended_epochs)}
    where e.epoch_id = given.epoch_id and e.ended_at is null`,
  // An epoch begins: an earlier one of the same line, symbol and feed that was never ended has outlived its journal, and ends
  // with the last message that it has. But while shards are divided anew, a symbol is on its old and its new one for a while: a
  // journal of another shard that was just written ends its epochs itself.
  outlived_epochs: `update booktape.epochs e set ended_at = outlived.ended_at, last_update_id = outlived.last_update_id,
    end_reason = outlived.end_reason, ${changedChecksum('e', 'ended_epochs', 'outlived')}
    from (
      select o.epoch_id, 'restart' as end_reason, coalesce(
        greatest(
        (select max(m.received_time) from booktape.book_messages m where m.epoch_id = o.epoch_id and m.received_time >= o.started_at),
        (select max(c.received_to) from booktape.book_chunks c where c.epoch_id = o.epoch_id and c.received_from >= o.started_at)),
        o.started_at) as ended_at, coalesce(greatest(
        (select max(m.update_id) from booktape.book_messages m where m.epoch_id = o.epoch_id and m.received_time >= o.started_at),
        (select max(c.last_update_id) from booktape.book_chunks c where c.epoch_id = o.epoch_id and c.received_from >= o.started_at)),
        o.first_update_id) as last_update_id
      from ${given(CHANGED_COLUMNS.outlived_epochs)}
      join booktape.epochs o on o.symbol = given.symbol and o.feed = given.feed and o.line = given.line and o.ended_at is null
        and o.started_at < given.started_at and o.epoch_id <> given.epoch_id
      where not exists (
        select from booktape.journals theirs join booktape.journals ours on ours.journal_id = given.journal_id
        where theirs.journal_id = o.journal_id and theirs.shard <> ours.shard
          and theirs.recorded_until > given.started_at - interval '1 hour')
    ) outlived
    where e.epoch_id = outlived.epoch_id and e.ended_at is null`,
  closed_gaps: `update booktape.gaps g set to_id = given.to_id, ended_at = given.ended_at, state = 'closed',
    ${changedChecksum('g', 'closed_gaps', 'given')}
    from ${given(CHANGED_COLUMNS.closed_gaps)} where g.gap_id = given.gap_id and g.ended_at is null`,
  settled_gaps: `update booktape.gaps g set state = given.state, ${changedChecksum('g', 'settled_gaps', 'given')}
    from ${given(CHANGED_COLUMNS.settled_gaps)}
    where g.gap_id = given.gap_id and g.state = 'closed'`,
  withdrawn_gaps: discounting(
    'gaps',
    `delete from booktape.gaps g using ${given(CHANGED_COLUMNS.withdrawn_gaps)} where g.gap_id = given.gap_id`,
  ),
}

const DISCLOSED_NAMES = Object.keys(DISCLOSED_COLUMNS).join(', ')

/** Adds gaps with all that they will ever have, from a list to select from named `made`. */
function insertGaps(made: string): string {
  const insert = `insert into booktape.gaps (${DISCLOSED_NAMES}, checksum)
    select ${DISCLOSED_NAMES}, ${ledgerChecksum('gaps', 'made')} from (${made}) made on conflict do nothing`
  return counting('gaps', insert)
}

export const DISCLOSE: string = insertGaps(
  `select ${Object.keys(DISCLOSED_COLUMNS).map(disclosed).join(', ')} from ${given(DISCLOSED_COLUMNS)}`,
)

/** A book is known until the instant before the message that is missing. */
function disclosed(name: string): string {
  return name === 'started_at'
    ? `case when epoch_id is null then started_at else started_at - interval '1 microsecond' end as started_at`
    : name
}

/**
 * Given whole books that were stored: a book is known again from the first whole one after what is missing. Within an epoch the
 * number of the message decides; a missing epoch (no number) lasts until another one.
 */
export const END_DOUBTS: string = `update booktape.gaps g set to_id = known.to_id, ended_at = known.ended_at, state = 'closed',
    ${changedChecksum('g', 'closed_gaps', 'known')}
  from (
    select distinct on (open.gap_id) open.gap_id, given.update_id as to_id, given.received_time as ended_at
    from ${given(KNOWN_BOOK_COLUMNS)}
    join booktape.gaps open on open.symbol = given.symbol and open.feed = given.feed and open.line = given.line
    where open.epoch_id is not null and open.ended_at is null and (
      (open.epoch_id = given.epoch_id and open.message_seq <= given.message_seq)
      or (open.epoch_id <> given.epoch_id and open.started_at < given.received_time - interval '1 microsecond'))
    order by open.gap_id, open.epoch_id <> given.epoch_id,
      case when open.epoch_id <> given.epoch_id then given.received_time end, given.message_seq
  ) known
  where g.gap_id = known.gap_id and g.ended_at is null`

/**
 * A recorder whose journal, or whose state, was lost knows nothing of what it had stored before. What only it could have gone on with is taken over
 * when an epoch begins and when a gap is filled. After all changes of a batch: what it says itself stands.
 */
const BEGUN = given(CHANGED_COLUMNS.outlived_epochs)
/** A clock that was set back has things begin before what they follow. By no more than this, so that not all of history is read. */
const FARTHEST_SET_BACK = `interval '2 days'`
const sameBook = (of: 'epochs' | 'gaps'): string => `booktape.${of} n
        where n.symbol = given.symbol and n.feed = given.feed and n.line = given.line and n.started_at < next.started_at + ${FARTHEST_SET_BACK}
          and n.started_at > last.started_at - ${FARTHEST_SET_BACK}`
const told = (of: 'epochs' | 'gaps'): string =>
  `select n.started_at, n.ended_at from ${sameBook(of)} and n.started_at < next.started_at and (n.ended_at is null or n.ended_at > last.ended_at)`
export const SUCCESSIONS: Readonly<Partial<Record<Change, readonly string[]>>> = {
  outlived_epochs: [
    // Whatever of the time between two epochs neither a gap nor another epoch tells of is a hole that nobody knew. There is none after a rotation;
    // nor where the recorder itself knew what came before: its gap ends with this epoch; nor, by the new API's ids, where an epoch ended at the
    // very id at which this one begins (docs/gemini.md, claim 12).
    insertGaps(`select md5(last.epoch_id::text || given.epoch_id::text || lower(hole.span)::text)::uuid as gap_id, given.journal_id,
        given.line, given.symbol, given.feed, 'book' as stream,
        case when lower(hole.span) = last.ended_at then last.last_update_id end as from_id,
        case when upper(hole.span) = next.started_at and next.first_update_id >= last.last_update_id then next.first_update_id
          end as to_id,
        lower(hole.span) as started_at, upper(hole.span) as ended_at, 'restart' as cause, 'closed' as state, null::uuid as epoch_id,
        null::bigint as message_seq
      from ${BEGUN} join booktape.epochs next on next.epoch_id = given.epoch_id
      cross join lateral (
        select e.epoch_id, e.last_update_id, e.started_at, e.ended_at, e.end_reason from booktape.epochs e
        where e.symbol = given.symbol and e.feed = given.feed and e.line = given.line and e.started_at < given.started_at
          and e.epoch_id <> given.epoch_id
        order by e.started_at desc limit 1) last
      cross join lateral (
        select unnest(tstzmultirange(tstzrange(last.ended_at, next.started_at)) - coalesce(range_agg(
          tstzrange(told.started_at, greatest(told.started_at, coalesce(told.ended_at, 'infinity')))), '{}')) as span
        from (${told('epochs')} and n.epoch_id <> next.epoch_id union all ${told('gaps')} and n.stream = 'book') told) hole
      where last.ended_at < next.started_at and last.end_reason <> 'rotation'
        and not exists (select from ${sameBook('gaps')} and n.stream = 'book' and n.from_id is not null
          and (n.ended_at = next.started_at or n.to_id = next.first_update_id and n.ended_at > next.started_at))
        and (given.feed = 'v1' or not exists (select from ${sameBook('epochs')} and n.epoch_id <> next.epoch_id
          and n.last_update_id = next.first_update_id))`),
    // Nobody else will close the gaps of a journal that is lost; nor that of a book, of whatever state, once an epoch has begun after it.
    `update booktape.gaps g set ended_at = left_open.ended_at, state = 'closed', ${changedChecksum('g', 'closed_gaps', 'left_open')}
      from (
        select distinct on (l.gap_id) l.gap_id, l.to_id, greatest(given.started_at, l.started_at) as ended_at
        from ${BEGUN}
        join booktape.gaps l on l.symbol = given.symbol and l.feed = given.feed and l.line = given.line
          and l.ended_at is null and l.epoch_id is null
          and (l.journal_id <> given.journal_id or l.stream = 'book' and l.started_at < given.started_at)
        order by l.gap_id, given.started_at
      ) left_open
      where g.gap_id = left_open.gap_id and g.ended_at is null`,
  ],
  settled_gaps: [
    // A successor's first gap of trades has no id to begin at, so it was read from days before: its predecessor's are filled too.
    `update booktape.gaps g set state = filled.state, ${changedChecksum('g', 'settled_gaps', 'filled')}
      from (
        select f.gap_id, given.state
        from ${given(CHANGED_COLUMNS.settled_gaps)} join booktape.gaps own using (gap_id)
        join booktape.gaps f on f.line = own.line and f.symbol = own.symbol and f.feed = own.feed and f.stream = 'trades'
          and f.state = 'closed' and f.journal_id <> own.journal_id and f.started_at > own.started_at - interval '1 day'
          and f.started_at <= own.started_at
        where own.stream = 'trades' and own.cause = 'restart' and own.from_id is null and given.state = 'filled'
      ) filled
      where g.gap_id = filled.gap_id and g.state = 'closed'`,
  ],
}

/** Trades that stand under the same key with another price, quantity or taker side. */
export const TRADE_CONFLICTS = `select t.symbol, t.trade_id, t.price as stored_price, t.quantity as stored_quantity,
    t.taker_side as stored_taker_side, given.price as given_price, given.quantity as given_quantity,
    given.taker_side as given_taker_side
  from ${given(STORED_COLUMNS.trades)} join booktape.trades t using (symbol, trade_id)
  where (t.price, t.quantity, t.taker_side) is distinct from (given.price, given.quantity, given.taker_side)`
