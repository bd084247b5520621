import {
  COUNTED_RELATIONS,
  checkedRows,
  type Database,
  epochsToVerify,
  ledgerFaults,
  orStoreError,
  tallied,
  tallyFaults,
  type VerifySpan,
} from '@booktape/store'
import type { PoolClient } from 'pg'
import { type Finding, placeText } from './finding.ts'
import { alteredRow, ledgerFinding, type RowTable, tallyFinding } from './sentences.ts'
import { type Checked, verifyEpoch } from './verify-epoch.ts'

/** What comes of verifying, as it comes. `progress`: what is looked at, and how far it is; `report` is the last. */
export type VerifyEvent =
  | Readonly<{ kind: 'finding'; finding: Finding }>
  | Readonly<{ kind: 'progress'; what: string; rows: number; rowsInAll: bigint }>
  | Readonly<{ kind: 'report'; report: VerifyReport }>

export type VerifyReport = Readonly<Checked & { epochs: number; findings: number }>

/** Reading a large span takes hours, and one count over all of a table minutes. */
const STATEMENT_TIMEOUT_MS = 6 * 3_600_000

const ROW_TABLES: readonly RowTable[] = ['quotes', 'trades', 'audits', 'quarantine']

/**
 * Verifies a span of a recording: every row against its checksum, how many rows there are against how many were written, every book against
 * the whole books that were stored, ids and times of messages against the ledger. What is read is one state of the database; memory
 * stays flat. Throws `StoreError`.
 */
export async function* verify(database: Database, span: VerifySpan): AsyncGenerator<VerifyEvent> {
  const client = await orStoreError(() => database.pool.connect())
  try {
    await begin(client)
    yield* verifyWithin(client, span)
  } finally {
    client.release(true)
  }
}

/** The same by a client that is in a transaction of isolation `repeatable read` and timezone UTC. */
export async function* verifyWithin(client: PoolClient, span: VerifySpan): AsyncGenerator<VerifyEvent> {
  const checked: Checked = { rows: 0, changes: 0, books: 0, unbuilt: 0, bytes: 0 }
  let findings = 0
  const found = (finding: Finding): VerifyEvent => {
    findings++
    return { kind: 'finding', finding }
  }
  const rowsInAll = await tallied(client, span)
  const progress = (what: string): VerifyEvent => ({ kind: 'progress', what, rows: checked.rows, rowsInAll })

  yield progress('sessions, epochs and gaps')
  for await (const fault of ledgerFaults(client, span)) yield found(ledgerFinding(fault))

  const epochs = await epochsToVerify(client, span)
  for (const epoch of epochs) {
    for await (const page of verifyEpoch(client, epoch, checked)) {
      for (const finding of page) yield found(finding)
      yield progress(placeText(epoch))
    }
  }
  for (const table of ROW_TABLES) {
    for await (const page of checkedRows(client, table, span)) {
      for (const row of page) {
        checked.rows++
        checked.bytes += row.bytes
        // The cells are those of the table.
        if (row.isAltered) yield found(alteredRow(table, row as never))
      }
      yield progress(table)
    }
  }
  for (const relation of COUNTED_RELATIONS) {
    yield progress(`rows of ${relation}`)
    for (const fault of await tallyFaults(client, relation, span)) yield found(tallyFinding(fault))
  }
  yield { kind: 'report', report: { ...checked, epochs: epochs.length, findings } }
}

async function begin(client: PoolClient): Promise<void> {
  await orStoreError(() =>
    client.query(
      `begin isolation level repeatable read read only; set local timezone = 'UTC'; set local statement_timeout = ${STATEMENT_TIMEOUT_MS}`,
    ),
  )
}
