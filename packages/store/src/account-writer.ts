import { invariant } from '@booktape/market'
import type { PoolClient } from 'pg'
import { REFRESH_ORDERS, statementsFor } from './account-statements.ts'
import { ACCOUNT_TABLES, type AccountRows, type AccountTable } from './account-tables.ts'
import type { Database } from './database.ts'
import { orStoreError, type Retry, readFailure } from './failure.ts'
import { StoreError } from './store-error.ts'
import { timestampText } from './timestamp.ts'
import { inTransaction } from './transaction.ts'

/** How far a journal of the account's service is stored, and what was true there, as its service wrote it. */
export type AccountPosition = Readonly<{ position: number; state: unknown }>

/** The rows of the journal's entries in (fromPosition, toPosition], and what is true after them. */
export type AccountBatch = Readonly<{
  fromPosition: number
  toPosition: number
  recordedUntilNs: bigint
  state: unknown // JSON
  rows: AccountRows
}>

export type AccountWriteResult =
  | Readonly<{ outcome: 'committed'; rows: Readonly<Record<AccountTable, number>> }>
  | Readonly<{ outcome: 'already' }>
  | Retry

/**
 * Writes the batches of one journal of the account's service: rows, state and position in one transaction, as `Writer` does for the
 * market. What is private is little, so a batch needs no checkpoint beside the journal: its state is in the same row as its position.
 */
export class AccountWriter {
  readonly #database: Database
  readonly #journalId: string

  constructor(database: Database, journalId: string) {
    this.#database = database
    this.#journalId = journalId
  }

  /** Registers a new journal with `state`. Throws `StoreError`; on `AWAY`, ask again. */
  async readPosition(state: unknown): Promise<AccountPosition> {
    return await orStoreError(async () => {
      await this.#database.pool.query(REGISTER, [this.#journalId, JSON.stringify(state)])
      const { rows } = await this.#database.pool.query<PositionRow>(READ_POSITION, [this.#journalId])
      const [row] = rows
      invariant(row !== undefined, 'a journal that was registered has a row')
      return { position: positionOf(row), state: row.state }
    })
  }

  /** Stores one batch, whole or not at all. Throws `StoreError` for what a retry cannot mend. */
  async write(batch: AccountBatch): Promise<AccountWriteResult> {
    invariant(batch.toPosition > batch.fromPosition, 'a batch moves the position forward')
    try {
      return await inTransaction<AccountWriteResult>(this.#database, async (client) => {
        const { rows: found } = await client.query<PositionRow>(`${READ_POSITION} for update`, [this.#journalId])
        const position = found[0] === undefined ? null : positionOf(found[0])
        if (position === batch.toPosition) return { end: 'rollback', answer: { outcome: 'already' } }
        if (position !== batch.fromPosition) throw this.#moved(position, batch)
        const rows = await insertRows(client, this.#journalId, batch.rows)
        const moved = await client.query(MOVE_POSITION, [
          this.#journalId,
          batch.toPosition,
          JSON.stringify(batch.state),
          timestampText(batch.recordedUntilNs),
        ])
        invariant(moved.rowCount === 1, 'a locked position stands still')
        return { end: 'commit', answer: { outcome: 'committed', rows } }
      })
    } catch (error) {
      return readFailure(error)
    }
  }

  #moved(position: number | null, { fromPosition, toPosition }: AccountBatch): StoreError {
    return new StoreError(
      'POSITION_MOVED',
      `journal ${this.#journalId} is stored up to ${position ?? 'nothing'}, where a batch from ${fromPosition} to ${toPosition} was to be stored: ` +
        'the rest is given again from the journal; end any other process that uses it',
    )
  }
}

async function insertRows(
  client: PoolClient,
  journalId: string,
  rows: AccountRows,
): Promise<Readonly<Record<AccountTable, number>>> {
  const counts = Object.fromEntries(ACCOUNT_TABLES.map((table) => [table, 0])) as Record<AccountTable, number>
  for (const table of ACCOUNT_TABLES) {
    if (rows[table].length === 0) continue
    for (const [index, statement] of statementsFor(table).entries()) {
      const stored = await client.query(statement, [journalId, JSON.stringify(rows[table])])
      if (index === 0) counts[table] = stored.rowCount ?? 0
    }
  }
  const orderIds = new Set([...rows.order_events, ...rows.fills].map((row) => row.order_id))
  if (orderIds.size > 0) await client.query(REFRESH_ORDERS, [[...orderIds]])
  return counts
}

const REGISTER = 'insert into account.journals (journal_id, state) values ($1, $2) on conflict do nothing'
const READ_POSITION = 'select written_position, state from account.journals where journal_id = $1'
const MOVE_POSITION = `update account.journals set written_position = $2, state = $3, recorded_until = $4 where journal_id = $1`

type PositionRow = Readonly<{ written_position: bigint; state: unknown }>

function positionOf(row: PositionRow): number {
  const position = Number(row.written_position)
  invariant(Number.isSafeInteger(position), 'journal positions stay below 2^53')
  return position
}
