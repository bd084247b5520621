import { invariant, type MarketRecord } from '@booktape/market'
import type { PoolClient } from 'pg'
import type { Database } from './database.ts'
import { isUnstorable, orStoreError, type Retry, readFailure } from './failure.ts'
import { ledgerChecksum } from './ledger-checksums.ts'
import { MAX_POISON_ROWS, MAX_POISON_ROWS_OF_BATCH, PoisonRows } from './poison-rows.ts'
import { type BatchOrigin, GatheredRows, type Rows, rowsOf } from './rows.ts'
import { StoreError } from './store-error.ts'
import { type Stored, storeRows } from './store-rows.ts'
import { timestampText } from './timestamp.ts'
import { inTransaction } from './transaction.ts'

export type { BatchOrigin } from './rows.ts'

/** The records of the journal's entries in (fromPosition, toPosition]. */
export type Batch = Readonly<{
  fromPosition: number // the written position this batch builds on
  toPosition: number
  recordedUntilNs: bigint // receive time of the entry at toPosition
  records: readonly MarketRecord[] | GatheredRows
}>

export type WriteResult =
  | (Readonly<{ outcome: 'committed' }> & Stored)
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
  #poisonLeft = MAX_POISON_ROWS

  constructor(database: Database, origin: BatchOrigin) {
    this.#database = database
    this.#origin = origin
  }

  /** Takes the records of a batch to come, and makes their rows at once: rows wait more cheaply than records. */
  gather(): GatheredRows {
    return new GatheredRows(this.#origin)
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
   * Stores one batch, whole or not at all. Expected failures are values; one batch at a time. Of a batch that Postgres
   * refuses, the rows it refuses are set aside and disclosed, and the rest is stored (docs/adr/0005-poison-rows.md).
   *
   * @throws StoreError `POSITION_MOVED` for two writers on one journal or a database restored to an earlier time;
   *   `UNSTORABLE` where more rows are refused than may be set aside, or their disclosure is;
   *   `REFUSED`, `SCHEMA`, `PROTOCOL`, `TLS`, `UNEXPECTED` for what a retry cannot mend.
   */
  async write(batch: Batch): Promise<WriteResult> {
    invariant(batch.toPosition > batch.fromPosition, 'a batch moves the position forward')
    const rows = batch.records instanceof GatheredRows ? batch.records.rows : rowsOf(batch.records, this.#origin)
    try {
      return await this.#store(batch, rows, null)
    } catch (error) {
      if (!isUnstorable(error)) return readFailure(error)
    }
    // Only now are savepoints paid for, which find the rows that are refused.
    const poison = new PoisonRows(this.#origin, Math.min(MAX_POISON_ROWS_OF_BATCH, this.#poisonLeft))
    try {
      const result = await this.#store(batch, rows, poison)
      if (result.outcome === 'committed') this.#poisonLeft -= result.poison.length
      return result
    } catch (error) {
      return readFailure(error)
    }
  }

  async #store(batch: Batch, rows: Rows, poison: PoisonRows | null): Promise<WriteResult> {
    return await inTransaction<WriteResult>(this.#database, async (client) => {
      const position = await this.#lockPosition(client)
      if (position === batch.toPosition) return { end: 'rollback', answer: { outcome: 'already' } }
      if (position !== batch.fromPosition) throw this.#moved(position, batch)
      const stored = await storeRows(client, rows, this.#origin.line, poison)
      await this.#movePosition(client, batch)
      return { end: 'commit', answer: { outcome: 'committed', ...stored } }
    })
  }

  async #lockPosition(client: PoolClient): Promise<number | null> {
    const found = await client.query<PositionRow>(`${READ_POSITION} for update`, [this.#origin.journalId])
    return found.rows[0] === undefined ? null : positionOf(found.rows[0])
  }

  async #movePosition(client: PoolClient, { fromPosition, toPosition, recordedUntilNs }: Batch): Promise<void> {
    const { journalId, line, shard } = this.#origin
    const parameters = [journalId, line, shard, toPosition, timestampText(recordedUntilNs), fromPosition]
    const moved = await client.query(MOVE_POSITION, parameters)
    invariant(moved.rowCount === 1, 'a locked position stands still')
  }

  #moved(position: number | null, { fromPosition, toPosition }: Batch): StoreError {
    const found = position === null ? 'no position' : `position ${position}`
    return new StoreError(
      'POSITION_MOVED',
      `journal ${this.#origin.journalId} has ${found} in the database, where a batch from ${fromPosition} to ${toPosition} was to be stored: ` +
        'a database that took over or was restored is given the rest from the journal; end any other recorder that uses this journal',
    )
  }
}

/** A row of journals as the writer knows it, so that its checksum is of nothing that stands. */
const given = (position: string, until: string): string =>
  `(select $1::uuid as journal_id, $2::text as line, $3::integer as shard, ${position} as written_position, ${until} as recorded_until) given`

const REGISTER = `insert into booktape.journals (journal_id, line, shard, checksum)
  select journal_id, line, shard, ${ledgerChecksum('journals', 'given')} from ${given('0::bigint', 'null::timestamptz')}
  on conflict do nothing`
const READ_POSITION = `select written_position from booktape.journals where journal_id = $1`
const MOVE_POSITION = `update booktape.journals j set written_position = given.written_position, recorded_until = given.recorded_until,
    checksum = ${ledgerChecksum('journals', 'given')}
  from ${given('$4::bigint', '$5::timestamptz')}
  where j.journal_id = given.journal_id and j.written_position = $6`

type PositionRow = Readonly<{ written_position: bigint }>

function positionOf(row: PositionRow | undefined): number {
  invariant(row !== undefined, 'a journal that was registered has a row')
  const position = Number(row.written_position)
  invariant(Number.isSafeInteger(position), 'journal positions stay below 2^53')
  return position
}
