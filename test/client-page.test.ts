import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import type { TemporaryDatabase } from '@booktape/testkit'
import { documentedDatabase } from './documented-recording.ts'

const PAGE = readFileSync(new URL('../docs/client.md', import.meta.url), 'utf8')

/** Each example, and what it prints. The first one opens the tape that the others read. */
const [OPENING, ...EXAMPLES] = [
  ...PAGE.matchAll(/```ts\n([\s\S]*?)```\n(?:\n(?:[^`#\n][^\n]*\n)*```text\n([\s\S]*?)```)?/g),
].map(([, code = '', output]) => ({ code, output }))

describe('the examples of docs/client.md, on the recording that the page names', () => {
  let database: TemporaryDatabase
  before(async () => {
    database = await documentedDatabase()
  })
  after(() => database.close())

  test('are seven, each with its output', () => {
    assert.equal(EXAMPLES.length, 7)
    assert.ok(EXAMPLES.every(({ output }) => output !== undefined))
  })

  for (const { code, output } of EXAMPLES) {
    test(`prints what the page shows: ${code.slice(0, 60).replaceAll('\n', ' ')}`, async () => {
      const closing = code.includes('tape.close()') ? '' : 'await tape.close()\n'
      const program = `${OPENING?.code}${code}${closing}`
      const { stdout } = await promisify(execFile)(
        process.execPath,
        ['--input-type=module-typescript', '--eval', program],
        {
          cwd: import.meta.dirname, // where the packages are found
          env: { ...process.env, DATABASE_URL: database.url },
        },
      )
      assert.equal(stdout, output)
    })
  }
})
