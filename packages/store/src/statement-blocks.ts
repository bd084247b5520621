import { arrayText } from './array-text.ts'

/** Rows of one statement: enough that the round trip does not count, few enough that a lock or a timeout stays short. */
export const MAX_STATEMENT_ROWS = 20_000
/** Characters of one statement's arrays: whole books are some 100 KB a row, and both sides hold them in memory. */
export const MAX_STATEMENT_LENGTH = 8 * 1024 * 1024

/** `columns`: array elements, each column `rows` long. */
export type StatementBlock = Readonly<{ rows: number; columns: readonly (readonly string[])[] }>

/** Cuts columns into blocks within the limits; a row that is itself too long goes alone. */
export function* statementBlocks(columns: Readonly<Record<string, readonly string[]>>): Generator<StatementBlock> {
  const arrays = Object.values(columns)
  const count = arrays[0]?.length ?? 0
  for (let from = 0; from < count; ) {
    const to = blockEnd(arrays, from, count)
    yield { rows: to - from, columns: arrays.map((array) => array.slice(from, to)) }
    from = to
  }
}

/** The block's columns as a statement takes them. */
export function parametersOf(block: StatementBlock): string[] {
  return block.columns.map(arrayText)
}

function blockEnd(arrays: readonly (readonly string[])[], from: number, count: number): number {
  const last = Math.min(count, from + MAX_STATEMENT_ROWS)
  let length = 0
  for (let row = from; row < last; row++) {
    for (const array of arrays) length += array[row]?.length ?? 0
    if (length > MAX_STATEMENT_LENGTH && row > from) return row
  }
  return last
}
