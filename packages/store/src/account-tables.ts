/** A value of a row, in a form that loses nothing: amounts, ids and nanoseconds are texts, bytes are hex as Postgres writes them. */
export type AccountValue = string | number | boolean | null

/**
 * The columns of schema `account` that a batch brings, with their types. Each row also has the journal's id; the rest of a table is
 * filled in later, by Postgres.
 */
export const ACCOUNT_COLUMNS = {
  instant_quotes: {
    position: 'bigint',
    key_fingerprint: 'text',
    symbol: 'text',
    side: 'text',
    requested_time: 'timestamptz',
    requested_time_ns: 'bigint',
    received_time: 'timestamptz',
    received_time_ns: 'bigint',
    quote_id: 'bigint',
    max_age_ms: 'bigint',
    pair: 'text',
    price: 'numeric',
    price_currency: 'text',
    quantity: 'numeric',
    quantity_currency: 'text',
    fee: 'numeric',
    fee_currency: 'text',
    deposit_fee: 'numeric',
    deposit_fee_currency: 'text',
    total_spend: 'numeric',
    total_spend_currency: 'text',
  },
  quote_failures: {
    position: 'bigint',
    key_fingerprint: 'text',
    symbol: 'text',
    side: 'text',
    total_spend: 'numeric',
    requested_time: 'timestamptz',
    requested_time_ns: 'bigint',
    received_time: 'timestamptz',
    received_time_ns: 'bigint',
    status: 'integer',
    reason: 'text',
    explanation: 'text',
  },
  order_events: {
    position: 'bigint',
    event_index: 'integer',
    key_fingerprint: 'text',
    feed: 'text',
    socket_sequence: 'bigint',
    event_type: 'text',
    order_id: 'bigint',
    event_id: 'bigint',
    client_order_id: 'text',
    symbol: 'text',
    side: 'text',
    order_type: 'text',
    venue_time: 'timestamptz',
    venue_time_ns: 'bigint',
    received_time: 'timestamptz',
    received_time_ns: 'bigint',
    price: 'numeric',
    stop_price: 'numeric',
    original_quantity: 'numeric',
    remaining_quantity: 'numeric',
    executed_quantity: 'numeric',
    reason: 'text',
    trade_id: 'bigint',
  },
  fills: {
    order_id: 'bigint',
    trade_id: 'bigint',
    position: 'bigint',
    key_fingerprint: 'text',
    source: 'text',
    client_order_id: 'text',
    symbol: 'text',
    side: 'text',
    price: 'numeric',
    quantity: 'numeric',
    fee: 'numeric',
    fee_currency: 'text',
    liquidity: 'text',
    venue_time: 'timestamptz',
    venue_time_ns: 'bigint',
    received_time: 'timestamptz',
    received_time_ns: 'bigint',
  },
  balances: {
    position: 'bigint',
    key_fingerprint: 'text',
    asset: 'text',
    available: 'numeric',
    current: 'numeric',
    venue_time: 'timestamptz',
    venue_time_ns: 'bigint',
    updated_time_ns: 'bigint',
    received_time: 'timestamptz',
    received_time_ns: 'bigint',
  },
  gaps: {
    position: 'bigint',
    key_fingerprint: 'text',
    feed: 'text',
    from_sequence: 'bigint',
    to_sequence: 'bigint',
    started_at: 'timestamptz', // null: this journal does not know, and Postgres may
    told_at: 'timestamptz',
    cause: 'text',
  },
  gap_ends: {
    position: 'bigint', // of the gap
    feed: 'text',
    ended_at: 'timestamptz',
  },
  gap_fills: {
    gap_journal_id: 'uuid', // it may be an earlier one
    position: 'bigint',
    feed: 'text',
  },
  quarantine: {
    position: 'bigint',
    received_time: 'timestamptz',
    source: 'text',
    reason: 'text',
    payload: 'bytea',
  },
} as const

export type AccountTable = keyof typeof ACCOUNT_COLUMNS

export type AccountRow<T extends AccountTable> = Readonly<Record<keyof (typeof ACCOUNT_COLUMNS)[T], AccountValue>>

/** What one batch adds, in the order in which it is stored. `gap_ends` and `gap_fills` are no tables: they change rows of `gaps`. */
export type AccountRows = { readonly [T in AccountTable]: AccountRow<T>[] }

export const ACCOUNT_TABLES = Object.keys(ACCOUNT_COLUMNS) as readonly AccountTable[]

export function noAccountRows(): AccountRows {
  return {
    instant_quotes: [],
    quote_failures: [],
    order_events: [],
    fills: [],
    balances: [],
    gaps: [],
    gap_ends: [],
    gap_fills: [],
    quarantine: [],
  }
}
