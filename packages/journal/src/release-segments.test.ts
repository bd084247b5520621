import assert from 'node:assert/strict'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { checkpointName } from './checkpoints.ts'
import { expectedTexts, openJournal, readAll, temporaryDirectory, texts, writeEntries } from './journal.fixture.ts'
import type { Journal, JournalOptions } from './journal.ts'
import { HEADER_BYTES } from './segment-header.ts'

// Entry n has the wall time n s; segments hold 1-3, 4-6, 7-9, 10; the retention is 1 s.
const SECOND = 1_000_000_000n
const THREE_A_SEGMENT = { maxSegmentBytes: HEADER_BYTES + 3 * 53 }
const LONG_AFTER = 1_000_000n * SECOND

async function tenEntries(
  t: TestContext,
  checkpoints: readonly number[],
  options: Partial<JournalOptions> = {},
): Promise<[Journal, string]> {
  const directory = await temporaryDirectory(t)
  await writeEntries(directory, 10, THREE_A_SEGMENT)
  const journal = await openJournal(t, directory, { ...THREE_A_SEGMENT, ...options })
  for (const position of checkpoints) await journal.writeCheckpoint(position, new Uint8Array(10))
  return [journal, directory]
}

for (const [what, checkpoints, writtenUpTo, nowNs, first, checkpointsLeft] of [
  ['nothing was written on', [3, 6, 9], 0, LONG_AFTER, 1, [3, 6, 9]],
  ['the first segment was written on but for its last entry', [3, 6, 9], 2, LONG_AFTER, 1, [3, 6, 9]],
  ['the first segment was written on', [3, 6, 9], 3, LONG_AFTER, 4, [3, 6, 9]],
  ['the first two and a half were written on', [3, 6, 9], 8, LONG_AFTER, 7, [6, 9]],
  ['all was written on', [3, 6, 9], 10, LONG_AFTER, 10, [9]],
  ['all was written on, and 3 s are exactly the retention ago', [3, 6, 9], 10, 4n * SECOND, 1, [3, 6, 9]],
  ['all was written on, and 3 s are just longer ago', [3, 6, 9], 10, 4n * SECOND + 1n, 4, [3, 6, 9]],
  ['all was written on, and 6 s are just longer ago', [3, 6, 9], 10, 7n * SECOND + 1n, 7, [6, 9]],
  ['all was written on, but no checkpoint stands', [], 10, LONG_AFTER, 1, []],
  ['all was written on, and the newest checkpoint is at 3', [3], 10, LONG_AFTER, 4, [3]],
  ['the first segment was written on, but the only checkpoint is newer', [6], 3, LONG_AFTER, 1, [6]],
] as const) {
  test(`when ${what}, the journal begins at ${first}`, async (t) => {
    const [journal, directory] = await tenEntries(t, checkpoints)
    await journal.release(writtenUpTo, nowNs)
    assert.equal(journal.firstPosition, first)
    assert.deepEqual(texts(await readAll(journal)), expectedTexts(first, 10))
    const names = await readdir(directory)
    const left = names.filter((name) => name.endsWith('.checkpoint')).map((name) => Number(name.slice(0, 16)))
    assert.deepEqual(
      left.sort((a, b) => a - b),
      checkpointsLeft,
    )
  })
}

test('after a release the journal opens again and goes on', async (t) => {
  const [journal, directory] = await tenEntries(t, [3, 6])
  await journal.release(10, LONG_AFTER)
  await journal.close()
  const again = await openJournal(t, directory)
  assert.deepEqual([again.recovery.damage, again.firstPosition, again.lastPosition], [null, 7, 10])
  assert.deepEqual(texts(await readAll(again)), expectedTexts(7, 10))
  await assert.rejects(readAll(again, 6), { code: 'RELEASED', message: /the oldest that is kept is 7/ })
})

test('the bytes shrink by what was deleted', async (t) => {
  const [journal] = await tenEntries(t, [3])
  const before = journal.bytes
  await journal.release(10, LONG_AFTER)
  assert.equal(before - journal.bytes, HEADER_BYTES + 3 * 52)
})

test('near the limit, written segments go before their retention is over, but no more than needed', async (t) => {
  // 4 headers, 9 entries of 52 bytes and one of 53, one checkpoint of 50: 843 bytes, and 619 without the first segment. A whole
  // segment has 227.
  const [journal] = await tenEntries(t, [9], { limitBytes: 619 + 227 + 50, retentionMs: 1_000_000_000 })
  assert.deepEqual([journal.isCrowded, journal.isFull], [true, false])
  await journal.release(10, 10n * SECOND)
  assert.equal(journal.firstPosition, 4)
  assert.equal(journal.isCrowded, false)
})

test('near the limit, segments that were not written on stay', async (t) => {
  const [journal] = await tenEntries(t, [9], { limitBytes: 700 })
  await journal.release(2, LONG_AFTER)
  assert.equal(journal.firstPosition, 1)
  assert.equal(journal.isFull, true)
})

test('a checkpoint that a crash left behind the segments that were let go is none', async (t) => {
  const [journal, directory] = await tenEntries(t, [3, 6])
  const path = join(directory, checkpointName(3))
  const leftBehind = await readFile(path)
  await journal.release(10, LONG_AFTER)
  await journal.close()
  await writeFile(path, leftBehind)
  await rm(join(directory, checkpointName(6)))
  const again = await openJournal(t, directory)
  assert.equal(again.firstPosition, 7)
  assert.equal(await again.newestCheckpoint(10), null)
})
