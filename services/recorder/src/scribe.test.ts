import assert from 'node:assert/strict'
import { mkdtemp, open, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Journal, JournalError } from '@booktape/journal'
import type { MarketRecord } from '@booktape/market'
import { systemClock } from '@booktape/runtime'
import { advance, newCorridorState } from '@booktape/session'
import { StoreError, type WriteResult } from '@booktape/store'
import { fastForward, saveCheckpoint } from './checkpoint.ts'
import { readEntry, type WrittenEvent, writeEntry } from './entries.ts'
import { DamageFoundError, type Gathered, LostEntriesError, MAX_WAITING_BYTES, Scribe } from './scribe.ts'

test('records go to the database in the order of the journal, each once, while it answers', async (t) => {
  const desk = await openDesk(t)
  desk.note(...script(0, 200))
  await desk.until(() => desk.written() === desk.journal.lastPosition)
  assert.deepEqual(desk.stored(), desk.expected())
  assert.ok(desk.stored().length > 200)
})

test('a database that is away at first is given everything when it answers', async (t) => {
  const desk = await openDesk(t, { isAway: true })
  desk.note(...script(0, 200))
  await desk.journal.sync()
  assert.deepEqual(desk.stored(), [])
  desk.database.isAway = false
  desk.note(...script(200, 50))
  await desk.until(() => desk.written() === desk.journal.lastPosition)
  assert.deepEqual(desk.stored(), desk.expected())
})

test('what memory may not hold is made again from the journal, without one record lost or twice', async (t) => {
  const desk = await openDesk(t)
  desk.note(...script(0, 20))
  await desk.until(() => desk.written() === desk.journal.lastPosition)
  desk.database.isAway = true
  const tooMany = Math.ceil((MAX_WAITING_BYTES / RECORD_BYTES) * 1.1)
  desk.note(...script(20, tooMany))
  await desk.until(() => desk.levels.at(-1) === false) // let go of
  desk.database.isAway = false
  desk.note(...script(20 + tooMany, 500)) // goes on while it catches up
  await desk.until(() => desk.written() === desk.journal.lastPosition)
  assert.deepEqual(desk.stored(), desk.expected())
  assert.deepEqual(desk.levels, [true, false, true])
})

test('a second scribe goes on where the database ends, from the checkpoint before it', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'booktape-scribe-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  const first = await openDesk(t, { directory })
  first.note(...script(0, 100))
  await first.until(() => first.written() === first.journal.lastPosition)
  await saveCheckpoint(first.journal, first.journal.lastPosition, first.live)
  first.database.isAway = true
  first.note(...script(100, 100))
  await first.journal.sync()
  await first.close()

  const second = await openDesk(t, { directory, batches: first.database.batches })
  await second.until(() => second.written() === second.journal.lastPosition)
  assert.deepEqual(second.stored(), first.expected())
})

test('a database that is ahead of the journal stops everything: positions must not be given twice', async (t) => {
  const position = 1_000_000
  const batch: Stored = { fromPosition: 0, toPosition: position, recordedUntilNs: 1n, records: new RecordList() }
  const desk = await openDesk(t, { batches: [batch] })
  await assert.rejects(desk.running, LostEntriesError)
})

test('a database that takes over without the last commits is given them again, and what came meanwhile', async (t) => {
  const desk = await openDesk(t)
  for (const from of [0, 100, 200]) {
    desk.note(...script(from, 100))
    await desk.until(() => desk.written() === desk.journal.lastPosition)
  }
  assert.ok(desk.database.batches.length >= 3)
  desk.database.batches.length = 1
  desk.note(...script(300, 100))
  await desk.until(() => desk.written() === desk.journal.lastPosition)
  assert.deepEqual(desk.stored(), desk.expected())
  assert.ok(desk.failures.includes('position_moved'))
})

test('a database that takes over while another is caught up is caught up from its own position', async (t) => {
  const desk = await openDesk(t, { isAway: true })
  desk.note(...script(0, 30_000))
  await desk.journal.sync()
  desk.database.isAway = false
  await desk.until(() => desk.database.batches.length === 2)
  desk.database.batches.length = 1
  await desk.until(() => desk.written() === desk.journal.lastPosition)
  assert.deepEqual(desk.stored(), desk.expected())
  assert.ok(desk.failures.includes('position_moved'))
})

test('two databases that answer in turn each have the journal whole up to a position', async (t) => {
  const desk = await openDesk(t)
  desk.note(...script(0, 100))
  await desk.until(() => desk.written() === desk.journal.lastPosition)
  const both = [desk.database.batches, [...desk.database.batches]]
  for (let turn = 1; turn <= 6; turn++) {
    desk.database.batches = both[turn % 2] ?? []
    desk.note(...script(turn * 100, 100))
    await desk.until(() => desk.written() === desk.journal.lastPosition)
    assert.deepEqual(desk.stored(), desk.expected())
  }
  const other = both[1]?.flatMap((batch) => batch.records) ?? []
  assert.ok(other.length > 500)
  assert.deepEqual(other, desk.expected().slice(0, other.length))
})

test('a position that this journal never had is someone else\u2019s: nothing is stored any more', async (t) => {
  const desk = await openDesk(t)
  desk.note(...script(0, 100))
  await desk.until(() => desk.written() === desk.journal.lastPosition)
  const position = desk.written() + 1_000
  desk.database.batches.push({
    fromPosition: desk.written(),
    toPosition: position,
    recordedUntilNs: 1n,
    records: new RecordList(),
  })
  desk.note(...script(100, 1))
  await assert.rejects(desk.running, (error) => error instanceof StoreError && error.code === 'POSITION_MOVED')
  assert.equal(desk.written(), position)
})

test('a live edge that stands on a checkpoint, where storage has none and the entries before are released, begins anew', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'booktape-scribe-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  const first = await openDesk(t, { directory, maxSegmentBytes: 4096 })
  first.note(...script(0, 100))
  await first.until(() => first.written() === first.journal.lastPosition)
  await saveCheckpoint(first.journal, first.journal.lastPosition, first.live)
  await first.journal.release(first.journal.lastPosition, 2n ** 62n)
  const { firstPosition } = first.journal
  assert.ok(firstPosition > 10)
  // One stands right before the first entry, as each segment begins with one: it must go too, or the next start ends the same way.
  await saveCheckpoint(first.journal, firstPosition - 1, first.live)
  await first.close()

  const restored: Stored = { fromPosition: 0, toPosition: 10, recordedUntilNs: 1n, records: new RecordList() }
  const second = await openDesk(t, { directory, batches: [restored] })
  await assert.rejects(second.running, DamageFoundError)
  assert.equal(await second.journal.newestCheckpoint(second.journal.lastPosition), null)
})

for (const [from, what] of [
  ['elsewhere', 'begins anew'],
  ['there', 'goes on'],
] as const) {
  test(`where storage has no checkpoint left, and the live edge began empty ${from}, recording ${what}`, async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'booktape-scribe-'))
    t.after(() => rm(directory, { recursive: true, force: true }))
    const first = await openDesk(t, { directory, maxSegmentBytes: 4096 })
    first.note(...script(0, 100))
    await first.until(() => first.written() === first.journal.lastPosition)
    await saveCheckpoint(first.journal, first.journal.lastPosition, first.live)
    await first.journal.release(first.journal.lastPosition, 2n ** 62n)
    await first.journal.forgetCheckpointsAfter(0)
    const beginning = first.journal.firstPosition - 1
    await first.close()

    const restored: Stored = { fromPosition: 0, toPosition: beginning, recordedUntilNs: 1n, records: new RecordList() }
    const blankFrom = from === 'there' ? beginning : beginning - 1
    const second = await openDesk(t, { directory, batches: [restored], blankFrom })
    const caughtUp = second.until(() => second.written() === second.journal.lastPosition)
    if (from === 'there') await caughtUp
    else await assert.rejects(caughtUp, DamageFoundError)
  })
}

test('entries that were let go while they were to be read are asked for again from what is left', async (t) => {
  const desk = await openDesk(t, { isAway: true })
  desk.note(...script(0, 1_000))
  await desk.journal.sync()
  const read = desk.journal.read.bind(desk.journal)
  let refused = 0
  desk.journal.read = (from, to) => {
    if (refused++ === 0) throw new JournalError('RELEASED', 'let go just now')
    return read(from, to)
  }
  desk.database.isAway = false
  await desk.until(() => desk.written() === desk.journal.lastPosition)
  assert.ok(refused > 1)
  assert.deepEqual(desk.stored(), desk.expected())
})

test('damage before the stored position is a gap in storage too, and what was stored is said again in one batch', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'booktape-scribe-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  const first = await openDesk(t, { directory, maxSegmentBytes: 8_192 })
  first.note(...script(0, 400))
  await first.until(() => first.written() === first.journal.lastPosition)
  await first.close()
  const segments = (await readdir(directory)).filter((name) => name.endsWith('.segment')).sort()
  const file = await open(join(directory, segments[2] ?? ''), 'r+')
  await file.write(Uint8Array.of(0xff), 0, 1, 4_096)
  await file.close()

  const stored = first.database.batches.length
  const second = await openDesk(t, {
    directory,
    maxSegmentBytes: 8_192,
    batches: first.database.batches,
    replayed: true,
  })
  second.note({
    kind: 'started',
    at: { wallNs: 1_790_000_001_000_000_000n, monoNs: 1n },
    run: { ...RUN, runId: 'second run' },
  })
  await second.until(() => second.written() === second.journal.lastPosition)
  const again = second.database.batches.slice(stored).flatMap((batch) => batch.records)
  const gaps = again.flatMap((record) => (record.kind === 'gap_opened' ? [record.cause] : []))
  assert.deepEqual(gaps, ['journal_damaged'])
})

const RUN = {
  runId: 'run',
  line: 'a',
  symbols: ['btcusd'],
  feeds: ['v1'],
  v1Url: 'ws://127.0.0.1:1',
  wsUrl: 'ws://127.0.0.1:1',
  snapshotIntervalMs: 60_000,
} as const

/** A session of v1, from its dial, and updates numbered `from` to `from + count - 1` of one change each. */
function script(from: number, count: number): WrittenEvent[] {
  const at = (i: number) => ({
    wallNs: 1_790_000_000_000_000_000n + BigInt(i) * 1_000_000n,
    monoNs: BigInt(i) * 1_000_000n,
  })
  const session = 'v1:btcusd'
  const opening: WrittenEvent[] = [
    { kind: 'started', at: at(0), run: RUN },
    { kind: 'tick', at: at(0) },
    {
      kind: 'dialing',
      at: at(0),
      connection: 1,
      session,
      sessionId: '00000000-0000-4000-8000-000000000001',
      url: 'ws://127.0.0.1:1',
    },
    { kind: 'opened', at: at(0), connection: 1 },
  ]
  const updates = Array.from({ length: count }, (_, n): WrittenEvent => {
    const i = from + n
    const reason = i === 0 ? 'initial' : 'place'
    const time = i === 0 ? '' : `"timestamp":1790000000,"timestampms":${1_790_000_000_000 + i},`
    const change = `{"type":"change","side":"bid","price":"${100 + (i % 7)}","remaining":"${i + 1}","delta":"1","reason":"${reason}"}`
    const text = `{"type":"update","eventId":${i + 1},${time}"socket_sequence":${i},"events":[${change}]}`
    return {
      kind: 'frame',
      at: at(i),
      connection: 1,
      messageSeq: i + 1,
      isBinary: false,
      payload: new TextEncoder().encode(text),
    }
  })
  return from === 0 ? [...opening, ...updates] : updates
}

/** The records of a batch as they are. */
class RecordList extends Array<MarketRecord> {
  add(record: MarketRecord): void {
    this.push(record)
  }

  get bytes(): number {
    return this.length * RECORD_BYTES
  }
}

const RECORD_BYTES = 1_000

type Stored = Gathered<RecordList>

type Cleaner = { after(clean: () => Promise<void>): void }

/** A scribe with a real journal, a live edge as the corridor's, and a database of memory that can be away. */
async function openDesk(
  t: Cleaner,
  options: {
    directory?: string
    isAway?: boolean
    batches?: Stored[]
    maxSegmentBytes?: number
    replayed?: boolean
    blankFrom?: number
  } = {},
) {
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), 'booktape-scribe-')))
  const { maxSegmentBytes = 2 ** 26 } = options
  const journal = await Journal.open(directory, {
    retentionMs: 0,
    limitBytes: 2 ** 30,
    maxSegmentBytes,
    onFailure: assert.ifError,
  })
  const database = { isAway: options.isAway ?? false, batches: options.batches ?? [] }
  const written = (): number => database.batches.at(-1)?.toPosition ?? 0
  // As a start does: the live edge stands at the end of the journal, and has seen what cannot be read.
  const beginning = { position: 0, state: newCorridorState(), blankFrom: null }
  const replayed = await fastForward(journal, beginning, options.replayed === true ? journal.syncedPosition : 0)
  const live = replayed.state
  const expected: MarketRecord[] = []
  const levels: boolean[] = []
  const failures: string[] = []
  const stopping = new AbortController()
  const scribe = new Scribe({
    journal,
    live: { position: journal.syncedPosition, blankFrom: options.blankFrom ?? null, damage: replayed.damage },
    writer: {
      readPosition: async () => {
        if (database.isAway) throw new StoreError('AWAY', 'the database of this test is away')
        return written()
      },
      gather: () => new RecordList(),
      write: async (batch): Promise<WriteResult> => {
        if (database.isAway)
          return { outcome: 'retry', class: 'unreachable', reason: 'the database of this test is away' }
        if (batch.fromPosition !== written()) throw new StoreError('POSITION_MOVED', `the position is ${written()}`)
        database.batches.push(batch)
        return { outcome: 'already' }
      },
    },
    clock: { ...systemClock(), sleep: (ms, signal) => systemClock().sleep(Math.min(ms, 5), signal) },
    events: {
      committed: () => undefined,
      failed: (failure) => void failures.push(failure.class),
      level: (isLevel) => void levels.push(isLevel),
    },
  })
  journal.onSynced((entries) => {
    for (const entry of entries) {
      const event = readEntry(entry)
      assert.ok(event !== null)
      const { records } = advance(live, event)
      expected.push(...records)
      scribe.offer(entry.position, entry.wallNs, records)
    }
  })
  const running = scribe.run(stopping.signal)
  let failure: { error: unknown } | null = null
  running.catch((error: unknown) => {
    failure = { error }
  })
  let isClosed = false
  const close = async (): Promise<void> => {
    if (isClosed) return
    isClosed = true
    stopping.abort()
    await running.catch(() => undefined)
    await journal.close()
  }
  t.after(async () => {
    await close()
    if (options.directory === undefined) await rm(directory, { recursive: true, force: true })
  })
  return {
    journal,
    database,
    live,
    levels,
    failures,
    running,
    written,
    expected: () => expected,
    stored: () => database.batches.flatMap((batch) => batch.records),
    note: (...events: WrittenEvent[]) => {
      for (const event of events) journal.append(writeEntry(event))
    },
    until: async (condition: () => boolean) => {
      while (!condition()) {
        if (failure !== null) throw failure.error
        await new Promise((resolve) => setImmediate(resolve))
      }
    },
    close,
  }
}
