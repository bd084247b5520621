/**
 * Every statement of a batch takes arrays, one a column, whatever the number of rows: so a statement never comes near
 * the 65,535 parameters at which Postgres's protocol wraps around. Here: which arrays, and of what type.
 */
export const STORED_COLUMNS = {
  sessions: {
    session_id: 'uuid',
    journal_id: 'uuid',
    line: 'text',
    feed: 'text',
    url: 'text',
    opened_at: 'timestamptz',
  },
  epochs: {
    epoch_id: 'uuid',
    session_id: 'uuid',
    journal_id: 'uuid',
    line: 'text',
    symbol: 'text',
    feed: 'text',
    started_at: 'timestamptz',
    first_update_id: 'bigint',
  },
  gaps: {
    gap_id: 'uuid',
    journal_id: 'uuid',
    line: 'text',
    symbol: 'text',
    feed: 'text',
    stream: 'text',
    from_id: 'bigint',
    started_at: 'timestamptz',
    cause: 'text',
  },
  book_messages: {
    received_time: 'timestamptz',
    received_time_ns: 'bigint',
    event_time_ns: 'bigint',
    first_update_id: 'bigint',
    update_id: 'bigint',
    message_seq: 'bigint',
    epoch_id: 'uuid',
    symbol: 'text',
    feed: 'text',
    line: 'text',
    marks: 'text',
    prices: 'numeric[]',
    quantities: 'numeric[]',
  },
  book_snapshots: {
    received_time: 'timestamptz',
    received_time_ns: 'bigint',
    event_time_ns: 'bigint',
    update_id: 'bigint',
    message_seq: 'bigint',
    epoch_id: 'uuid',
    symbol: 'text',
    feed: 'text',
    line: 'text',
    reason: 'text',
    bid_prices: 'numeric[]',
    bid_quantities: 'numeric[]',
    ask_prices: 'numeric[]',
    ask_quantities: 'numeric[]',
    digest: 'bytea',
  },
  quotes: {
    received_time: 'timestamptz',
    received_time_ns: 'bigint',
    event_time_ns: 'bigint',
    update_id: 'bigint',
    message_seq: 'bigint',
    session_id: 'uuid',
    epoch_id: 'uuid',
    symbol: 'text',
    feed: 'text',
    line: 'text',
    bid_price: 'numeric',
    bid_quantity: 'numeric',
    ask_price: 'numeric',
    ask_quantity: 'numeric',
  },
  trades: {
    symbol: 'text',
    trade_id: 'bigint',
    event_time: 'timestamptz',
    event_time_ns: 'bigint',
    received_time: 'timestamptz',
    received_time_ns: 'bigint',
    price: 'numeric',
    quantity: 'numeric',
    taker_side: 'text',
    source: 'text',
    line: 'text',
    broken: 'boolean',
  },
  audits: {
    symbol: 'text',
    feed: 'text',
    line: 'text',
    audited_at: 'timestamptz',
    method: 'text',
    update_id: 'bigint',
    levels_compared: 'bigint',
    levels_different: 'bigint',
    result: 'text',
  },
  quarantine: {
    session_id: 'uuid',
    message_seq: 'bigint',
    line: 'text',
    feed: 'text',
    symbol: 'text',
    received_time: 'timestamptz',
    reason: 'text',
    payload: 'bytea',
  },
} as const satisfies Record<string, Record<string, ColumnType>>

/** What later records change in rows that stand. */
export const CHANGED_COLUMNS = {
  broken_trades: { symbol: 'text', trade_id: 'bigint' },
  closed_sessions: { session_id: 'uuid', closed_at: 'timestamptz', close_code: 'integer', close_reason: 'text' },
  ended_epochs: { epoch_id: 'uuid', ended_at: 'timestamptz', last_update_id: 'bigint', end_reason: 'text' },
  outlived_epochs: {
    epoch_id: 'uuid',
    journal_id: 'uuid',
    line: 'text',
    symbol: 'text',
    feed: 'text',
    started_at: 'timestamptz',
  },
  closed_gaps: { gap_id: 'uuid', to_id: 'bigint', ended_at: 'timestamptz' },
  settled_gaps: { gap_id: 'uuid', state: 'text' },
  withdrawn_gaps: { gap_id: 'uuid' },
} as const satisfies Record<string, Record<string, ColumnType>>

export type StoredTable = keyof typeof STORED_COLUMNS
export type Change = keyof typeof CHANGED_COLUMNS

type ColumnType =
  | 'uuid'
  | 'text'
  | 'timestamptz'
  | 'bigint'
  | 'integer'
  | 'boolean'
  | 'numeric'
  | 'numeric[]' // each element a text `{1,2.5}`: unnest would flatten an array of arrays, and theirs are of unequal lengths
  | 'bytea' // each element hex digits

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
  boolean: 'boolean',
  numeric: 'numeric',
  'numeric[]': 'text',
  bytea: 'text',
} as const satisfies Record<ColumnType, string>

function selected(name: string, type: ColumnType): string {
  if (type === 'numeric[]') return `${name}::numeric[]`
  if (type === 'bytea') return `decode(${name}, 'hex')`
  return name
}

/** Natural keys decide: a row that stands stays as it is. */
export const INSERTS: Readonly<Record<StoredTable, string>> = mapValues(STORED_COLUMNS, (table, columns) => {
  const values = Object.entries(columns).map(([name, type]) => selected(name, type))
  return `insert into booktape.${table} (${Object.keys(columns).join(', ')}) select ${values.join(', ')} from ${given(columns)} on conflict do nothing`
})

/** The bulk of all rows, and of one journal only: COPY takes them while they are new. The rest is small, or two lines write it. */
export const COPIED_TABLES = ['book_messages', 'quotes'] as const satisfies readonly StoredTable[]
export type CopiedTable = (typeof COPIED_TABLES)[number]

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
  broken_trades: `update booktape.trades t set broken = true from ${given(CHANGED_COLUMNS.broken_trades)}
    where t.symbol = given.symbol and t.trade_id = given.trade_id and not t.broken`,
  closed_sessions: `update booktape.sessions s set closed_at = given.closed_at, close_code = given.close_code,
    close_reason = given.close_reason from ${given(CHANGED_COLUMNS.closed_sessions)}
    where s.session_id = given.session_id and s.closed_at is null`,
  ended_epochs: `update booktape.epochs e set ended_at = given.ended_at, last_update_id = given.last_update_id,
    end_reason = given.end_reason from ${given(CHANGED_COLUMNS.ended_epochs)}
    where e.epoch_id = given.epoch_id and e.ended_at is null`,
  // An epoch begins: an earlier one of the same line, symbol and feed that was never ended has outlived its journal, and ends
  // with the last message that it has. But while shards are divided anew, a symbol is on its old and its new one for a while: a
  // journal of another shard that was just written ends its epochs itself.
  outlived_epochs: `update booktape.epochs e set end_reason = 'restart', ended_at = coalesce(
      greatest(
      (select max(m.received_time) from booktape.book_messages m where m.epoch_id = e.epoch_id and m.received_time >= e.started_at),
      (select max(c.received_to) from booktape.book_chunks c where c.epoch_id = e.epoch_id and c.received_from >= e.started_at)),
      e.started_at), last_update_id = coalesce(greatest(
      (select max(m.update_id) from booktape.book_messages m where m.epoch_id = e.epoch_id and m.received_time >= e.started_at),
      (select max(c.last_update_id) from booktape.book_chunks c where c.epoch_id = e.epoch_id and c.received_from >= e.started_at)),
      e.first_update_id)
    from ${given(CHANGED_COLUMNS.outlived_epochs)}
    where e.symbol = given.symbol and e.feed = given.feed and e.line = given.line and e.ended_at is null
      and e.started_at < given.started_at and e.epoch_id <> given.epoch_id
      and not exists (
        select from booktape.journals theirs join booktape.journals ours on ours.journal_id = given.journal_id
        where theirs.journal_id = e.journal_id and theirs.shard <> ours.shard
          and theirs.recorded_until > given.started_at - interval '1 hour')`,
  closed_gaps: `update booktape.gaps g set to_id = given.to_id, ended_at = given.ended_at, state = 'closed'
    from ${given(CHANGED_COLUMNS.closed_gaps)} where g.gap_id = given.gap_id and g.ended_at is null`,
  settled_gaps: `update booktape.gaps g set state = given.state from ${given(CHANGED_COLUMNS.settled_gaps)}
    where g.gap_id = given.gap_id and g.state = 'closed'`,
  withdrawn_gaps: `delete from booktape.gaps g using ${given(CHANGED_COLUMNS.withdrawn_gaps)} where g.gap_id = given.gap_id`,
}

/**
 * Gaps that make known what the database refused. One of a book names the message that is missing, by its epoch and
 * number, and stays open until a later whole book of the symbol is stored; one of trades is closed as it is made.
 */
export const DISCLOSED_COLUMNS = {
  gap_id: 'uuid',
  journal_id: 'uuid',
  line: 'text',
  symbol: 'text',
  feed: 'text',
  stream: 'text',
  from_id: 'bigint',
  to_id: 'bigint',
  started_at: 'timestamptz',
  ended_at: 'timestamptz',
  cause: 'text',
  state: 'text',
  epoch_id: 'uuid',
  message_seq: 'bigint',
} as const satisfies Record<string, ColumnType>

export const DISCLOSE: string = `insert into booktape.gaps (${Object.keys(DISCLOSED_COLUMNS).join(', ')})
  select ${Object.keys(DISCLOSED_COLUMNS).map(disclosed).join(', ')} from ${given(DISCLOSED_COLUMNS)} on conflict do nothing`

/** A book is known until the instant before the message that is missing. */
function disclosed(name: string): string {
  return name === 'started_at'
    ? `case when epoch_id is null then started_at else started_at - interval '1 microsecond' end`
    : name
}

/** What is asked of a whole book that was stored: where it stands. */
export const KNOWN_BOOK_COLUMNS = {
  received_time: 'timestamptz',
  update_id: 'bigint',
  message_seq: 'bigint',
  epoch_id: 'uuid',
  symbol: 'text',
  feed: 'text',
  line: 'text',
} as const satisfies Partial<(typeof STORED_COLUMNS)['book_snapshots']>

/**
 * Given whole books that were stored: a book is known again from the first whole one after what is missing. Within an epoch the
 * number of the message decides; a missing epoch (no number) lasts until another one.
 */
export const END_DOUBTS: string = `update booktape.gaps g set to_id = known.update_id, ended_at = known.received_time, state = 'closed'
  from (
    select distinct on (open.gap_id) open.gap_id, given.update_id, given.received_time
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
 * A journal that was lost leaves what only it could have gone on with: its successor, which knows nothing of it, takes over when
 * its own epochs begin and its own gaps are filled.
 */
const BEGUN = given(CHANGED_COLUMNS.outlived_epochs)
export const SUCCESSIONS: Readonly<Partial<Record<Change, readonly string[]>>> = {
  outlived_epochs: [
    // Between the predecessor's last proof and the successor's first entry lies a hole of which neither knew.
    `insert into booktape.gaps (gap_id, journal_id, line, symbol, feed, stream, from_id, started_at, ended_at, cause, state)
      select md5(last.epoch_id::text || given.epoch_id::text)::uuid, given.journal_id, given.line, given.symbol, given.feed, 'book',
        last.last_update_id, last.ended_at, g.started_at, 'restart', 'closed'
      from ${BEGUN} cross join lateral (
        select e.epoch_id, e.journal_id, e.last_update_id, e.ended_at from booktape.epochs e
        where e.symbol = given.symbol and e.feed = given.feed and e.line = given.line and e.started_at < given.started_at
          and e.epoch_id <> given.epoch_id
        order by e.started_at desc limit 1) last
      join booktape.gaps g on g.symbol = given.symbol and g.feed = given.feed and g.line = given.line
        and g.journal_id = given.journal_id and g.stream = 'book' and g.cause = 'restart' and g.from_id is null
        and g.started_at > last.ended_at and g.started_at <= given.started_at
        and (g.ended_at is null or g.ended_at = given.started_at)
      where last.journal_id <> given.journal_id
      on conflict do nothing`,
    // Nobody else will close the predecessor's gaps.
    `update booktape.gaps g set ended_at = greatest(given.started_at, g.started_at), state = 'closed'
      from ${BEGUN}
      where g.symbol = given.symbol and g.feed = given.feed and g.line = given.line and g.journal_id <> given.journal_id
        and g.ended_at is null and g.epoch_id is null`,
  ],
  settled_gaps: [
    // A successor's first gap of trades has no id to begin at, so it was read from days before: its predecessor's are filled too.
    `update booktape.gaps g set state = given.state
      from ${given(CHANGED_COLUMNS.settled_gaps)} join booktape.gaps own using (gap_id)
      where own.stream = 'trades' and own.cause = 'restart' and own.from_id is null and given.state = 'filled'
        and g.line = own.line and g.symbol = own.symbol and g.feed = own.feed and g.stream = 'trades' and g.state = 'closed'
        and g.journal_id <> own.journal_id and g.started_at > own.started_at - interval '1 day' and g.started_at <= own.started_at`,
  ],
}

/** Trades that stand under the same key with another price, quantity or taker side. */
export const TRADE_CONFLICTS = `select t.symbol, t.trade_id, t.price as stored_price, t.quantity as stored_quantity,
    t.taker_side as stored_taker_side, given.price as given_price, given.quantity as given_quantity,
    given.taker_side as given_taker_side
  from ${given(STORED_COLUMNS.trades)} join booktape.trades t using (symbol, trade_id)
  where (t.price, t.quantity, t.taker_side) is distinct from (given.price, given.quantity, given.taker_side)`

function mapValues<K extends string, V>(
  from: Readonly<Record<K, V>>,
  to: (key: K, value: V) => string,
): Readonly<Record<K, string>> {
  return Object.fromEntries(keysOf(from).map((key) => [key, to(key, from[key])])) as Record<K, string>
}

export function keysOf<K extends string>(of: Readonly<Record<K, unknown>>): readonly K[] {
  return Object.keys(of) as K[]
}
