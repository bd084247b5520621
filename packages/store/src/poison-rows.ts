import { deriveId, type GapStream } from '@booktape/market'
import { DatabaseError, type PoolClient } from 'pg'
import { cleanText, elementText, NULL_ELEMENT, quoted } from './array-text.ts'
import { orRefusal } from './bisect-rows.ts'
import { writeInstruments } from './instrument-history.ts'
import { type Cells, gapOf } from './poison-gaps.ts'
import { type BatchOrigin, type InstrumentRecord, MAX_PAYLOAD_BYTES, MAX_REASON_LENGTH } from './rows.ts'
import { withChecksum } from './sealed-rows.ts'
import { parametersOf, type StatementBlock } from './statement-blocks.ts'
import { DISCLOSE, INSERTS } from './statements.ts'
import { StoreError } from './store-error.ts'
import { DISCLOSED_COLUMNS, keysOf, STORED_COLUMNS, type StoredTable } from './stored-columns.ts'
import type { CountedRows, Tallies } from './tallies.ts'
import { timestampText } from './timestamp.ts'

/** A batch has at most some thousand rows: where more are refused, it is the schema that does not fit. */
export const MAX_POISON_ROWS_OF_BATCH = 100
/** In the life of one writer. A schema that refuses each row of a kind meets batches of a few rows, so that it is found here. */
export const MAX_POISON_ROWS = 2_000

/** A row that the database refused, as the log and the metrics tell it. */
export type PoisonRow = Readonly<{
  table: StoredTable | 'instruments'
  feed: string // v1, ws or rest: where the row came from
  symbol: string | null
  gap: Readonly<{ feed: string | null; stream: GapStream }> | null // what discloses it; null: nothing but the row is missing
  reason: string
}>

/**
 * The rows of one batch that the database refuses. Each is kept in quarantine, and where books or trades lack something
 * without it, a gap says so, in the same transaction. Ids are made of the row, so the same batch again changes nothing.
 */
export class PoisonRows {
  readonly #origin: BatchOrigin
  readonly #limit: number
  readonly #rows: PoisonRow[] = []
  readonly #gaps: string[][] = []
  readonly #quarantine: string[][] = []

  constructor(origin: BatchOrigin, limit: number) {
    this.#origin = origin
    this.#limit = limit
  }

  get rows(): readonly PoisonRow[] {
    return this.#rows
  }

  /** Sets a row aside. Throws `UNSTORABLE` beyond the limit. */
  add(table: StoredTable, { columns }: StatementBlock, error: DatabaseError): void {
    const names = Object.keys(STORED_COLUMNS[table])
    const cells = Object.fromEntries(names.map((name, i) => [name, elementText(columns[i]?.[0] ?? NULL_ELEMENT)]))
    this.#setAside(table, cells, error)
  }

  /** Stores instruments one by one, setting aside what is refused; gives the number of rows added. */
  async sift(client: PoolClient, observed: readonly InstrumentRecord[], tallies: Tallies): Promise<number> {
    let added = 0
    for (const record of observed) {
      const stored = await orRefusal(client, () => writeInstruments(client, [record], tallies))
      if (!(stored instanceof DatabaseError)) added += stored
      else {
        const at = timestampText(record.receivedTimeNs)
        this.#setAside('instruments', { ...record.instrument, source: 'rest', received_time: at }, stored)
      }
    }
    return added
  }

  /** Writes down what was set aside, and what is missing without it. Throws what Postgres says when it refuses that too. */
  async disclose(client: PoolClient, tallies: Tallies): Promise<Readonly<{ gaps: number; quarantine: number }>> {
    return {
      gaps: tallies.take(await insertAll(client, DISCLOSE, this.#gaps)),
      quarantine: tallies.take(await insertAll(client, INSERTS.quarantine, this.#quarantine)),
    }
  }

  #setAside(table: PoisonRow['table'], cells: Cells, error: DatabaseError): void {
    const reason = `unstorable row of ${table}, ${error.code ?? 'no SQLSTATE'}: ${error.message}`
    if (this.#rows.length === this.#limit) {
      throw new StoreError(
        'UNSTORABLE',
        `Postgres refuses more rows than may be set aside (${this.#limit} more); the last was an ${reason}: ` +
          'the schema is not the one of the migrations; take away the constraint or trigger that refuses them, then start again',
        { cause: error },
      )
    }
    const content = JSON.stringify({ table, ...cells })
    const id = deriveId('unstorable', this.#origin.journalId, content)
    const feed = cells['feed'] ?? cells['source'] ?? 'v1'
    const gap = gapOf(table, cells)
    if (gap !== null) {
      const row = { ...gap, gap_id: gap.gap_id ?? id, journal_id: this.#origin.journalId, line: this.#origin.line }
      this.#gaps.push(keysOf(DISCLOSED_COLUMNS).map((name) => spelled(row[name])))
    }
    const symbol = cells['symbol'] ?? null
    const cleanReason = cleanText(reason, MAX_REASON_LENGTH)
    const kept = withChecksum('quarantine', {
      session_id: id,
      message_seq: '0',
      line: quoted(this.#origin.line),
      feed: quoted(feed),
      symbol: spelled(symbol),
      received_time:
        cells['received_time'] ?? cells['opened_at'] ?? cells['started_at'] ?? cells['audited_at'] ?? NULL_ELEMENT,
      reason: quoted(cleanReason),
      payload: Buffer.from(content).subarray(0, MAX_PAYLOAD_BYTES).toString('hex'),
    })
    this.#quarantine.push(keysOf(STORED_COLUMNS.quarantine).map((name) => kept[name]))
    this.#rows.push({ table, feed, symbol, gap: gap && { feed: gap.feed, stream: gap.stream }, reason: cleanReason })
  }
}

function spelled(text: string | null): string {
  return text === null ? NULL_ELEMENT : quoted(text)
}

/** `rows`: array elements, each row in the order of the statement's columns. */
async function insertAll(
  client: PoolClient,
  statement: string,
  rows: readonly (readonly string[])[],
): Promise<readonly CountedRows[]> {
  const [first] = rows
  if (first === undefined) return []
  const columns = first.map((_, i) => rows.map((row) => row[i] ?? NULL_ELEMENT))
  return (await client.query<CountedRows>(statement, parametersOf({ rows: rows.length, columns }))).rows
}
