import { invariant, type MarketRecord } from '@booktape/market'
import type { PoolClient } from 'pg'
import { copyRows, MIN_COPIED_ROWS } from './copy-rows.ts'
import type { Database } from './database.ts'
import { orStoreError, type Retry, readFailure } from './failure.ts'
import { writeInstruments } from './instrument-history.ts'
import { type BatchOrigin, type Rows, rowsOf } from './rows.ts'
import { parametersOf, type StatementBlock, statementBlocks } from './statement-blocks.ts'
import { StoreError } from './store-error.ts'
import {
  CHANGED_COLUMNS,
  CHANGES,
  COPIED_TABLES,
  type CopiedTable,
  INSERTS,
  keysOf,
  STORED_COLUMNS,
  type StoredTable,
} from './stored-columns.ts'
import { timestampText } from './timestamp.ts'
import { findTradeConflicts, MAX_CONFLICTS_REPORTED, type TradeConflict } from './trade-conflicts.ts'
import { inTransaction } from './transaction.ts'

export type { BatchOrigin } from './rows.ts'

/** The records of the journal's entries in (fromPosition, toPosition]. */
export type Batch = Readonly<{
  fromPosition: number // the written position this batch builds on
  toPosition: number
  recordedUntilNs: bigint // receive time of the entry at toPosition
  records: readonly MarketRecord[]
}>

export type RowCounts = Readonly<Record<StoredTable | 'instruments', number>>

export type WriteResult =
  | Readonly<{ outcome: 'committed'; rows: RowCounts; conflicts: readonly TradeConflict[] }>
  | Readonly<{ outcome: 'already' }> // stored before: a commit whose reply was lost
  | Retry // nothing is known to be stored: give the same batch again, later

/**
 * Writes the batches of one journal, each in one transaction together with the journal's new position. That is all
 * that exactly-once needs: a batch begins by locking the position, so whether an earlier try was committed is never
 * a guess, and a second writer on the same journal is found before it stores anything.
 */
export class Writer {
  readonly #database: Database
  readonly #origin: BatchOrigin

  constructor(database: Database, origin: BatchOrigin) {
    this.#database = database
    this.#origin = origin
  }

  /** The last entry whose records are stored; 0 for a new journal, which is registered. Throws `StoreError`; on `AWAY`, ask again. */
  async readPosition(): Promise<number> {
    const { journalId, line, shard } = this.#origin
    return await orStoreError(async () => {
      await this.#database.pool.query(REGISTER, [journalId, line, shard])
      const found = await this.#database.pool.query<PositionRow>(READ_POSITION, [journalId])
      return positionOf(found.rows[0])
    })
  }

  /**
   * Stores one batch, whole or not at all. Expected failures are values; one batch at a time.
   *
   * @throws StoreError `POSITION_MOVED` for two writers on one journal or a database restored to an earlier time;
   *   `REFUSED`, `SCHEMA`, `UNSTORABLE`, `PROTOCOL`, `TLS`, `UNEXPECTED` for what a retry cannot mend.
   */
  async write(batch: Batch): Promise<WriteResult> {
    invariant(batch.toPosition > batch.fromPosition, 'a batch moves the position forward')
    const rows = rowsOf(batch.records, this.#origin)
    try {
      return await inTransaction<WriteResult>(this.#database, async (client) => {
        const position = await this.#lockPosition(client)
        if (position === batch.toPosition) return { end: 'rollback', answer: { outcome: 'already' } }
        if (position !== batch.fromPosition) throw this.#moved(position, batch)
        const answer = await storeRows(client, rows)
        await this.#movePosition(client, batch)
        return { end: 'commit', answer }
      })
    } catch (error) {
      return readFailure(error)
    }
  }

  async #lockPosition(client: PoolClient): Promise<number | null> {
    const found = await client.query<PositionRow>(`${READ_POSITION} for update`, [this.#origin.journalId])
    return found.rows[0] === undefined ? null : positionOf(found.rows[0])
  }

  async #movePosition(client: PoolClient, { fromPosition, toPosition, recordedUntilNs }: Batch): Promise<void> {
    const parameters = [this.#origin.journalId, fromPosition, toPosition, timestampText(recordedUntilNs)]
    const moved = await client.query(MOVE_POSITION, parameters)
    invariant(moved.rowCount === 1, 'a locked position stands still')
  }

  #moved(position: number | null, { fromPosition, toPosition }: Batch): StoreError {
    const found = position === null ? 'no position' : `position ${position}`
    return new StoreError(
      'POSITION_MOVED',
      `journal ${this.#origin.journalId} has ${found} in the database, where a batch from ${fromPosition} to ${toPosition} was to be stored: ` +
        'end any other recorder that uses this journal; if the database was restored to an earlier time, start again so that the journal is replayed from there',
    )
  }
}

const REGISTER = `insert into booktape.journals (journal_id, line, shard) values ($1, $2, $3) on conflict do nothing`
const READ_POSITION = `select written_position from booktape.journals where journal_id = $1`
const MOVE_POSITION = `update booktape.journals set written_position = $3, recorded_until = $4
  where journal_id = $1 and written_position = $2`

type PositionRow = Readonly<{ written_position: bigint }>

function positionOf(row: PositionRow | undefined): number {
  invariant(row !== undefined, 'a journal that was registered has a row')
  const position = Number(row.written_position)
  invariant(Number.isSafeInteger(position), 'journal positions stay below 2^53')
  return position
}

/** What began first, what it brought next, what ended last: a thing may begin and end in one batch. */
async function storeRows(client: PoolClient, rows: Rows): Promise<Extract<WriteResult, { outcome: 'committed' }>> {
  const counts = { ...NO_ROWS }
  const conflicts: TradeConflict[] = []
  for (const table of keysOf(STORED_COLUMNS)) {
    for (const block of statementBlocks(rows[table])) {
      const inserted = await insertRows(client, table, block)
      counts[table] += inserted
      if (table === 'trades' && inserted < block.rows && conflicts.length < MAX_CONFLICTS_REPORTED) {
        const limit = MAX_CONFLICTS_REPORTED - conflicts.length
        conflicts.push(...(await findTradeConflicts(client, parametersOf(block), limit)))
      }
    }
  }
  if (rows.instruments.length > 0) counts.instruments = await writeInstruments(client, rows.instruments)
  for (const change of keysOf(CHANGED_COLUMNS)) {
    for (const block of statementBlocks(rows[change])) await client.query(CHANGES[change], parametersOf(block))
  }
  return { outcome: 'committed', rows: counts, conflicts }
}

/** The number of rows that were not there. */
async function insertRows(client: PoolClient, table: StoredTable, block: StatementBlock): Promise<number> {
  if (isCopied(table) && block.rows >= MIN_COPIED_ROWS) {
    const copied = await copyRows(client, table, block)
    if (copied !== null) return copied
  }
  return (await client.query(INSERTS[table], parametersOf(block))).rowCount ?? 0
}

function isCopied(table: StoredTable): table is CopiedTable {
  return COPIED_TABLES.some((copied) => copied === table)
}

const NO_ROWS: RowCounts = {
  sessions: 0,
  epochs: 0,
  gaps: 0,
  book_messages: 0,
  book_snapshots: 0,
  quotes: 0,
  trades: 0,
  instruments: 0,
  audits: 0,
  quarantine: 0,
}
