import assert from 'node:assert/strict'
import { mkdtemp, open, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Journal } from '@booktape/journal'
import { advance, newCorridorState } from '@booktape/session'
import { fastForward, loadCheckpoint, saveCheckpoint } from './checkpoint.ts'
import { readEntry, type WrittenEvent, writeEntry } from './entries.ts'
import { replay } from './replay.ts'

const SEGMENT_BYTES = 4_096
const ENTRIES = 400

test('entries that cannot be read are one damaged event in every replay, and what is around them is as it was', async (t) => {
  const directory = await damagedJournal(t)
  const journal = await openJournal(directory)
  t.after(() => journal.close())
  const damage: [number, number][] = []
  const seen: [number, string][] = []
  const note = async (found: { position: number; resumesAt: number }) =>
    void damage.push([found.position, found.resumesAt])
  for await (const entries of replay(journal, 1, journal.syncedPosition, note)) {
    for (const { position, event } of entries) seen.push([position, event?.kind ?? 'unknown'])
  }
  assert.equal(damage.length, 1)
  const [from, resumesAt] = damage[0] ?? [0, 0]
  assert.ok(from > 1 && resumesAt <= ENTRIES)
  const expected = Array.from({ length: ENTRIES }, (_, i): [number, string] => [i + 1, i === 0 ? 'started' : 'tick'])
  assert.deepEqual(seen, [...expected.slice(0, from - 1), [resumesAt - 1, 'damaged'], ...expected.slice(resumesAt - 1)])
})

test('a start beyond the damage knows nothing of it; one before it does, and both stand at the end', async (t) => {
  const directory = await damagedJournal(t)
  const journal = await openJournal(directory)
  t.after(() => journal.close())
  const end = journal.syncedPosition
  const late = await fastForward(journal, await loadCheckpoint(journal, end), end)
  assert.deepEqual([...late.damage], [])
  const early = await fastForward(journal, await loadCheckpoint(journal, 0), end)
  assert.equal(early.damage.size, 1)
  assert.equal(early.position, late.position)
  const [first = 0] = early.damage
  await journal.forgetCheckpointsAfter(first - 1)
  const again = await fastForward(journal, await loadCheckpoint(journal, end), end)
  assert.deepEqual(again.damage, early.damage)
})

type Cleaner = { after(clean: () => Promise<void>): void }

const openJournal = (directory: string): Promise<Journal> =>
  Journal.open(directory, {
    retentionMs: 0,
    limitBytes: 2 ** 30,
    maxSegmentBytes: SEGMENT_BYTES,
    onFailure: assert.ifError,
  })

/** Several segments with a checkpoint at each, and one byte of the second segment changed. */
async function damagedJournal(t: Cleaner): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'booktape-replay-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  const journal = await openJournal(directory)
  const state = newCorridorState()
  const checkpoints: Promise<void>[] = []
  let position = 0
  journal.onSegment(() => void checkpoints.push(saveCheckpoint(journal, position, state)))
  journal.onSynced((entries) => {
    for (const entry of entries) {
      const event = readEntry(entry)
      if (event !== null) advance(state, event)
      position = entry.position
    }
  })
  const run = {
    runId: 'run',
    line: 'a',
    symbols: ['btcusd'],
    feeds: ['ws'],
    v1Url: '',
    wsUrl: 'ws://127.0.0.1:1',
    snapshotIntervalMs: 60_000,
  } as const
  const at = (i: number) => ({ wallNs: BigInt(i), monoNs: BigInt(i) })
  const events: WrittenEvent[] = [{ kind: 'started', at: at(0), run }]
  for (let i = 1; i < ENTRIES; i++) events.push({ kind: 'tick', at: at(i) })
  for (const event of events) {
    journal.append(writeEntry(event))
    await journal.sync()
  }
  await Promise.all(checkpoints)
  await journal.close()
  const segments = (await readdir(directory)).filter((name) => name.endsWith('.segment')).sort()
  assert.ok(segments.length >= 4)
  const file = await open(join(directory, segments[1] ?? ''), 'r+')
  await file.write(Uint8Array.of(0xff), 0, 1, SEGMENT_BYTES / 2)
  await file.close()
  return directory
}
