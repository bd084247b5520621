import type { PoolClient } from 'pg'
import { bisectRows } from './bisect-rows.ts'
import { copyRows, MIN_COPIED_ROWS } from './copy-rows.ts'
import { CopyBlock, CopyText } from './copy-text.ts'
import { writeInstruments } from './instrument-history.ts'
import type { PoisonRow, PoisonRows } from './poison-rows.ts'
import type { Rows } from './rows.ts'
import { parametersOf, type StatementBlock, statementBlocks } from './statement-blocks.ts'
import { CHANGES, END_DOUBTS, INSERTS, SUCCESSIONS } from './statements.ts'
import {
  CHANGED_COLUMNS,
  type Change,
  COPIED_TABLES,
  type CopiedTable,
  KNOWN_BOOK_COLUMNS,
  keysOf,
  STORED_COLUMNS,
  type StoredTable,
} from './stored-columns.ts'
import { type CountedRows, Tallies } from './tallies.ts'
import { findTradeConflicts, MAX_CONFLICTS_REPORTED, type TradeConflict } from './trade-conflicts.ts'

export type RowCounts = Readonly<Record<StoredTable | 'instruments', number>>

export type Stored = Readonly<{
  rows: RowCounts // new to the database
  conflicts: readonly TradeConflict[]
  poison: readonly PoisonRow[] // set aside, because the database refuses them
}>

/**
 * Stores a batch's rows within a transaction: what began first, what it brought next, what ended last, since a thing may begin
 * and end in one batch. `poison` takes the rows that are refused; without it the first one fails the transaction. What was stored is
 * counted in the same transaction.
 */
export async function storeRows(
  client: PoolClient,
  rows: Rows,
  line: string,
  poison: PoisonRows | null,
): Promise<Stored> {
  const counts = { ...NO_ROWS }
  const tallies = new Tallies()
  const conflicts: TradeConflict[] = []
  const books: StatementBlock[] = []
  for (const table of keysOf(STORED_COLUMNS)) {
    const insert = async (block: StatementBlock): Promise<number> => {
      const inserted = await insertRows(client, table, block, line, tallies)
      if (table === 'book_snapshots') books.push(block)
      if (table === 'trades' && inserted < block.rows && conflicts.length < MAX_CONFLICTS_REPORTED) {
        const limit = MAX_CONFLICTS_REPORTED - conflicts.length
        conflicts.push(...(await findTradeConflicts(client, parametersOf(block), limit)))
      }
      return inserted
    }
    for (const block of blocksOf(rows[table])) {
      counts[table] +=
        poison === null
          ? await insert(block)
          : await bisectRows(client, block, insert, (row, error) => poison.add(table, row, error))
    }
  }
  if (poison !== null) {
    counts.instruments = await poison.sift(client, rows.instruments, tallies)
    const disclosed = await poison.disclose(client, tallies)
    counts.gaps += disclosed.gaps
    counts.quarantine += disclosed.quarantine
  } else if (rows.instruments.length > 0) counts.instruments = await writeInstruments(client, rows.instruments, tallies)
  const changes = keysOf(CHANGED_COLUMNS)
  for (const change of changes) await changeRows(client, rows[change], [CHANGES[change]], tallies)
  for (const change of changes) await changeRows(client, rows[change], SUCCESSIONS[change] ?? [], tallies)
  for (const block of books) await client.query(END_DOUBTS, parametersOf(knownBooks(block)))
  await tallies.write(client)
  return { rows: counts, conflicts, poison: poison?.rows ?? [] }
}

async function changeRows(
  client: PoolClient,
  changed: Rows[Change],
  statements: readonly string[],
  tallies: Tallies,
): Promise<void> {
  for (const block of statementBlocks(changed)) {
    for (const statement of statements)
      tallies.take((await client.query<CountedRows>(statement, parametersOf(block))).rows)
  }
}

function blocksOf(rows: Rows[StoredTable]): Iterable<StatementBlock> {
  return rows instanceof CopyText ? rows.blocks() : statementBlocks(rows)
}

/** The number of rows that were not there. */
async function insertRows(
  client: PoolClient,
  table: StoredTable,
  block: StatementBlock,
  line: string,
  tallies: Tallies,
): Promise<number> {
  if (isCopied(table) && block instanceof CopyBlock && block.rows >= MIN_COPIED_ROWS) {
    const copied = await copyRows(client, table, block)
    if (copied !== null) {
      for (const [place, { rows, checksum }] of block.counts) tallies.add(table, line, place, rows, checksum)
      return copied
    }
  }
  return tallies.take((await client.query<CountedRows>(INSERTS[table], parametersOf(block))).rows)
}

function isCopied(table: StoredTable): table is CopiedTable {
  return COPIED_TABLES.some((copied) => copied === table)
}

/** Of each snapshot where it stands, without its levels. */
function knownBooks({ rows, columns }: StatementBlock): StatementBlock {
  const names = Object.keys(STORED_COLUMNS.book_snapshots)
  return { rows, columns: Object.keys(KNOWN_BOOK_COLUMNS).map((name) => columns[names.indexOf(name)] ?? []) }
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
