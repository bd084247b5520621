import type { Database } from './database.ts'
import { orStoreError } from './failure.ts'
import { STATEMENT_TIMEOUT_MS } from './transaction.ts'

/** Quotes looked at in one transaction: each costs some milliseconds of looking into a book. */
export const QUOTES_PER_ANSWER = 1_000

/**
 * Asks the recorded books for what the quotes that wait would have cost there; gives how many have their answer now. One look at the
 * database throughout, because an answer is made of several questions. Throws `StoreError`; on `AWAY`, ask again.
 */
export async function answerQuotes(database: Database): Promise<number> {
  return await orStoreError(async () => {
    const client = await database.pool.connect()
    try {
      await client.query(BEGIN)
      const { rows } = await client.query<{ answered: number }>('select account.answer_quotes($1) as answered', [
        QUOTES_PER_ANSWER,
      ])
      await client.query('commit')
      client.release()
      return rows[0]?.answered ?? 0
    } catch (error) {
      client.release(true)
      throw error
    }
  })
}

const BEGIN = `begin isolation level repeatable read; set local statement_timeout = ${STATEMENT_TIMEOUT_MS}; set local timezone = 'UTC'`
