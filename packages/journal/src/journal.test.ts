import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Entry } from './entry.ts'
import {
  diskWith,
  entryOf,
  expectedTexts,
  JOURNAL_ID,
  openJournal,
  readAll,
  temporaryDirectory,
  texts,
  writeEntries,
} from './journal.fixture.ts'
import { Journal } from './journal.ts'
import { READ_BATCH_BYTES } from './limits.ts'
import { HEADER_BYTES } from './segment-header.ts'

const THREE_A_SEGMENT = { maxSegmentBytes: HEADER_BYTES + 3 * 53 }

test('a new journal is empty, and its first entry has position 1', async (t) => {
  const journal = await openJournal(t, await temporaryDirectory(t))
  assert.deepEqual(journal.recovery, { lastPosition: 0, damage: null, deletedAside: [] })
  assert.equal(journal.journalId, JOURNAL_ID)
  assert.deepEqual([journal.firstPosition, journal.lastPosition, journal.syncedPosition], [1, 0, 0])
  assert.deepEqual(await readAll(journal), [])
  assert.equal(journal.append(entryOf(1)), 1)
})

test('without a given id a new journal makes one, and keeps it', async (t) => {
  const directory = await temporaryDirectory(t)
  const options = { retentionMs: 0, limitBytes: 1e9, onFailure: assert.fail }
  const first = await Journal.open(directory, options)
  await first.close()
  const second = await Journal.open(directory, options)
  await second.close()
  assert.match(first.journalId, /^[0-9a-f]{8}-[0-9a-f]{4}-4/)
  assert.equal(second.journalId, first.journalId)
})

test('entries of any size come back the same across segments, from any position, before and after reopening', async (t) => {
  const anyEntries = fc.array(
    fc.record({
      kind: fc.integer({ min: 0, max: 255 }),
      wallNs: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      monoNs: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      connection: fc.integer({ min: 0, max: 4294967295 }),
      messageSeq: fc.integer({ min: 0, max: 4294967295 }),
      payload: fc.uint8Array({ maxLength: 400 }),
    }),
    { minLength: 1, maxLength: 30 },
  )
  await fc.assert(
    fc.asyncProperty(anyEntries, fc.nat(), fc.nat(), async (written, a, b) => {
      const directory = await temporaryDirectory(t)
      const truth = written.map((entry, index) => ({ position: index + 1, ...entry }))
      const from = (a % written.length) + 1
      const to = from + (b % (written.length - from + 1))
      for (const fresh of [true, false]) {
        const journal = await openJournal(t, directory, { maxSegmentBytes: 600 })
        if (fresh) for (const entry of written) journal.append(entry)
        await journal.sync()
        assert.deepEqual((await readAll(journal)).map(plain), truth.map(plain))
        assert.deepEqual((await readAll(journal, from, to)).map(plain), truth.slice(from - 1, to).map(plain))
        await journal.close()
      }
    }),
    { numRuns: 30 },
  )
})

const plain = (entry: Entry): unknown => ({ ...entry, payload: Buffer.from(entry.payload).toString('hex') })

test('an entry far larger than a read batch and a segment comes back the same', async (t) => {
  const journal = await openJournal(t, await temporaryDirectory(t), { maxSegmentBytes: 1000 })
  const payload = new Uint8Array(5 * READ_BATCH_BYTES).map((_, index) => index % 251)
  journal.append(entryOf(1))
  journal.append({ ...entryOf(2), payload })
  journal.append(entryOf(3))
  await journal.sync()
  const entries = await readAll(journal)
  assert.deepEqual(
    entries.map((entry) => [entry.position, entry.payload.length]),
    [
      [1, 7],
      [2, 5242880],
      [3, 7],
    ],
  )
  assert.equal(Buffer.compare(entries[1]?.payload ?? new Uint8Array(0), payload), 0)
})

test('reading gives batches of bounded size', async (t) => {
  const journal = await openJournal(t, await temporaryDirectory(t))
  for (let n = 1; n <= 50; n += 1) journal.append(entryOf(n, 'x'.repeat(100_000)))
  await journal.sync()
  const batches: number[] = []
  for await (const batch of journal.read(1)) batches.push(batch.length)
  assert.deepEqual(batches, [10, 10, 10, 10, 10])
})

test('positions go on after reopening, in the same segment and in the next', async (t) => {
  const directory = await temporaryDirectory(t)
  for (const count of [1, 1, 2, 3]) await writeEntries(directory, count, THREE_A_SEGMENT)
  const journal = await openJournal(t, directory, THREE_A_SEGMENT)
  assert.equal(journal.append(entryOf(8)), 8)
  await journal.sync()
  assert.deepEqual(texts(await readAll(journal)), expectedTexts(1, 8))
  assert.deepEqual((await readdir(directory)).filter((name) => name.endsWith('.segment')).sort(), [
    '0000000000000001.segment',
    '0000000000000004.segment',
    '0000000000000007.segment',
  ])
  assert.equal(journal.bytes, 3 * HEADER_BYTES + 8 * 52)
})

test('the listener gets every entry once, in order, with its own payload, and knows of each new segment before', async (t) => {
  const journal = await openJournal(t, await temporaryDirectory(t), THREE_A_SEGMENT)
  const heard: string[] = []
  journal.onSegment((first) => heard.push(`segment ${first}`))
  journal.onSynced((entries) => {
    const last = entries.at(-1)
    assert.equal(journal.syncedPosition, last?.position)
    heard.push(...texts(entries))
    // Appending from within the listener is how orders come back.
    if (journal.lastPosition < 7) journal.append(entryOf(journal.lastPosition + 1))
  })
  for (let n = 1; n <= 5; n += 1) journal.append(entryOf(n))
  assert.deepEqual(heard, [])
  while (journal.syncedPosition < 7) await journal.sync()
  assert.deepEqual(heard, [
    'segment 1',
    '1:entry 1',
    '2:entry 2',
    '3:entry 3',
    'segment 4',
    '4:entry 4',
    '5:entry 5',
    '6:entry 6',
    'segment 7',
    '7:entry 7',
  ])
})

test('reading ends at what was durable when it began', async (t) => {
  const journal = await openJournal(t, await temporaryDirectory(t))
  journal.append(entryOf(1))
  await journal.sync()
  const reading = journal.read(1)
  journal.append(entryOf(2))
  assert.deepEqual(texts(await readAll(journal)), ['1:entry 1'])
  await journal.sync()
  const entries: Entry[] = []
  for await (const batch of reading) entries.push(...batch)
  assert.deepEqual(texts(entries), ['1:entry 1'])
  assert.deepEqual(texts(await readAll(journal)), ['1:entry 1', '2:entry 2'])
})

test('with a pause between groups, sync does not wait for it', { timeout: 10_000 }, async (t) => {
  const journal = await openJournal(t, await temporaryDirectory(t), { syncIntervalMs: 2_000_000_000 })
  journal.append(entryOf(1))
  await journal.sync()
  journal.append(entryOf(2)) // gathers
  await journal.sync()
  journal.append(entryOf(3))
  await journal.close()
  assert.equal(journal.syncedPosition, 3)
})

test('above 32 MiB unsynced the sockets should pause, at 16 MiB or less they should resume', async (t) => {
  const journal = await openJournal(t, await temporaryDirectory(t))
  const mebibyte = { ...entryOf(1), payload: new Uint8Array(1024 * 1024) }
  const seen: [boolean, boolean][] = []
  for (let n = 1; n <= 32; n += 1) {
    journal.append(mebibyte)
    if ([15, 16, 31, 32].includes(n)) seen.push([journal.shouldPause, journal.shouldResume])
  }
  assert.deepEqual(seen, [
    [false, true],
    [false, false],
    [false, false],
    [true, false],
  ])
  await journal.sync()
  assert.deepEqual([journal.shouldPause, journal.shouldResume, journal.unsyncedBytes], [false, true, 0])
})

test('more than 256 MiB unsynced is refused: the caller did not pause', async (t) => {
  const disk = diskWith((_, path) => (path.endsWith('.segment') ? { write: async (bytes) => bytes.length } : {}))
  const journal = await openJournal(t, await temporaryDirectory(t), { disk })
  const large = { ...entryOf(1), payload: new Uint8Array(16 * 1024 * 1024) }
  for (let n = 1; n <= 15; n += 1) journal.append(large)
  assert.throws(() => journal.append(large), { code: 'OVERRUN' })
  await journal.sync()
  assert.equal(journal.append(large), 16)
})

test('a full journal says so, takes 4 MiB more, and then refuses', async (t) => {
  const journal = await openJournal(t, await temporaryDirectory(t), { limitBytes: 1_000_000 })
  const entry = { ...entryOf(1), payload: new Uint8Array(999_955 - HEADER_BYTES) } // 45 bytes of record around it
  journal.append({ ...entry, payload: entry.payload.subarray(1) })
  assert.equal(journal.isFull, false)
  journal.append(entryOf(2))
  assert.equal(journal.isFull, true)
  const half = { ...entryOf(3), payload: new Uint8Array(2 * 1024 * 1024 - 45) }
  journal.append(half)
  journal.append(half)
  assert.throws(() => journal.append(entryOf(5)), { code: 'FULL', message: /of 1000000 bytes/ })
  assert.equal(journal.lastPosition, 4)
  await journal.sync()
  assert.equal((await readAll(journal)).length, 4)
})

test('a closed journal has everything on disk and takes nothing more', async (t) => {
  const directory = await temporaryDirectory(t)
  const journal = await openJournal(t, directory)
  journal.append(entryOf(1))
  await journal.close()
  assert.throws(() => journal.append(entryOf(2)), { code: 'CLOSED' })
  await assert.rejects(journal.writeCheckpoint(1, new Uint8Array(1)), { code: 'CLOSED' })
  const again = await openJournal(t, directory)
  assert.deepEqual(texts(await readAll(again)), ['1:entry 1'])
})

test('a retired journal is put aside whole, and the next one has another id', async (t) => {
  const directory = await temporaryDirectory(t)
  await writeEntries(directory, 4, THREE_A_SEGMENT)
  await Journal.retire(directory)
  const other = '0189f7a1-0000-7000-8000-00000000ffff'
  const journal = await openJournal(t, directory, { journalId: other })
  assert.deepEqual([journal.journalId, journal.lastPosition], [other, 0])
  assert.deepEqual((await readdir(directory)).filter((name) => name.endsWith('.damaged')).sort(), [
    '0000000000000001.segment.1.damaged',
    '0000000000000004.segment.1.damaged',
    'journal.id.1.damaged',
  ])
})
