import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { ConfigError } from '@booktape/runtime'
import { refuseCores } from './core-limit.ts'

const HEAD = 'Limit                     Soft Limit           Hard Limit           Units     \n'

for (const [what, limits, refused] of [
  ['may write none', `${HEAD}Max core file size        0                    unlimited            bytes     \n`, null],
  [
    'may write any',
    `${HEAD}Max core file size        unlimited            unlimited            bytes     \n`,
    /^This process may write a core file \(of any size\), and with it the API key: start it with "ulimit -c 0/,
  ],
  [
    'may write some',
    `${HEAD}Max core file size        1024                 unlimited            bytes     \n`,
    /\(of 1024 bytes\)/,
  ],
  ['is of a system without such a file', null, null],
] as const) {
  test(`a process that ${what}: ${refused === null ? 'it starts' : 'it is refused'}`, async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'booktape-limits-'))
    t.after(() => rmSync(directory, { recursive: true, force: true }))
    const file = join(directory, 'limits')
    if (limits !== null) writeFileSync(file, limits)
    if (refused === null) return await refuseCores(file)
    await assert.rejects(refuseCores(file), (error) => error instanceof ConfigError && refused.test(error.message))
  })
}
