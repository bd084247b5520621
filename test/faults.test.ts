import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

// docs/faults.md names the test of each fault. It must not promise what is not there.

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** How many faults each part of the list has. */
const PARTS = { N: 20, P: 38, D: 23, R: 22, S: 15 }
const IDS = Object.entries(PARTS).flatMap(([part, count]) => Array.from({ length: count }, (_, i) => `${part}${i + 1}`))

/** A sentence that says something, not a shrug. */
const MIN_REASON = 25

const rows = readFileSync(join(ROOT, 'docs/faults.md'), 'utf8')
  .split('\n')
  .flatMap((line) => {
    const [, id, fault, shown] = /^\| ([A-Z]\d+) \| (.+?) \| (.+) \|$/.exec(line) ?? []
    return id === undefined || fault === undefined || shown === undefined ? [] : [{ id, fault, shown }]
  })

test('each of the 118 faults is in the table once, in order', () => {
  assert.equal(IDS.length, 118)
  assert.deepEqual(
    rows.map((row) => row.id),
    IDS,
  )
})

for (const { id, fault, shown } of rows) {
  const none = /^None yet: (.+)$/.exec(shown)?.[1]
  const partly = /^Partly, (.+?): `/.exec(shown)?.[1]
  const tests = testsIn(shown)
  if (none !== undefined) {
    test(`${id}, ${fault}: has no test, and the reason is given`, () => {
      assert.deepEqual(tests, [])
      assert.ok(none.length >= MIN_REASON, none)
    })
    continue
  }
  test(`${id}, ${fault}: what is named is there`, () => {
    assert.equal(
      shown,
      `${partly === undefined ? '' : `Partly, ${partly}: `}${tests.map(({ cell }) => cell).join('; ')}`,
    )
    assert.ok(
      tests.some((named) => named.file.endsWith('.test.ts')),
      'one of them is a test that always runs',
    )
    for (const { file, text } of tests) {
      assert.ok(existsSync(join(ROOT, file)), `${file} is not there`)
      assert.ok(readFileSync(join(ROOT, file), 'utf8').includes(text), `${file} has no test with "${text}"`)
    }
  })
}

test('the count', (t) => {
  const none = rows.filter(({ shown }) => shown.startsWith('None yet')).length
  const partly = rows.filter(({ shown }) => shown.startsWith('Partly')).length
  t.diagnostic(`${rows.length - none - partly} of ${rows.length} faults have a test, ${partly} in part, ${none} none`)
  assert.equal(rows.length, IDS.length)
})

function testsIn(shown: string): { cell: string; file: string; text: string }[] {
  return [...shown.matchAll(/`([^`]+\.ts)` › `([^`]+)`/g)].map(([cell, file = '', text = '']) => ({
    cell,
    file,
    text,
  }))
}
