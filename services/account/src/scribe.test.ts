import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Entry, JournalDamageError } from '@booktape/journal'
import { readDecimal } from '@booktape/market'
import { systemClock } from '@booktape/runtime'
import {
  ACCOUNT_TABLES,
  type AccountBatch,
  type AccountTable,
  type AccountWriteResult,
  StoreError,
} from '@booktape/store'
import { type AccountEvent, writeEntry } from './event.ts'
import { AccountScribe, LostEntriesError, MAX_BATCH_ENTRIES } from './scribe.ts'

const totalSpend = readDecimal('1')
assert.ok(totalSpend !== null)
const ASK = { symbol: 'btcusd', side: 'buy', totalSpend } as const
const NO_ROWS = Object.fromEntries(ACCOUNT_TABLES.map((table) => [table, 0])) as Record<AccountTable, number>

/** A journal in memory whose entries from `damagedFrom` up to `resumesAt` cannot be read, and a database that answers as told. */
function bench(answers: ((batch: AccountBatch) => AccountWriteResult | Error)[] = []) {
  const entries: Entry[] = []
  let damage: JournalDamageError | null = null
  let position = 0
  let state: unknown = null
  const batches: AccountBatch[] = []
  const failures: string[] = []
  const drained = new AbortController()
  const scribe = new AccountScribe({
    journal: {
      get syncedPosition() {
        return entries.length
      },
      async *read(from: number, to: number = entries.length) {
        for (const entry of entries.slice(from - 1, to)) {
          if (damage !== null && entry.position >= damage.position && entry.position < damage.resumesAt) throw damage
          yield [entry]
        }
      },
    },
    writer: {
      readPosition: async (first) => ({ position, state: state ?? first }),
      write: async (batch) => {
        batches.push(batch)
        const answer = answers.shift()?.(batch)
        if (answer instanceof Error) throw answer
        if (answer !== undefined) return answer
        position = batch.toPosition
        state = batch.state
        return { outcome: 'committed', rows: NO_ROWS }
      },
    },
    clock: { ...systemClock(), sleep: async () => undefined }, // pauses are of no interest here
    events: {
      committed: () => undefined,
      damaged: () => void failures.push('damaged'),
      failed: (failure) => void failures.push(failure.class),
    },
  })
  return {
    scribe,
    batches,
    failures,
    setPosition: (at: number) => (position = at),
    damage: (error: JournalDamageError) => (damage = error),
    note: (event: AccountEvent): void => {
      entries.push({ ...writeEntry(event), position: entries.length + 1 })
    },
    /** Until everything is stored. */
    run: async (): Promise<void> => {
      const running = scribe.run(drained.signal)
      while (scribe.writtenPosition === null || scribe.backlog > 0) {
        const ended = await Promise.race([running.then(() => true), new Promise((go) => setImmediate(go, false))])
        if (ended === true) break
      }
      drained.abort()
      await running
    },
  }
}

const at = { wallNs: 1_785_312_000_000_000_000n, monoNs: 1n }
const started = (keyFingerprint: string): AccountEvent => ({ kind: 'started', at, keyFingerprint, urls: {} })
const failed: AccountEvent = {
  kind: 'quote_refused',
  at,
  ask: ASK,
  sentNs: '1',
  status: null,
  reason: null,
  explanation: 'no reply',
}

test('entries are stored in batches, in order, the state of one going into the next', async () => {
  const { note, run, batches } = bench()
  note(started('first'))
  for (let count = 0; count < MAX_BATCH_ENTRIES + 10; count++) note(failed)
  await run()
  assert.deepEqual(
    batches.map(({ fromPosition, toPosition }) => [fromPosition, toPosition]),
    [
      [0, MAX_BATCH_ENTRIES],
      [MAX_BATCH_ENTRIES, MAX_BATCH_ENTRIES + 11],
    ],
  )
  assert.equal(batches[1]?.rows.quote_failures.length, 11)
  assert.equal(batches[1]?.rows.quote_failures[0]?.key_fingerprint, 'first')
})

test('a database that is away is given the same batch again', async () => {
  const away = (): AccountWriteResult => ({ outcome: 'retry', class: 'unreachable', reason: 'away' })
  const { note, run, batches, failures } = bench([away, () => new StoreError('AWAY', 'away'), away])
  note(started('first'))
  note(failed)
  await run()
  assert.equal(batches.length, 4)
  for (const batch of batches) assert.deepEqual(batch, batches[0])
  assert.deepEqual(failures, ['unreachable', 'away', 'unreachable'])
})

test('a batch that was stored though its reply was lost is not given again', async () => {
  const lost = bench([() => ({ outcome: 'already' })])
  lost.note(failed)
  lost.setPosition(0)
  await lost.run()
  assert.equal(lost.batches.length, 1)
  assert.equal(lost.scribe.writtenPosition, 1)
})

test('a database that was restored says where it stands, and is given the rest from there', async () => {
  const { note, run, batches } = bench([
    (batch) => ({ outcome: 'committed', rows: { ...NO_ROWS, quote_failures: batch.rows.quote_failures.length } }),
    () => new StoreError('POSITION_MOVED', 'moved'),
  ])
  for (let count = 0; count < MAX_BATCH_ENTRIES + 1; count++) note(failed)
  await run() // the first batch was never kept: the position is still 0
  assert.deepEqual(
    batches.map(({ fromPosition, toPosition }) => [fromPosition, toPosition]),
    [
      [0, MAX_BATCH_ENTRIES],
      [MAX_BATCH_ENTRIES, MAX_BATCH_ENTRIES + 1],
      [0, MAX_BATCH_ENTRIES],
      [MAX_BATCH_ENTRIES, MAX_BATCH_ENTRIES + 1],
    ],
  )
})

test('what cannot be read again is one row that says so, and the rest is stored', async () => {
  const { note, run, batches, damage } = bench()
  for (let count = 0; count < 6; count++) note(failed)
  damage(new JournalDamageError('segment', 3, 5, 'a checksum'))
  await run()
  assert.deepEqual(
    batches.map(({ fromPosition, toPosition, rows }) => [
      fromPosition,
      toPosition,
      rows.quote_failures.length,
      rows.quarantine.map(({ position }) => position).join(),
    ]),
    [
      [0, 2, 2, ''],
      [2, 4, 0, '4'],
      [4, 6, 2, ''],
    ],
  )
  assert.match(String(batches[1]?.rows.quarantine[0]?.reason), /cannot be read from position 3 on/)
})

test('a database ahead of the journal means that the journal was lost', async () => {
  const { note, run, setPosition } = bench()
  note(failed)
  setPosition(2)
  await assert.rejects(run(), LostEntriesError)
})

test('what the database refuses for good ends the run', async () => {
  const { note, run } = bench([() => new StoreError('UNSTORABLE', 'refused')])
  note(failed)
  await assert.rejects(run(), (error: unknown) => error instanceof StoreError && error.code === 'UNSTORABLE')
})
