import { CHANGED_COLUMNS, type ColumnType, DISCLOSED_COLUMNS, STORED_COLUMNS } from './stored-columns.ts'

/**
 * Rows of the ledger change after they were written: what began, ends. Their checksum is a sum of parts, one for what a row began with and
 * one for each later change, and a change adds its part to what stands. So what somebody else altered meanwhile stays found, and no statement
 * of the writer blesses it. Made by Postgres, because some values are.
 */
export type LedgerTable = keyof typeof LEDGER_PARTS

export const INSTRUMENT_COLUMNS = {
  symbol: 'text',
  base_currency: 'text',
  quote_currency: 'text',
  price_increment: 'numeric',
  quantity_increment: 'numeric',
  min_order_size: 'numeric',
  status: 'text',
  product_type: 'text',
  contract_type: 'text',
  valid_from: 'timestamptz',
} as const satisfies Columns

export const LATER_PARTS = {
  closed_sessions: CHANGED_COLUMNS.closed_sessions,
  ended_epochs: CHANGED_COLUMNS.ended_epochs,
  disclosed_gaps: pick(DISCLOSED_COLUMNS, ['gap_id', 'epoch_id', 'message_seq']),
  closed_gaps: CHANGED_COLUMNS.closed_gaps,
  settled_gaps: CHANGED_COLUMNS.settled_gaps,
  broken_trades: CHANGED_COLUMNS.broken_trades,
  ended_instruments: { symbol: 'text', valid_to: 'timestamptz' },
} as const satisfies Record<string, Columns>

const JOURNAL_COLUMNS = {
  journal_id: 'uuid',
  line: 'text',
  shard: 'integer',
  written_position: 'bigint',
  recorded_until: 'timestamptz',
} as const satisfies Columns

type LaterPart = keyof typeof LATER_PARTS
type Columns = Readonly<Record<string, ColumnType>>

/** What a row begins with, and when it has which later part. */
const LEDGER_PARTS = {
  sessions: {
    begun: STORED_COLUMNS.sessions,
    later: { closed_sessions: anyOf('closed_at', 'close_code', 'close_reason') },
  },
  epochs: { begun: STORED_COLUMNS.epochs, later: { ended_epochs: anyOf('ended_at', 'last_update_id', 'end_reason') } },
  gaps: {
    begun: STORED_COLUMNS.gaps,
    later: {
      disclosed_gaps: anyOf('epoch_id', 'message_seq'),
      closed_gaps: anyOf('to_id', 'ended_at'),
      settled_gaps: (of: string) => `${of}.state <> case when ${of}.ended_at is null then 'open' else 'closed' end`,
    },
  },
  instruments: { begun: INSTRUMENT_COLUMNS, later: { ended_instruments: anyOf('valid_to') } },
  journals: { begun: JOURNAL_COLUMNS, later: {} },
  venue: { begun: { name: 'text' }, later: {} },
} as const satisfies Record<
  string,
  Readonly<{ begun: Columns; later: Readonly<Partial<Record<LaterPart, (of: string) => string>>> }>
>

/** SQL of the checksum that a whole row of the ledger has. `of`: what its columns are columns of. */
export function ledgerChecksum(table: LedgerTable, of: string): string {
  const { begun, later } = LEDGER_PARTS[table]
  const parts = Object.entries(later) as [LaterPart, (of: string) => string][]
  const sums = parts.map(([part, has]) => `case when ${has(of)} then ${laterChecksum(part, of)} else 0 end`)
  return `booktape.wrapped((${[partChecksum(table, begun, of), ...sums].join(' + ')})::numeric)`
}

/** The same of a row that has only begun. */
export function begunChecksum(table: LedgerTable, of: string): string {
  return partChecksum(table, LEDGER_PARTS[table].begun, of)
}

/** SQL that sets the checksum of `row` to what it is after a change; the columns of the part are those of `of`. */
export function changedChecksum(row: string, part: LaterPart, of: string): string {
  return `checksum = booktape.wrapped(${row}.checksum::numeric + ${laterChecksum(part, of)})`
}

export function laterChecksum(part: LaterPart, of: string): string {
  return partChecksum(part, LATER_PARTS[part], of)
}

/** Times as seconds since 1970, to the microsecond: how Postgres writes them otherwise depends on its settings. */
function partChecksum(part: string, columns: Columns, of: string): string {
  const cells = Object.entries(columns).map(([name, type]) =>
    type === 'timestamptz' ? `extract(epoch from ${of}.${name})::text` : `${of}.${name}::text`,
  )
  return `booktape.checksum(array['${part}', ${cells.join(', ')}])`
}

function anyOf(...names: readonly string[]): (of: string) => string {
  return (of) => `not (${names.map((name) => `${of}.${name}`).join(', ')}) is null`
}

function pick<C extends Columns, K extends keyof C>(columns: C, names: readonly K[]): Pick<C, K> {
  return Object.fromEntries(names.map((name) => [name, columns[name]])) as Pick<C, K>
}
