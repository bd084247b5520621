import assert from 'node:assert/strict'
import { copyFile, mkdir, readdir, readFile, rm, stat, truncate, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import { JournalDamageError } from './errors.ts'
import {
  entryOf,
  expectedTexts,
  JOURNAL_ID,
  openJournal,
  readAll,
  recordOffsets,
  temporaryDirectory,
  texts,
  writeEntries,
} from './journal.fixture.ts'
import { HEADER_BYTES, segmentName } from './segment-header.ts'

const FIRST = segmentName(1)
const THREE_A_SEGMENT = { maxSegmentBytes: HEADER_BYTES + 3 * 53 }

test('a segment cut at any byte keeps exactly the entries that are whole', async (t) => {
  const directory = await temporaryDirectory(t)
  const whole = join(directory, 'whole')
  await writeEntries(whole, 5, {})
  const path = join(whole, FIRST)
  const offsets = await recordOffsets(path)
  const { size } = await stat(path)
  assert.equal(size, HEADER_BYTES + 5 * 52)

  for (let length = 0; length < size; length += 1) {
    const cut = join(directory, 'cut')
    await mkdir(cut)
    await copyFile(path, join(cut, FIRST))
    await truncate(join(cut, FIRST), length)
    const kept = Math.max(0, offsets.filter((offset) => offset <= length).length - 1)
    const dropped = length - (length < HEADER_BYTES ? 0 : (offsets[kept] ?? 0))

    const journal = await openJournal(t, cut)
    assert.equal(journal.recovery.lastPosition, kept, `cut to ${length} bytes`)
    assert.deepEqual(
      journal.recovery.damage,
      dropped === 0 ? null : { position: kept + 1, reason: 'torn tail', bytesDropped: dropped, segment: FIRST },
    )
    assert.equal(journal.append(entryOf(kept + 1)), kept + 1)
    await journal.sync()
    assert.deepEqual(texts(await readAll(journal)), expectedTexts(1, kept + 1))
    await journal.close()
    await rm(cut, { recursive: true })
  }
})

test('a segment with any one byte flipped keeps the entries before it, unaltered, and sets the rest aside', async (t) => {
  const directory = await temporaryDirectory(t)
  const whole = join(directory, 'whole')
  await writeEntries(whole, 4, {})
  const truth = await readFile(join(whole, FIRST))
  const offsets = await recordOffsets(join(whole, FIRST))

  for (let at = 0; at < truth.length; at += 1) {
    const flipped = join(directory, 'flipped')
    await mkdir(flipped)
    await copyFile(join(whole, 'journal.id'), join(flipped, 'journal.id'))
    const bytes = Buffer.from(truth)
    bytes[at] = (bytes[at] ?? 0) ^ (1 << (at % 8))
    await writeFile(join(flipped, FIRST), bytes)

    const journal = await openJournal(t, flipped)
    const kept = Math.max(0, offsets.filter((offset) => offset <= at).length - 1)
    assert.equal(journal.recovery.damage?.position, kept + 1, `byte ${at} flipped`)
    assert.deepEqual(texts(await readAll(journal)), expectedTexts(1, kept))
    const aside = (await readdir(flipped)).filter((name) => name.endsWith('.damaged'))
    assert.equal(aside.length, 1, `byte ${at} flipped`)
    const kept0 = at < HEADER_BYTES ? 0 : (offsets[kept] ?? 0)
    assert.deepEqual(await readFile(join(flipped, aside[0] ?? '')), bytes.subarray(kept0))
    await journal.close()
    await rm(flipped, { recursive: true })
  }
})

test('an older segment with any one byte flipped gives the entries before it, then says which are lost', async (t) => {
  const directory = await temporaryDirectory(t)
  await writeEntries(directory, 9, THREE_A_SEGMENT)
  const path = join(directory, segmentName(4))
  const truth = await readFile(path)
  const offsets = await recordOffsets(path)
  const journal = await openJournal(t, directory)
  assert.equal(journal.recovery.damage, null)

  for (let at = 0; at < truth.length; at += 1) {
    const bytes = Buffer.from(truth)
    bytes[at] = (bytes[at] ?? 0) ^ (1 << (at % 8))
    await writeFile(path, bytes)
    const given: string[] = []
    const reading = async (): Promise<void> => {
      for await (const batch of journal.read(1)) given.push(...texts(batch))
    }
    const kept = 3 + Math.max(0, offsets.filter((offset) => offset <= at).length - 1)
    await assert.rejects(reading, (error) => {
      assert.ok(error instanceof JournalDamageError)
      assert.deepEqual([error.segment, error.position, error.resumesAt], [segmentName(4), kept + 1, 7], `byte ${at}`)
      return true
    })
    assert.deepEqual(given, expectedTexts(1, kept))
    assert.deepEqual(texts(await readAll(journal, 7)), expectedTexts(7, 9))
  }
})

test('a zeroed page in the middle ends the journal there, though later records are intact', async (t) => {
  const directory = await temporaryDirectory(t)
  await writeEntries(directory, 300, {})
  const path = join(directory, FIRST)
  const bytes = await readFile(path)
  bytes.fill(0, 4096, 8192)
  await writeFile(path, bytes)
  const offsets = await recordOffsetsBefore(path, 4096)
  const kept = offsets.length - 1

  const journal = await openJournal(t, directory)
  assert.equal(kept, 76)
  assert.deepEqual(journal.recovery.damage, {
    position: 77,
    reason: 'bad checksum',
    bytesDropped: bytes.length - (offsets[kept] ?? 0),
    segment: FIRST,
  })
  assert.deepEqual(texts(await readAll(journal)), expectedTexts(1, 76))
})

async function recordOffsetsBefore(path: string, end: number): Promise<number[]> {
  const bytes = await readFile(path)
  const offsets = [HEADER_BYTES]
  for (let at = HEADER_BYTES; ; ) {
    at += 12 + bytes.readUInt32LE(at)
    if (at > end) return offsets
    offsets.push(at)
  }
}

test('a tail of zeros is what a crash leaves: it is cut off', async (t) => {
  const directory = await temporaryDirectory(t)
  await writeEntries(directory, 3, {})
  await truncate(join(directory, FIRST), 8192) // grows: zeros
  const journal = await openJournal(t, directory)
  assert.deepEqual(journal.recovery, {
    lastPosition: 3,
    damage: { position: 4, reason: 'torn tail', bytesDropped: 8192 - HEADER_BYTES - 3 * 52, segment: FIRST },
    deletedAside: [],
  })
  assert.deepEqual(
    (await readdir(directory)).filter((name) => name.endsWith('.damaged')),
    [],
  )
})

test('records copied from elsewhere in the journal do not fit behind others', async (t) => {
  const directory = await temporaryDirectory(t)
  await writeEntries(directory, 4, {})
  const path = join(directory, FIRST)
  const bytes = await readFile(path)
  const [, second, third, fourth] = await recordOffsets(path)
  await writeFile(path, Buffer.concat([bytes.subarray(0, second), bytes.subarray(third, fourth)])) // 1, 3
  const journal = await openJournal(t, directory)
  assert.equal(journal.recovery.damage?.reason, 'bad checksum')
  assert.deepEqual(texts(await readAll(journal)), ['1:entry 1'])
})

test('a missing segment in the middle ends the journal before it; what follows is set aside', async (t) => {
  const directory = await temporaryDirectory(t)
  await writeEntries(directory, 9, THREE_A_SEGMENT)
  await unlink(join(directory, segmentName(4)))
  const journal = await openJournal(t, directory)
  assert.deepEqual(journal.recovery.damage, {
    position: 7,
    reason: 'missing segment',
    bytesDropped: HEADER_BYTES + 3 * 52,
    segment: segmentName(7),
  })
  assert.equal(journal.recovery.lastPosition, 3)
  assert.ok((await readdir(directory)).includes(`${segmentName(7)}.1.damaged`))
  assert.equal(journal.append(entryOf(4)), 4)
  await journal.sync()
  assert.deepEqual(texts(await readAll(journal)), expectedTexts(1, 4))
})

test('an older segment that was cut short ends the journal there', async (t) => {
  const directory = await temporaryDirectory(t)
  await writeEntries(directory, 9, THREE_A_SEGMENT)
  await truncate(join(directory, segmentName(4)), HEADER_BYTES + 60)
  const journal = await openJournal(t, directory)
  assert.deepEqual(journal.recovery.damage, {
    position: 5,
    reason: 'torn tail',
    bytesDropped: 8 + HEADER_BYTES + 3 * 52,
    segment: segmentName(4),
  })
  assert.deepEqual(texts(await readAll(journal)), expectedTexts(1, 4))
  const aside = (await readdir(directory)).filter((name) => name.endsWith('.damaged'))
  assert.deepEqual(aside.sort(), [`${segmentName(4)}.from-120.1.damaged`, `${segmentName(7)}.1.damaged`])
})

test('a journal whose only segment is unreadable goes on at the position the segment began with', async (t) => {
  const directory = await temporaryDirectory(t)
  await writeEntries(directory, 9, THREE_A_SEGMENT)
  await unlink(join(directory, segmentName(1)))
  await unlink(join(directory, segmentName(4)))
  await writeFile(join(directory, segmentName(7)), 'not a segment')
  const journal = await openJournal(t, directory)
  assert.equal(journal.append(entryOf(7)), 7)
  await journal.sync()
  assert.deepEqual(texts(await readAll(journal)), ['7:entry 7'])
})

test('a segment of a newer format is refused, and no byte of the directory changes', async (t) => {
  const directory = await temporaryDirectory(t)
  await writeEntries(directory, 9, THREE_A_SEGMENT)
  await truncate(join(directory, segmentName(4)), HEADER_BYTES + 60) // would be repaired otherwise
  const path = join(directory, segmentName(7))
  const bytes = await readFile(path)
  bytes.writeUInt16LE(2, 8)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, HEADER_BYTES - 4)), HEADER_BYTES - 4)
  await writeFile(path, bytes)
  const before = await contents(directory)
  await assert.rejects(openJournal(t, directory), {
    code: 'NEWER_FORMAT',
    message: /0000000000000007\.segment has format 2/,
  })
  assert.deepEqual(await contents(directory), before)
})

async function contents(directory: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const name of (await readdir(directory)).sort()) found[name] = await readFile(join(directory, name), 'hex')
  return found
}

test('a lost or false id file is set right by the segments', async (t) => {
  const directory = await temporaryDirectory(t)
  await writeEntries(directory, 2, {})
  for (const text of ['', 'x'.repeat(50), 'ffffffff-ffff-4fff-8fff-ffffffffffff\n']) {
    await writeFile(join(directory, 'journal.id'), text)
    const journal = await openJournal(t, directory)
    assert.equal(journal.journalId, JOURNAL_ID)
    assert.equal(journal.recovery.lastPosition, 2)
    await journal.close()
    assert.equal(await readFile(join(directory, 'journal.id'), 'utf8'), `${JOURNAL_ID}\n`)
  }
})
