import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Client } from 'pg'
import { countingListener } from './listeners.ts'
import { runCommand, SpawnedCommand } from './spawned-command.ts'

test('booktape start: everything from an empty directory, the query it shows works, Ctrl-C ends it all', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'booktape-test-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  const env = { BOOKTAPE_DATA_DIR: directory, BOOKTAPE_HTTP_PORT: '0' }
  const command = new SpawnedCommand(t, ['start', 'ETHUSD'], env)
  const shown = async (title: string): Promise<string> =>
    (await command.line(new RegExp(`^${title} `))).slice(title.length).trim()

  const page = await shown('status page')
  assert.match(
    await shown('recording'),
    /^ethusd from the simulated exchange at http:\/\/127\.0\.0\.1:\d+; Ctrl-C stops$/,
  )
  await command.until('readiness', async () => (await fetch(`${page}readyz`)).status === 200)
  assert.match(await (await fetch(page)).text(), /<title>booktape<\/title>/)
  assert.match(await (await fetch(`${page}?overview`)).text(), /"symbol":"ethusd"/)

  const database = await shown('database')
  const suggestion = await shown('a query')
  const sql = /^npx booktape query "(.*)"$/.exec(suggestion)?.[1] ?? ''
  // Ready is a matter of the live books; the first rows of this one may be a commit away (BT001: not recorded yet).
  let rows: string[] = []
  await command.until('a stored book', async () => {
    rows = (await runCommand(t, ['query', sql], env)).stdout.trim().split('\n')
    return rows.length > 1
  })
  assert.equal(rows[0]?.replace(/ +/g, ' '), 'side level price quantity')
  assert.equal(rows.length, 11)
  const refused = await runCommand(t, ['query', 'delete from market.trades'], env)
  assert.deepEqual([refused.code, refused.stderr], [1, 'cannot execute DELETE in a read-only transaction\n'])
  // Both are those of this first look: its database is not asked to hold what the real exchange has.
  const fetched = await runCommand(t, ['backfill', 'ethusd', '--json'], { BOOKTAPE_DATA_DIR: directory })
  assert.match(fetched.stdout, /^\{"symbol":"ethusd",.*"problem":null\}\n$/)
  assert.deepEqual([fetched.code, fetched.stderr], [0, ''])
  const looked = await runCommand(t, ['status'], { BOOKTAPE_DATA_DIR: directory })
  assert.match(looked.stdout, /\nethusd  ws    live on a/)
  assert.match(looked.stdout, /^recorder {3}http:\/\/127\.0\.0\.1:\d+: line a, version \S+, 2 of 2 books live, ready$/m)
  assert.match(
    looked.stdout,
    /^storing {4}backlog \d+, last commit \d+\.\d s ago, 99 % of messages stored within [\d.]+ s, /m,
  )
  const watching = new SpawnedCommand(t, ['status', '--watch', '--json'], { BOOKTAPE_DATA_DIR: directory })
  await watching.until('two looks', () => watching.count(/^\{"database":.*"recorder":\{"url":.*"feeds":\[.*\}$/) >= 2)
  watching.kill('SIGKILL')

  const ended = await command.stop('SIGINT')
  assert.deepEqual([ended.code, ended.stderr], [0, ''])
  assert.match(ended.stdout, /\nSIGINT: stopping\nstopped; npm start continues where this ended\n$/)
  await assert.rejects(new Client({ connectionString: database }).connect(), { code: 'ECONNREFUSED' })

  const { port } = await countingListener(t)
  const again = await runCommand(t, ['start', 'ethusd'], { ...env, BOOKTAPE_HTTP_PORT: `${port}` })
  assert.equal(
    again.stderr,
    `port ${port} on 127.0.0.1 is already taken by another program: set BOOKTAPE_HTTP_PORT to another one.\n`,
  )
  assert.equal(again.code, 1)
  const [url] = /postgres:\S+/.exec(again.stdout) ?? []
  await assert.rejects(new Client({ connectionString: url ?? '' }).connect(), { code: 'ECONNREFUSED' })
})
