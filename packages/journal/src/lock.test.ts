import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { entryOf, openJournal, readAll, temporaryDirectory, texts } from './journal.fixture.ts'

test('a second opener in the same process is refused, with the pid', async (t) => {
  const directory = await temporaryDirectory(t)
  await openJournal(t, directory)
  await assert.rejects(openJournal(t, directory), { code: 'LOCKED', message: new RegExp(`pid ${process.pid};`) })
})

test('of several openers at once exactly one gets the journal', async (t) => {
  const directory = await temporaryDirectory(t)
  const tries = await Promise.allSettled([1, 2, 3, 4, 5].map(() => openJournal(t, directory)))
  assert.equal(tries.filter((one) => one.status === 'fulfilled').length, 1)
})

test('a closed journal can be opened again', async (t) => {
  const directory = await temporaryDirectory(t)
  for (let n = 1; n <= 3; n += 1) await (await openJournal(t, directory)).close()
  await openJournal(t, directory)
})

test('another process keeps the journal until it is killed; then its entries are there', async (t) => {
  const directory = await temporaryDirectory(t)
  const child = await otherProcess(t, directory)
  await assert.rejects(openJournal(t, directory), { code: 'LOCKED', message: new RegExp(`pid ${child.pid};`) })
  child.kill('SIGKILL')
  await once(child, 'exit')
  const journal = await openJournal(t, directory)
  assert.equal(journal.recovery.damage, null)
  assert.deepEqual(texts(await readAll(journal)), ['1:from another process'])
  assert.equal(journal.append(entryOf(2)), 2)
})

/** A process that opens the journal, writes one entry, and holds on. */
async function otherProcess(t: TestContext, directory: string): Promise<ChildProcess> {
  const program = `
    import { Journal } from ${JSON.stringify(new URL('./journal.ts', import.meta.url).href)}
    const journal = await Journal.open(process.argv[1], { retentionMs: 0, limitBytes: 1e9, onFailure: console.error })
    const payload = new TextEncoder().encode('from another process')
    journal.append({ kind: 0, wallNs: 0n, monoNs: 0n, connection: 0, messageSeq: 0, payload })
    await journal.sync()
    console.log('holds')
    setInterval(() => undefined, 1000)
  `
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  return child
}

for (const [what, stale] of [
  ['of a process that had this pid before', (mine: string) => mine.replace(/\d+\n$/, '1\n')],
  [
    'of this pid in an earlier boot',
    (mine: string) => mine.replace(/ [0-9a-f-]{36} /, ' 00000000-0000-0000-0000-000000000000 '),
  ],
  ['of a pid that does not exist', (mine: string) => mine.replace(/^\d+/, '999999999')],
  ['that is empty', () => ''],
] as const) {
  test(`a lock ${what} is taken over`, async (t) => {
    const directory = await temporaryDirectory(t)
    const path = join(directory, 'journal.lock')
    const first = await openJournal(t, directory)
    const mine = await readFile(path, 'utf8')
    await first.close()
    assert.notEqual(stale(mine), mine)
    await writeFile(path, stale(mine))
    await openJournal(t, directory)
    assert.equal(await readFile(path, 'utf8'), mine)
  })
}
