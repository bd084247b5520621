import { checksumOf } from './checksum.ts'
import { mapValues, STORED_COLUMNS, type StoredTable } from './stored-columns.ts'

/** Tables whose rows stay as they were written, and have their checksum from here. */
export type SealedTable = {
  [T in StoredTable]: 'checksum' extends keyof (typeof STORED_COLUMNS)[T] ? T : never
}[StoredTable]

export type SealedRow<T extends SealedTable> = {
  readonly [Name in Exclude<keyof (typeof STORED_COLUMNS)[T], 'checksum'>]: string
}

/** A row of array elements with its checksum. */
export function withChecksum<T extends SealedTable>(
  table: T,
  row: SealedRow<T>,
): SealedRow<T> & { readonly checksum: string } {
  return { ...row, checksum: String(checksumOf(rowText(table, row))) }
}

/** What the checksum of a row is of (checksum.ts). Every text is quoted, so that a row that is read back is spelled as it was. */
export function rowText<T extends SealedTable>(table: T, row: SealedRow<T>): string {
  const cells: Readonly<Record<string, string>> = row
  let text = ''
  for (const name of SEALED_NAMES[table]) text += text === '' ? cells[name] : `,${cells[name]}`
  return text
}

const SEALED_NAMES = mapValues(STORED_COLUMNS, (_, columns) =>
  Object.keys(columns).filter((name) => name !== 'checksum'),
)
