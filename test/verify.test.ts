import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openDatabase, settle } from '@booktape/store'
import { runSeed } from './simulation/run-seed.ts'
import { runCommand } from './spawned-command.ts'
import { storeWorld } from './stored-world.ts'
import { startDatabase } from './surroundings.ts'
import { assertWhole } from './whole.ts'

/** With gaps of many causes and a database that was set back: small, and it once found a bug (simulation/seeds.txt). */
const SEED = 204

test('what a recorder stored in a simulated world is whole, fresh and settled, and what is damaged is said', async (t) => {
  const { url, client } = await startDatabase(t)
  const env = { DATABASE_URL: url.href }
  const { violations } = await runSeed(SEED, (world) => storeWorld(world, url.href))
  assert.deepEqual(violations, [])
  const fresh = await assertWhole(url.href)
  const database = openDatabase(url.href, { applicationName: 'booktape test', max: 2 })
  const { messages } = await settle(database, '2100-01-01', new AbortController().signal, { before: '2100-01-01' })
  await database.close()
  assert.ok(messages > 0n)
  const whole = await runCommand(t, ['verify'], env)
  assert.deepEqual([whole.code, whole.stderr], [0, ''])
  assert.match(
    whole.stdout,
    /^[\d,]+ rows \([\d,]+ bytes\) and [\d,]+ changes of \d+ epochs checked, \d+ books rebuilt and compared\n/,
  )
  assert.ok(whole.stdout.includes(` and ${fresh.changes} changes of ${fresh.epochs} epochs `))
  assert.match(whole.stdout, /\nnothing is altered, missing or doubled\n$/)

  await client.query(
    `update booktape.gaps set cause = 'liveness' where gap_id = (select min(gap_id::text)::uuid from booktape.gaps where cause <> 'liveness')`,
  )
  const damaged = await runCommand(t, ['verify', '--from', '2020-01-01'], env)
  assert.equal(damaged.code, 1)
  assert.match(damaged.stdout, /^altered {2}gaps: gap [-0-9a-f]{36} \(.*\): it is not what was written\n/)
  assert.match(damaged.stdout, /\n1 finding: docs\/verify\.md says what to do about each kind\n$/)
  const json = await runCommand(t, ['verify', '--json'], env)
  const lines = json.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  assert.deepEqual(
    lines.map(({ kind, relation, findings }) => [kind, relation, findings]),
    [
      ['altered', 'gaps', undefined],
      ['report', undefined, 1],
    ],
  )
  assert.equal(json.code, 1)
})

test('booktape verify with a span that is none names it and ends with 78', async (t) => {
  const ended = await runCommand(t, ['verify', 'btcusd', '--from', 'yesterday'], {
    DATABASE_URL: 'postgres://u@127.0.0.1:1/db',
  })
  assert.equal(ended.code, 78)
  assert.match(ended.stderr, /^--from is "yesterday", which is no time/)
})
