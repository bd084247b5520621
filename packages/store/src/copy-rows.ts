import { finished } from 'node:stream/promises'
import { DatabaseError, type PoolClient } from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import type { CopyBlock } from './copy-text.ts'
import { COPIES } from './statements.ts'
import type { CopiedTable } from './stored-columns.ts'

/** From here on COPY is worth the two statements around it. At full blocks it takes 30 % less of Postgres's time. */
export const MIN_COPIED_ROWS = 50

/**
 * Stores rows that are believed to be new and gives their number; null when one of them stands already, and then
 * none is stored. COPY knows no `on conflict`, so the caller inserts instead.
 */
export async function copyRows(client: PoolClient, table: CopiedTable, block: CopyBlock): Promise<number | null> {
  await client.query('savepoint copied')
  try {
    const copy = client.query(copyFrom(COPIES[table]))
    copy.end(block.text)
    await finished(copy)
    await client.query('release savepoint copied')
    return copy.rowCount
  } catch (error) {
    if (!(error instanceof DatabaseError) || error.code !== '23505') throw error // unique_violation
    await client.query('rollback to savepoint copied')
    return null
  }
}
