/**
 * Every statement of a batch takes arrays, one a column, whatever the number of rows: so a statement never comes near
 * the 65,535 parameters at which Postgres's protocol wraps around. Here: which arrays, and of what type.
 *
 * Rows that stay as they are have a checksum, made by the process that writes them (checksum.ts) and always the last column; those of
 * sessions, epochs and gaps are Postgres's (ledger-checksums.ts).
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
    checksum: 'bigint',
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
    checksum: 'bigint',
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
    checksum: 'bigint',
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
    checksum: 'bigint',
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
    checksum: 'bigint',
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
    checksum: 'bigint',
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

/** The bulk of all rows, and of one journal only: COPY takes them while they are new. The rest is small, or two lines write it. */
export const COPIED_TABLES = ['book_messages', 'quotes'] as const satisfies readonly StoredTable[]
export type CopiedTable = (typeof COPIED_TABLES)[number]

export type ColumnType =
  | 'uuid'
  | 'text'
  | 'timestamptz'
  | 'bigint'
  | 'integer'
  | 'numeric'
  | 'numeric[]' // each element a text `{1,2.5}`: unnest would flatten an array of arrays, and theirs are of unequal lengths
  | 'bytea' // each element hex digits

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

export function keysOf<K extends string>(of: Readonly<Record<K, unknown>>): readonly K[] {
  return Object.keys(of) as K[]
}

export function mapValues<K extends string, V, To>(
  from: Readonly<Record<K, V>>,
  to: (key: K, value: V) => To,
): Readonly<Record<K, To>> {
  return Object.fromEntries(keysOf(from).map((key) => [key, to(key, from[key])])) as Record<K, To>
}
