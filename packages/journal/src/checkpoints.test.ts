import assert from 'node:assert/strict'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { checkpointName } from './checkpoints.ts'
import { nodeDisk } from './disk.ts'
import { diskWith, openJournal, temporaryDirectory, writeEntries } from './journal.fixture.ts'
import type { Journal } from './journal.ts'
import { segmentName } from './segment-header.ts'

const textBytes = (text: string): Uint8Array => new TextEncoder().encode(text)

async function journalWithCheckpoints(t: TestContext, positions: readonly number[]): Promise<[Journal, string]> {
  const directory = await temporaryDirectory(t)
  await writeEntries(directory, 9, {})
  const journal = await openJournal(t, directory)
  for (const position of positions) await journal.writeCheckpoint(position, textBytes(`state at ${position}`))
  return [journal, directory]
}

for (const [atOrBefore, expected] of [
  [2, null],
  [3, 3],
  [5, 3],
  [6, 6],
  [9, 6],
] as const) {
  test(`of checkpoints at 3 and 6, the newest at or before ${atOrBefore} is ${expected}`, async (t) => {
    const [journal] = await journalWithCheckpoints(t, [3, 6])
    const newest = await journal.newestCheckpoint(atOrBefore)
    const found = newest === null ? null : [newest.position, new TextDecoder().decode(newest.bytes)]
    assert.deepEqual(found, expected === null ? null : [expected, `state at ${expected}`])
  })
}

test('a newest checkpoint with any byte flipped, or cut at any byte, is skipped for an older one', async (t) => {
  const [journal, directory] = await journalWithCheckpoints(t, [3, 6])
  const path = join(directory, checkpointName(6))
  const truth = await readFile(path)
  assert.equal(truth.length, 50)
  for (let at = 0; at < truth.length; at += 1) {
    const flipped = Buffer.from(truth)
    flipped[at] = (flipped[at] ?? 0) ^ 16
    for (const bytes of [flipped, truth.subarray(0, at)]) {
      await writeFile(path, bytes)
      assert.equal((await journal.newestCheckpoint(9))?.position, 3, `byte ${at}`)
    }
  }
})

test('checkpoints are there after reopening, and an empty one is one', async (t) => {
  const [journal, directory] = await journalWithCheckpoints(t, [0, 4])
  await journal.writeCheckpoint(5, new Uint8Array(0))
  await journal.close()
  const again = await openJournal(t, directory)
  assert.deepEqual(await again.newestCheckpoint(9), { position: 5, bytes: new Uint8Array(0) })
  assert.deepEqual(await again.newestCheckpoint(4), { position: 4, bytes: textBytes('state at 4') })
  assert.deepEqual(await again.newestCheckpoint(3), { position: 0, bytes: textBytes('state at 0') })
})

test('a checkpoint of an entry that recovery lost is set aside: its position will be given again', async (t) => {
  const [journal, directory] = await journalWithCheckpoints(t, [3, 6])
  await journal.close()
  const path = join(directory, segmentName(1))
  const bytes = await readFile(path)
  bytes.fill(0xff, 68 + 4 * 52, 68 + 5 * 52) // entry 5
  await writeFile(path, bytes)
  const again = await openJournal(t, directory)
  assert.equal(again.recovery.lastPosition, 4)
  assert.equal((await again.newestCheckpoint(9))?.position, 3)
  assert.ok((await readdir(directory)).includes(`${checkpointName(6)}.1.damaged`))
})

test('a checkpoint of another journal is skipped', async (t) => {
  const [journal, directory] = await journalWithCheckpoints(t, [3])
  const elsewhere = await temporaryDirectory(t)
  await writeEntries(elsewhere, 9, { journalId: '0189f7a1-0000-7000-8000-00000000ffff' })
  await journal.close()
  await writeFile(join(elsewhere, checkpointName(3)), await readFile(join(directory, checkpointName(3))))
  const other = await openJournal(t, elsewhere)
  assert.equal(await other.newestCheckpoint(9), null)
})

test('a checkpoint that cannot be written leaves the one before, and the journal goes on', async (t) => {
  const directory = await temporaryDirectory(t)
  await writeEntries(directory, 9, {})
  let isFull = false
  const disk = diskWith((file, path) =>
    path.includes('.checkpoint')
      ? { write: (bytes, at) => (isFull ? Promise.reject(new Error('ENOSPC: no space left')) : file.write(bytes, at)) }
      : {},
  )
  const journal = await openJournal(t, directory, { disk })
  await journal.writeCheckpoint(3, textBytes('three'))
  isFull = true
  await assert.rejects(journal.writeCheckpoint(6, textBytes('six')), { code: 'WRITE_FAILED', message: /ENOSPC/ })
  assert.equal((await journal.newestCheckpoint(9))?.position, 3)
  isFull = false
  await journal.writeCheckpoint(6, textBytes('six'))
  assert.equal((await journal.newestCheckpoint(9))?.position, 6)
})

test('a checkpoint has its name only when its bytes are durable', async (t) => {
  const directory = await temporaryDirectory(t)
  await writeEntries(directory, 9, {})
  const steps: string[] = []
  const disk = diskWith(
    (file) => ({
      sync: async () => {
        await file.sync()
        steps.push('sync')
      },
    }),
    {
      rename: async (from, to) => {
        await nodeDisk.rename(from, to)
        steps.push('rename')
      },
      syncDirectory: async (path) => {
        await nodeDisk.syncDirectory(path)
        steps.push('sync directory')
      },
    },
  )
  const journal = await openJournal(t, directory, { disk })
  steps.length = 0
  await journal.writeCheckpoint(4, textBytes('state'))
  assert.deepEqual(steps, ['sync', 'rename', 'sync directory'])
})

test('a checkpoint counts into the bytes of the journal; one of an entry that is not durable is a broken belief', async (t) => {
  const [journal, directory] = await journalWithCheckpoints(t, [3])
  const segment = (await stat(join(directory, segmentName(1)))).size
  assert.equal(journal.bytes, segment + 50)
  await journal.writeCheckpoint(3, new Uint8Array(20))
  assert.equal(journal.bytes, segment + 60)
  await assert.rejects(journal.writeCheckpoint(10, new Uint8Array(1)), { name: 'InvariantError' })
})
