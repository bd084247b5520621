import assert from 'node:assert/strict'
import { test } from 'node:test'
import pg from 'pg'
import { temporaryDatabase } from './temporary-database.ts'

test('each temporary database is empty and apart, and gone after close, connections or not', async () => {
  const first = await temporaryDatabase()
  const second = await temporaryDatabase()
  assert.notEqual(first.url, second.url)

  const client = new pg.Client({ connectionString: first.url })
  const cut = new Promise((resolve) => client.on('error', resolve))
  await client.connect()
  await client.query('create table here (id bigint)')
  assert.deepEqual(await tables(first.url), ['here'])
  assert.deepEqual(await tables(second.url), [])

  await first.close()
  await cut
  await assert.rejects(tables(first.url), { code: '3D000' }) // invalid_catalog_name: there is no such database
  await second.close()
})

async function tables(url: string): Promise<readonly string[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const found = await client.query<{ name: string }>(
      "select tablename as name from pg_tables where schemaname = 'public' order by 1",
    )
    return found.rows.map((row) => row.name)
  } finally {
    await client.end()
  }
}
