import { openDatabase, orStoreError } from '@booktape/store'
import type { PoolClient, QueryArrayResult } from 'pg'
import { findDatabase } from './database-address.ts'
import { table } from './table.ts'

/** More lines than anybody reads; a program takes `--json` and asks for what it needs. */
export const MAX_ROWS_SHOWN = 1_000
/** A mistake in a query must not keep the database busy for the recorder's whole day. */
const STATEMENT_TIMEOUT_MS = 60_000

/** `booktape query`: one read-only statement, as columns or as a JSON object a line. */
export async function query(sql: string, json: boolean): Promise<void> {
  const database = openDatabase(await findDatabase(), {
    applicationName: 'booktape query',
    max: 1,
    answerTimeoutMs: STATEMENT_TIMEOUT_MS * 2,
  })
  try {
    const client = await orStoreError(() => database.pool.connect())
    const { fields, rows } = await ask(client, sql).finally(() => client.release(true))
    const titles = fields.map((field) => field.name)
    if (json)
      for (const row of rows)
        process.stdout.write(
          `${JSON.stringify(Object.fromEntries(titles.map((title, i) => [title, plain(row[i])])))}\n`,
        )
    else {
      process.stdout.write(
        table(
          titles,
          rows.slice(0, MAX_ROWS_SHOWN).map((row) => row.map(shown)),
        ),
      )
      if (rows.length > MAX_ROWS_SHOWN)
        process.stderr.write(`${rows.length} rows, the first ${MAX_ROWS_SHOWN} shown; --json gives all\n`)
    }
  } finally {
    await database.close()
  }
}

/** Postgres would not answer; the message is its own. */
class QueryError extends Error {
  override name = 'QueryError'
}

async function ask(client: PoolClient, sql: string): Promise<QueryArrayResult<unknown[]>> {
  try {
    await client.query(
      `begin read only; set local statement_timeout = ${STATEMENT_TIMEOUT_MS}; set local timezone = 'UTC'`,
    )
    return await client.query<unknown[]>({ text: sql, rowMode: 'array' })
  } catch (error) {
    throw new QueryError(error instanceof Error ? error.message : String(error), { cause: error })
  }
}

/** Exact to the last digit: a number that JSON readers would round is text. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString()
  return Array.isArray(value) ? value.map(plain) : value
}

function shown(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (typeof value === 'string') return value
  const text = plain(value)
  return typeof text === 'string' ? text : (JSON.stringify(text) ?? '')
}
