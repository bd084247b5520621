import type { PoolClient } from 'pg'
import { NULL_ELEMENT, quoted } from './array-text.ts'
import { addChecksums, checksumOf } from './checksum.ts'
import { orStoreError } from './failure.ts'
import { instantCell, instantText } from './instant-text.ts'
import { laterChecksum } from './ledger-checksums.ts'
import { rowText, type SealedRow, type SealedTable } from './sealed-rows.ts'
import { type ColumnType, STORED_COLUMNS } from './stored-columns.ts'
import { isOfSpan, spanValues, type VerifySpan } from './verify-span.ts'

/** A row of a table whose rows stay as they were written: its cells as array elements, and whether they fit its checksum. */
export type CheckedRow<T extends SealedTable> = Readonly<{ cells: SealedRow<T>; isAltered: boolean; bytes: number }>

/** A page is held in memory: some megabytes. */
const ROWS_A_PAGE = 2_000

/**
 * All rows of a table in a span, in no order, a page at a time; memory stays flat. `client` is in a transaction. Throws `StoreError`.
 */
export async function* checkedRows<T extends SealedTable>(
  client: PoolClient,
  table: T,
  span: VerifySpan,
): AsyncGenerator<readonly CheckedRow<T>[]> {
  const declared = `declare checked no scroll cursor for ${selectCells(table)} where ${isOfSpan(table, 'r')}`
  await orStoreError(() => client.query(declared, spanValues(span)))
  try {
    for (;;) {
      const { rows } = await orStoreError(() =>
        client.query<(string | null)[]>({ text: `fetch ${ROWS_A_PAGE} from checked`, rowMode: 'array' }),
      )
      if (rows.length === 0) return
      yield rows.map((row) => checkedRow(table, row))
    }
  } finally {
    await client.query('close checked').catch(() => undefined) // the transaction may have failed
  }
}

/** For `checkedRow`: the cells of rows `r`, what their checksum is said to be and what was added to it later; `more` follows. */
export function selectCells(table: SealedTable, more = ''): string {
  const cells = cellsOf(table).map(([name, type]) => cell(`r.${name}`, type))
  // A trade is marked as broken later, and that has a part of its own.
  const later = table === 'trades' ? `case when r.broken then ${laterChecksum('broken_trades', 'r')} else 0 end` : '0'
  return `select ${cells.join(', ')}, r.checksum::text, (${later})::text${more} from booktape.${table} r`
}

export function checkedRow<T extends SealedTable>(table: T, row: readonly (string | null)[]): CheckedRow<T> {
  const columns = cellsOf(table)
  const cells = Object.fromEntries(
    columns.map(([name, type], i) => [name, spelled(row[i] ?? null, type)]),
  ) as SealedRow<T>
  const [checksum, later] = [row[columns.length], row[columns.length + 1]]
  const text = rowText(table, cells)
  return { cells, isAltered: String(addChecksums(checksumOf(text), Number(later))) !== checksum, bytes: text.length }
}

function cellsOf(table: SealedTable): readonly (readonly [string, ColumnType])[] {
  return (Object.entries(STORED_COLUMNS[table]) as [string, ColumnType][]).filter(([name]) => name !== 'checksum')
}

function cell(column: string, type: ColumnType): string {
  if (type === 'timestamptz') return instantCell(column)
  return type === 'bytea' ? `encode(${column}, 'hex')` : `${column}::text`
}

/** As the writer spells it (rows.ts). */
function spelled(text: string | null, type: ColumnType): string {
  if (text === null) return NULL_ELEMENT
  if (type === 'timestamptz') return instantText(text)
  return type === 'text' || type === 'numeric[]' ? quoted(text) : text
}
