import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import { smallArchive } from './archive.fixture.ts'
import { localStorage } from './local-storage.ts'
import { openArchive } from './open-archive.ts'

describe('the quotes of an archive', () => {
  let folder = ''
  before(async () => {
    folder = await smallArchive()
  })
  after(() => rm(folder, { recursive: true }))

  for (const [what, from, to, expected] of [
    [
      'of the line whose book is replayed, to the nanosecond',
      '00:00',
      '01:00',
      [71001n, 71002n, 71012n, 71016n, 71017n, 81017n],
    ],
    ['within a gap of the line before it', '00:05', '00:14', [71012n]],
    ['from the instant asked for, and not at the end', '00:01:00.123456', '00:02:00.123456', [71001n]],
    ['none where no book is known', '00:45', '01:00', []],
  ] as const) {
    test(`are ${what}`, async () => {
      const question = {
        symbols: ['btcusd'],
        from: `2026-03-01T${from}Z`,
        to: `2026-03-01T${to}Z`,
        feed: 'ws',
      } as const
      const given: bigint[] = []
      for await (const page of openArchive(localStorage(folder)).quotes(question))
        given.push(...page.map(({ updateId }) => updateId))
      assert.deepEqual(given, expected)
    })
  }
})
