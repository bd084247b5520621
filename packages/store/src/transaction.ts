import { invariant } from '@booktape/market'
import type { PoolClient } from 'pg'
import type { Database } from './database.ts'

/** No statement of ours takes longer on a healthy server; one that does has met a lock, a full disk or a storm. */
export const STATEMENT_TIMEOUT_MS = 30_000

/** Longer than any commit of the other line, far shorter than what the journal can hold back. */
export const LOCK_TIMEOUT_MS = 5_000

/**
 * Runs `work` in one transaction. `work` says what becomes of it; when it throws, nothing is kept and the connection is
 * thrown away, since what it holds is not known.
 *
 * A connection lost during COMMIT leaves open whether it happened: the caller must look (writer.ts does).
 */
export async function inTransaction<T>(
  database: Database,
  work: (client: PoolClient) => Promise<{ end: 'commit' | 'rollback'; answer: T }>,
): Promise<T> {
  const client = await database.pool.connect()
  try {
    await client.query(BEGIN)
    const { end, answer } = await work(client)
    const ended = await client.query(end)
    invariant(ended.command === end.toUpperCase(), 'a transaction in which nothing failed can be committed')
    client.release()
    return answer
  } catch (error) {
    client.release(true)
    throw error
  }
}

/** One round trip. `local`: gone with the transaction (database.ts says why). Times are read and written as UTC. */
const BEGIN = `begin; set local statement_timeout = ${STATEMENT_TIMEOUT_MS}; set local lock_timeout = ${LOCK_TIMEOUT_MS}; set local timezone = 'UTC'`
