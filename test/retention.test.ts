import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ensurePartitions, migrate, openDatabase } from '@booktape/store'
import { temporaryDatabase } from '@booktape/testkit'

const MAIN = fileURLToPath(new URL('../services/cli/src/main.ts', import.meta.url))

type Ended = Readonly<{ code: number; stdout: string; stderr: string }>

function booktape(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [MAIN, ...args],
      { env: { PATH: process.env['PATH'], ...env } },
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    )
  })
}

test('booktape retention says what it would drop, drops it, and nothing else', async (t) => {
  const { url, close } = await temporaryDatabase()
  t.after(close)
  await migrate(url)
  const database = openDatabase(url, { applicationName: 'booktape test', max: 1 })
  const today = new Date().toISOString().slice(0, 10)
  await ensurePartitions(database, '2026-01-05', 0)
  await ensurePartitions(database, today, 0)
  await database.close()
  const env = { DATABASE_URL: url }

  assert.match((await booktape(['retention'], env)).stderr, /give --keep or BOOKTAPE_RETENTION/)
  assert.equal((await booktape(['retention', '--keep', '90'], env)).code, 78)
  const planned = await booktape(['retention', '--keep', '30d', '--dry-run'], env)
  assert.equal(planned.code, 0, planned.stderr)
  assert.equal(planned.stdout.match(/would be dropped/g)?.length, 4)
  const archived = await booktape(['retention', '--dry-run'], {
    ...env,
    BOOKTAPE_RETENTION: '30d',
    BOOKTAPE_ARCHIVE: '/archive',
  })
  assert.equal(archived.stdout.match(/kept: not archived/g)?.length, 4)
  const dropped = await booktape(['retention', '--keep', '30d', '--json'], env)
  assert.match(dropped.stdout, /"partition": "book_chunks_20260105",\s+"bytes": \d+,\s+"dropped": true/)
  const after = await booktape(['retention', '--keep', '30d'], env)
  assert.match(after.stdout, /^days before \d{4}-\d\d-\d\d: 0 KiB freed\n$/)
  const all = await booktape(['retention', '--keep', '1d', '--dry-run'], env)
  assert.doesNotMatch(all.stdout, new RegExp(today.replaceAll('-', '')))
})
