import { DatabaseError, type PoolClient } from 'pg'
import { isUnstorable } from './failure.ts'
import type { StatementBlock } from './statement-blocks.ts'

/**
 * Stores what the database takes of a block and gives the number of rows that were new. A block that is refused is halved
 * until the refused rows stand alone: twenty of ten thousand cost some 500 statements, and nothing where nothing is refused.
 *
 *   8 rows ✗   ─►  4 ✓  4 ✗   ─►  2 ✗  2 ✓   ─►  1 ✗ (refused)  1 ✓
 *
 * @param insert stores a block within the transaction and gives the number of new rows
 * @param refuse told of each row that stands alone and is refused; may throw to give up
 */
export async function bisectRows(
  client: PoolClient,
  block: StatementBlock,
  insert: (block: StatementBlock) => Promise<number>,
  refuse: (row: StatementBlock, error: DatabaseError) => void,
): Promise<number> {
  const inserted = await orRefusal(client, () => insert(block))
  if (!(inserted instanceof DatabaseError)) return inserted
  if (block.rows === 1) {
    refuse(block, inserted)
    return 0
  }
  const middle = block.rows >> 1
  return (
    (await bisectRows(client, rowsBetween(block, 0, middle), insert, refuse)) +
    (await bisectRows(client, rowsBetween(block, middle, block.rows), insert, refuse))
  )
}

/** What `store` gives; or why the database refuses it, and then nothing of it is kept and the transaction goes on. */
export async function orRefusal<T>(client: PoolClient, store: () => Promise<T>): Promise<T | DatabaseError> {
  await client.query('savepoint tried')
  try {
    const stored = await store()
    await client.query('release savepoint tried')
    return stored
  } catch (error) {
    if (!isUnstorable(error)) throw error
    await client.query('rollback to savepoint tried; release savepoint tried')
    return error
  }
}

function rowsBetween({ columns }: StatementBlock, from: number, to: number): StatementBlock {
  return { rows: to - from, columns: columns.map((column) => column.slice(from, to)) }
}
