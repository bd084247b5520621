import assert from 'node:assert/strict'
import { readdir, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { nodeDisk } from './disk.ts'
import { temporaryDirectory } from './journal.fixture.ts'
import { setBytesAside, setFileAside, trimSetAside } from './set-aside.ts'

test('what is set aside never replaces what was set aside before', async (t) => {
  const directory = await temporaryDirectory(t)
  for (const text of ['first', 'second']) {
    await writeFile(join(directory, 'a.segment'), text)
    await setFileAside(nodeDisk, directory, 'a.segment')
  }
  await setBytesAside(nodeDisk, directory, 'a.segment', new TextEncoder().encode('third'))
  assert.deepEqual((await readdir(directory)).sort(), [
    'a.segment.1.damaged',
    'a.segment.2.damaged',
    'a.segment.3.damaged',
  ])
})

for (const [limitBytes, deleted] of [
  [30, []],
  [29, ['old.damaged']],
  [20, ['old.damaged']],
  [19, ['old.damaged', 'middle.damaged']],
  [0, ['old.damaged', 'middle.damaged', 'new.damaged']],
] as const) {
  test(`of three files of 10 bytes with room for ${limitBytes}, the oldest ${deleted.length} go`, async (t) => {
    const directory = await temporaryDirectory(t)
    for (const [name, second] of [
      ['new.damaged', 3],
      ['old.damaged', 1],
      ['middle.damaged', 2],
      ['kept.segment', 0],
    ] as const) {
      await writeFile(join(directory, name), '0123456789')
      await utimes(join(directory, name), second, second)
    }
    assert.deepEqual(await trimSetAside(nodeDisk, directory, limitBytes), deleted)
    assert.equal((await readdir(directory)).length, 4 - deleted.length)
  })
}
