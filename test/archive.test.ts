import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { archiveDays, openArchive, openStorage, verifyArchive } from '@booktape/archive'
import { openTape, type Tape, type TapeEvent, type TapeQuestion } from '@booktape/client'
import { oldPartitions } from '@booktape/store'
import { type ArchivedRecording, archivedRecording, DAYS } from './archived-recording.ts'

const SECOND_NS = 1_000_000_000n

describe('an archive of two days', () => {
  let recording: ArchivedRecording
  let root: string
  let tape: Tape
  let archive: Tape

  const run = async (place = root) => {
    const storage = await openStorage(place)
    const options = { database: recording.database, tape, storage, software: 'booktape test' }
    return await archiveDays({
      ...options,
      only: { fromDay: null, toDay: null },
      stopping: new AbortController().signal,
    })
  }

  before(async () => {
    recording = await archivedRecording({ minutes: 4, isSettled: true })
    root = await mkdtemp(join(tmpdir(), 'booktape-archive-test-'))
    tape = openTape(recording.url)
    archive = openArchive(await openStorage(root))
  })
  after(async () => {
    await archive.close()
    await tape.close()
    await recording.close()
    await rm(root, { recursive: true })
  })

  test('has each unit once, and a second run changes nothing', async () => {
    const first = await run()
    assert.deepEqual(first.days, DAYS)
    assert.equal(first.published.length, 2 * (2 * 2 + 2 + 1))
    const second = await run()
    assert.deepEqual([second.published, second.unchanged, second.days], [[], first.published.length, DAYS])
  })

  for (const [what, from, to, question] of [
    ['all of it', -30n, 30n, {}],
    ['v1 alone', 0n, 0n, { feed: 'v1' }],
    ['ws by the venue’s clock', 0n, 0n, { feed: 'ws', clock: 'exchange' }],
    ['trades', 0n, 0n, { only: 'trades' }],
    ['trades by the venue’s clock', 0n, 0n, { only: 'trades', clock: 'exchange' }],
    ['a span within the first epoch', 20n, -205n, { feed: 'ws' }],
    ['a span that begins where nothing is known', 41n, -100n, {}],
    ['a span over midnight', 100n, -100n, {}],
    ['a span of the second day', 130n, -10n, { feed: 'v1' }],
  ] as const satisfies readonly (readonly [string, bigint, bigint, Partial<TapeQuestion>])[]) {
    test(`gives what the database gives: ${what}`, async () => {
      const asked: TapeQuestion = {
        symbols: recording.symbols,
        from: recording.fromNs + from * SECOND_NS,
        to: recording.toNs + to * SECOND_NS,
        ...question,
      }
      const expected = await all(tape, asked)
      const given = await all(archive, asked)
      assert.ok(expected.length > 5, `${expected.length} events`)
      for (const [i, event] of expected.entries()) assert.deepEqual(given[i], event, `event ${i}`)
      assert.equal(given.length, expected.length)
    })
  }

  test('is whole', async () => {
    for await (const { damage } of verifyArchive(await openStorage(root))) assert.equal(damage, null)
  })

  test('lets retention drop a day whose next day is archived too', async () => {
    const old = await oldPartitions(recording.database, '2026-03-03', true)
    assert.deepEqual(
      [...new Set(old.map(({ day, kept }) => `${day} ${kept}`))],
      ['2026-03-01 null', '2026-03-02 not archived'],
    )
  })
})

async function all(tape: Tape, question: TapeQuestion): Promise<readonly TapeEvent[]> {
  const events: TapeEvent[] = []
  for await (const page of tape.pages(question)) events.push(...page)
  return events
}
