import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { localStorage } from './local-storage.ts'
import { readTable } from './table-reader.ts'
import { TableFile } from './table-writer.ts'
import { COLUMNS, type Row, TABLES, type TableName } from './tables.ts'

/** Two rows for each column that may be null, one with and one without it, and values at the ends of what there is. */
function rowsOf(table: TableName): Row[] {
  const full: Row = COLUMNS[table].map(({ name, type }) => {
    switch (type) {
      case 'int64':
        return 9_223_372_036_854_775_807n
      case 'int32':
        return 2_147_483_647
      case 'boolean':
        return true
      case 'text':
        return `${name} "é,\n`
      case 'decimal':
        return '4105123935484.817624'
    }
  })
  const fine = full.map((cell, i) => (COLUMNS[table][i]?.type === 'decimal' ? '0.123456789012345678' : cell))
  const least = full.map((cell) => (typeof cell === 'bigint' ? -9_223_372_036_854_775_808n : cell))
  const sparse = COLUMNS[table].flatMap(({ nullable }, i) =>
    nullable === true ? [full.map((cell, at) => (at === i ? null : cell))] : [],
  )
  return [full, fine, least, ...sparse, full]
}

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'booktape-tables-'))
  try {
    await work(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function read(folder: string, name: string, table: TableName, fromRow = 0): Promise<Row[]> {
  const opened = await localStorage(folder).open(name)
  assert.ok(opened !== null)
  try {
    const rows: Row[] = []
    for await (const page of readTable(opened, table, name, fromRow)) rows.push(...page)
    return rows
  } finally {
    await opened.close()
  }
}

for (const table of TABLES) {
  for (const feed of ['v1', 'ws'] as const) {
    test(`${table} of ${feed}: every value comes back, also from the middle on`, () =>
      inFolder(async (folder) => {
        const rows = rowsOf(table)
        const file = new TableFile({ file: join(folder, 'a.parquet'), table, software: 'test', feed })
        for (const row of rows) file.add(row)
        file.finish()
        assert.deepEqual(await read(folder, 'a.parquet', table), rows)
        assert.deepEqual(await read(folder, 'a.parquet', table, 2), rows.slice(2))
      }))
  }

  test(`${table} without rows`, () =>
    inFolder(async (folder) => {
      new TableFile({ file: join(folder, 'a.parquet'), table, software: 'test', feed: null }).finish()
      assert.deepEqual(await read(folder, 'a.parquet', table), [])
    }))
}

test('a file that was cut is named as damaged', () =>
  inFolder(async (folder) => {
    const file = new TableFile({ file: join(folder, 'a.parquet'), table: 'trades', software: 'test', feed: null })
    for (const row of rowsOf('trades')) file.add(row)
    file.finish()
    const bytes = await readFile(join(folder, 'a.parquet'))
    await writeFile(join(folder, 'a.parquet'), bytes.subarray(0, bytes.length - 1))
    await assert.rejects(() => read(folder, 'a.parquet', 'trades'), {
      code: 'DAMAGED',
      message: /^a\.parquet cannot be read/,
    })
  }))

test('a column that must have a value gets one', () =>
  inFolder(async (folder) => {
    const file = new TableFile({ file: join(folder, 'a.parquet'), table: 'trades', software: 'test', feed: null })
    assert.throws(() => file.add([null, 1n, 1n, '1', '1', 'buy', 'v1', 'a', false]), /column trade_id has a value/)
    await Promise.resolve()
  }))
