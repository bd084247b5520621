import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nodeDisk } from './disk.ts'
import type { JournalError } from './errors.ts'
import { diskWith, entryOf, expectedTexts, openJournal, readAll, temporaryDirectory, texts } from './journal.fixture.ts'
import { HEADER_BYTES } from './segment-header.ts'

const THREE_A_SEGMENT = { maxSegmentBytes: HEADER_BYTES + 3 * 53 }

test('a disk that writes and reads a few bytes at a time loses nothing', async (t) => {
  const directory = await temporaryDirectory(t)
  let writes = 0
  const disk = diskWith((file) => ({
    write: (bytes, at) => {
      writes += 1
      return file.write(bytes.subarray(0, 1 + (writes % 13)), at)
    },
    read: (into, at) => file.read(into.subarray(0, 7), at),
  }))
  const journal = await openJournal(t, directory, { disk, ...THREE_A_SEGMENT })
  for (let n = 1; n <= 10; n += 1) journal.append(entryOf(n))
  await journal.sync()
  assert.deepEqual(texts(await readAll(journal)), expectedTexts(1, 10))
  await journal.writeCheckpoint(10, new Uint8Array(100).fill(7))
  await journal.close()
  assert.ok(writes > 100)
  const again = await openJournal(t, directory, THREE_A_SEGMENT)
  assert.equal(again.recovery.damage, null)
  assert.deepEqual(texts(await readAll(again)), expectedTexts(1, 10))
  assert.deepEqual(await again.newestCheckpoint(10), { position: 10, bytes: new Uint8Array(100).fill(7) })
})

test('a disk that writes nothing, without an error, is a failure and not an endless loop', async (t) => {
  const failures: JournalError[] = []
  const disk = diskWith((_, path) => (path.endsWith('.segment') ? { write: async () => 0 } : {}))
  const journal = await openJournal(t, await temporaryDirectory(t), {
    disk,
    onFailure: (error) => failures.push(error),
  })
  journal.append(entryOf(1))
  await assert.rejects(journal.sync(), { code: 'WRITE_FAILED' })
  assert.equal(failures.length, 1)
})

for (const [what, code, faultOf] of [
  ['write', 'WRITE_FAILED', (fail: () => Promise<never>) => ({ write: fail })],
  ['sync', 'SYNC_FAILED', (fail: () => Promise<never>) => ({ sync: fail })],
] as const) {
  test(`a failed ${what} is told once, is not tried again, and nothing is written after it`, async (t) => {
    const directory = await temporaryDirectory(t)
    const failures: JournalError[] = []
    const calls: string[] = []
    let broken = false
    let failed = 0
    const fail = (): Promise<never> => {
      failed += 1
      return Promise.reject(Object.assign(new Error('EIO: i/o error'), { code: 'EIO' }))
    }
    const disk = diskWith((file, path) => {
      if (!path.endsWith('.segment')) return {}
      const fault: { write?: typeof fail; sync?: typeof fail } = faultOf(fail)
      return {
        write: (bytes, at) => {
          calls.push('write')
          return broken && fault.write ? fault.write() : file.write(bytes, at)
        },
        sync: () => {
          calls.push('sync')
          return broken && fault.sync ? fault.sync() : file.sync()
        },
      }
    })
    const journal = await openJournal(t, directory, { disk, onFailure: (error) => failures.push(error) })
    const synced: string[] = []
    journal.onSynced((entries) => synced.push(...texts(entries)))
    journal.append(entryOf(1))
    await journal.sync()
    assert.deepEqual(calls, ['write', 'sync'])

    broken = true
    journal.append(entryOf(2))
    await assert.rejects(journal.sync(), { code, message: /0000000000000001\.segment failed: EIO/ })
    broken = false // even a disk that seems well again
    const callsThen = [...calls]
    assert.throws(() => journal.append(entryOf(3)), { code })
    await assert.rejects(journal.sync(), { code })
    await journal.close()
    assert.deepEqual(
      failures.map((error) => error.code),
      [code],
    )
    assert.equal(failed, 1)
    assert.deepEqual(calls, callsThen)
    assert.deepEqual(synced, ['1:entry 1'])
    assert.equal(journal.syncedPosition, 1)
  })
}

test('a segment that cannot be created is a failure', async (t) => {
  const failures: JournalError[] = []
  const disk = diskWith(() => ({}), {
    open: (path, mode) =>
      mode === 'create' && path.endsWith('0000000000000004.segment')
        ? Promise.reject(new Error('EMFILE: too many open files'))
        : nodeDisk.open(path, mode),
  })
  const journal = await openJournal(t, await temporaryDirectory(t), {
    disk,
    ...THREE_A_SEGMENT,
    onFailure: (error) => failures.push(error),
  })
  for (let n = 1; n <= 4; n += 1) journal.append(entryOf(n))
  await assert.rejects(journal.sync(), { code: 'WRITE_FAILED', message: /0000000000000004\.segment cannot be created/ })
  assert.equal(journal.syncedPosition, 3)
  assert.equal(failures.length, 1)
})

test('nothing is announced before the bytes, and the name of a new segment, are durable', async (t) => {
  const steps: string[] = []
  const disk = diskWith(
    (file, path) =>
      path.endsWith('.segment')
        ? {
            write: (bytes, at) => {
              steps.push('write')
              return file.write(bytes, at)
            },
            sync: async () => {
              await file.sync()
              steps.push('sync')
            },
          }
        : {},
    {
      syncDirectory: async (path) => {
        await nodeDisk.syncDirectory(path)
        steps.push('sync directory')
      },
    },
  )
  const journal = await openJournal(t, await temporaryDirectory(t), { disk })
  steps.length = 0
  journal.onSynced((entries) => steps.push(`announce ${entries.length}`))
  journal.append(entryOf(1))
  await journal.sync()
  journal.append(entryOf(2))
  journal.append(entryOf(3))
  await journal.sync()
  assert.deepEqual(steps, ['write', 'sync', 'sync directory', 'announce 1', 'write', 'sync', 'announce 2'])
})

test('while one group is on its way to the disk, what is appended gathers into the next one', async (t) => {
  const { promise: syncing, resolve: reached } = Promise.withResolvers<void>()
  const { promise: letGo, resolve: release } = Promise.withResolvers<void>()
  const disk = diskWith((file, path) =>
    path.endsWith('.segment')
      ? {
          sync: async () => {
            reached()
            await letGo
            await file.sync()
          },
        }
      : {},
  )
  const journal = await openJournal(t, await temporaryDirectory(t), { disk })
  const groups: string[][] = []
  journal.onSynced((entries) => groups.push(texts(entries)))
  journal.append(entryOf(1))
  await syncing
  for (let n = 2; n <= 4; n += 1) journal.append(entryOf(n))
  assert.deepEqual(groups, [])
  release()
  await journal.sync()
  assert.deepEqual(groups, [['1:entry 1'], ['2:entry 2', '3:entry 3', '4:entry 4']])
})

test('what a kill left readable is synced, with its name, before it counts as durable', async (t) => {
  const directory = await temporaryDirectory(t)
  const first = await openJournal(t, directory)
  first.append(entryOf(1))
  await first.close()
  const synced: string[] = []
  const disk = diskWith(
    (file, path) => ({
      sync: async () => {
        synced.push(path.slice(-8))
        await file.sync()
      },
    }),
    {
      syncDirectory: async (path) => {
        synced.push('directory')
        await nodeDisk.syncDirectory(path)
      },
    },
  )
  const journal = await openJournal(t, directory, { disk })
  assert.deepEqual(synced, ['.segment', 'directory'])
  assert.equal(journal.syncedPosition, 1)
})
