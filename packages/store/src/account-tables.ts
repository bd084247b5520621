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
/** What one batch adds, in the order in which it is inserted. */
export type AccountRows = { readonly [T in AccountTable]: AccountRow<T>[] }

export const ACCOUNT_TABLES = Object.keys(ACCOUNT_COLUMNS) as readonly AccountTable[]

/** Rows come as one JSON array: they are few, and its strings become numerics and bigints by Postgres's own reading. */
export function insertStatement(table: AccountTable): string {
  const columns = Object.entries(ACCOUNT_COLUMNS[table])
  const names = columns.map(([name]) => name).join(', ')
  const typed = columns.map(([name, type]) => `${name} ${type}`).join(', ')
  return `insert into account.${table} (journal_id, ${names})
    select $1, ${names} from jsonb_to_recordset($2::jsonb) as r(${typed}) on conflict do nothing`
}

export function noAccountRows(): AccountRows {
  return { instant_quotes: [], quote_failures: [], quarantine: [] }
}
