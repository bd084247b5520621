import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { ensurePartitions, migrate, openDatabase } from '@booktape/store'
import { temporaryDatabase } from '@booktape/testkit'

// docs/operating.md gives queries to somebody who has no time to correct them.

const PAGE = readFileSync(new URL('../docs/operating.md', import.meta.url), 'utf8')
const QUERIES = [...PAGE.matchAll(/`(select [^`]+)`/g)].map(([, sql = '']) => sql.replaceAll(/\s+/g, ' '))

test('every query of docs/operating.md runs', async (t) => {
  assert.equal(QUERIES.length, 8)
  const { url, close } = await temporaryDatabase()
  const database = openDatabase(url, { applicationName: 'booktape test', max: 1 })
  try {
    await migrate(url)
    await ensurePartitions(database, '2026-01-01')
    for (const sql of QUERIES) await t.test(sql, async () => void (await database.pool.query(sql)))
  } finally {
    await database.close()
    await close()
  }
})
