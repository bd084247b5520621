import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { TemporaryDatabase } from '@booktape/testkit'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { archiveDocumented, documentedDatabase } from './documented-recording.ts'

const PAGE = readFileSync(new URL('../docs/archive.md', import.meta.url), 'utf8')
const PLACE = '/srv/tape'

/** Each block of SQL, and the answer printed below it; the first makes what the others ask. */
const BLOCKS = [...PAGE.matchAll(/```sql\n([\s\S]*?)```\n(?:\n```text\n([\s\S]*?)```)?/g)].map(
  ([, sql = '', answer]) => ({ sql: sql.trim(), answer: answer?.trimEnd() }),
)

describe('the worked queries of docs/archive.md, asked by DuckDB of an archive of the documented recording', () => {
  let database: TemporaryDatabase
  let root: string
  let duckdb: DuckDBConnection
  before(async () => {
    database = await documentedDatabase()
    root = await mkdtemp(join(tmpdir(), 'booktape-archive-test-'))
    await archiveDocumented(database, root)
    duckdb = await (await DuckDBInstance.create()).connect()
    await duckdb.run((BLOCKS[0]?.sql ?? '').replaceAll(PLACE, root))
  })
  after(async () => {
    duckdb?.closeSync()
    await database.close()
    await rm(root, { recursive: true })
  })

  test('are 12', () => assert.equal(BLOCKS.length, 13))

  for (const { sql, answer } of BLOCKS.slice(1)) {
    test(`answer as printed: ${sql.replaceAll(/\s+/g, ' ').slice(0, 100)}`, async () => {
      const reader = await duckdb.runAndReadAll(sql)
      const types = reader.columnTypes()
      const rows = reader.getRowsJson().map((row) => row.map((cell, i) => shown(cell, String(types[i]))))
      assert.equal(tableOf([reader.columnNames(), ...rows]), answer)
    })
  }
})

function shown(cell: unknown, type: string): string {
  if (cell === null || cell === undefined) return ''
  const text = typeof cell === 'string' ? cell : JSON.stringify(cell)
  return type.startsWith('DECIMAL') && text.includes('.') ? text.replace(/\.?0+$/, '') : text
}

/** Columns as wide as their widest value; no blanks at a line's end. */
function tableOf(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => (row[i] ?? '').length)))
  return rows
    .map((row) =>
      row
        .map((value, i) => value.padEnd(widths[i] ?? 0))
        .join(' | ')
        .trimEnd(),
    )
    .join('\n')
}
