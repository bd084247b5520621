import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import type { TemporaryDatabase } from '@booktape/testkit'
import { Client } from 'pg'
import { documentedDatabase } from './documented-recording.ts'
import { allLive, type Drill, startDrill } from './recording-drill.ts'

const PAGE = readFileSync(new URL('../docs/data.md', import.meta.url), 'utf8')

const ACCOUNT_PAGE = readFileSync(new URL('../docs/account.md', import.meta.url), 'utf8')

/** Each block of SQL, and the answer printed below it, where there is one. */
const blocksOf = (page: string) =>
  [...page.matchAll(/```sql\n([\s\S]*?)```\n(?:\n```text\n([\s\S]*?)```)?/g)].map(([, sql = '', answer]) => ({
    sql: sql.trim(),
    answer: answer?.trimEnd(),
  }))
const WORKED = [PAGE, ACCOUNT_PAGE].flatMap(blocksOf).filter(({ answer }) => answer !== undefined)
const LIVE = blocksOf(PAGE).filter(({ answer }) => answer === undefined)
const OF_THE_ACCOUNT = blocksOf(ACCOUNT_PAGE).filter(({ answer }) => answer === undefined)

const titleOf = (sql: string): string => sql.replaceAll(/\s+/g, ' ').slice(0, 100)

describe('the worked queries of docs/data.md and docs/account.md, asked of the recording that the page names', () => {
  let database: TemporaryDatabase
  let client: Client
  before(async () => {
    database = await documentedDatabase()
    // Everything as Postgres writes it.
    client = new Client({ connectionString: database.url, types: { getTypeParser: () => (text: string) => text } })
    await client.connect()
    await client.query(`set timezone = 'UTC'`)
  })
  after(async () => {
    await client.end()
    await database.close()
  })

  test('are 25', () => assert.equal(WORKED.length, 25))

  for (const { sql, answer } of WORKED) {
    test(`answer as printed: ${titleOf(sql)}`, async () => {
      const { rows, fields } = await client.query<(string | null)[]>({ text: sql, rowMode: 'array' })
      assert.equal(tableOf([fields.map(({ name }) => name), ...rows]), answer)
    })
  }

  for (const { sql } of OF_THE_ACCOUNT)
    test(`runs as the account reads it: ${titleOf(sql)}`, async () => {
      assert.ok(Array.isArray((await client.query(sql)).rows))
    })

  test('every relation of schema account is on its page', async () => {
    const { rows } = await client.query<{ name: string }>(
      `select table_name as name from information_schema.tables where table_schema = 'account'`,
    )
    assert.deepEqual(
      rows.filter(({ name }) => !ACCOUNT_PAGE.includes(`\`account.${name}\``)),
      [],
    )
  })

  test('every column of every relation and every argument of every function is on the page', async () => {
    const { rows } = await client.query<{ name: string }>(
      `select table_name || '.' || column_name as name from information_schema.columns where table_schema = 'market'
       union all
       select p.proname || '(' || coalesce(n, '') || ')' from pg_proc p
       left join lateral unnest(p.proargnames) n on n <> '' where p.pronamespace = 'market'::regnamespace`,
    )
    const missing = rows.filter(({ name }) => {
      const [, relation = '', column = ''] = /^(\w+)[.(](\w*)\)?$/.exec(name) ?? []
      const section = PAGE.split(/^### /m).find((part) => part.startsWith(`market.${relation}\n`)) ?? ''
      return !section.includes(`\`${column}\``) && !section.includes(`${column},`) && !section.includes(`${column})`)
    })
    assert.deepEqual(missing, [])
  })
})

/** Columns as wide as their widest value; no blanks at a line's end. */
function tableOf(rows: readonly (readonly (string | null)[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => (row[i] ?? '').length)))
  return rows
    .map((row) =>
      row
        .map((value, i) => (value ?? '').padEnd(widths[i] ?? 0))
        .join(' | ')
        .trimEnd(),
    )
    .join('\n')
}

// Gaps are what a healthy recording has none of.
const MAY_BE_EMPTY = /from market\.gaps/

describe('the queries of docs/data.md about now', () => {
  const queries = LIVE.flatMap(({ sql }) => sql.split(';'))
    .map((query) => query.trim())
    .filter((query) => query !== '')
  let drill: Drill
  before(async () => {
    drill = await startDrill({ symbols: 1, rate: 20, seed: 5 })
    await drill.recording.until(() => allLive(drill))
    // The second before now, of which one query asks, must have been recorded.
    const [live] = await drill.recording.query<{ since: string }>('select now()::text as since')
    await drill.recording.until(async () => {
      const [row] = await drill.recording.query<{ ok: boolean }>(
        `select count(*) > 0 and now() > $1::timestamptz + interval '2 seconds' as ok from market.trades`,
        [live?.since],
      )
      return row?.ok === true
    })
  })
  after(async () => drill?.close())

  test('are six', () => assert.equal(queries.length, 6))

  for (const query of queries) {
    test(`answer: ${titleOf(query)}`, async () => {
      const rows = await drill.recording.query(query)
      assert.ok(rows.length > 0 || MAY_BE_EMPTY.test(query))
    })
  }
})
