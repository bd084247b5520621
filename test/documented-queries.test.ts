import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { allLive, type Drill, startDrill } from './recording-drill.ts'

const QUERIES = [
  ...readFileSync(new URL('../docs/data.md', import.meta.url), 'utf8').matchAll(/```sql\n([\s\S]*?)```/g),
]
  .flatMap((block) => (block[1] ?? '').split(';'))
  .map((query) => query.trim())
  .filter((query) => query !== '')

// Gaps are what a healthy recording has none of.
const MAY_BE_EMPTY = /from market\.gaps/

describe('the queries of docs/data.md', () => {
  let drill: Drill
  before(async () => {
    drill = await startDrill({ symbols: 1, rate: 20, seed: 5 })
    await drill.recording.until(() => allLive(drill))
    // The second before now, of which one query asks, must have been recorded.
    const [live] = await drill.recording.query<{ since: string }>('select now()::text as since')
    await drill.recording.until(async () => {
      const [row] = await drill.recording.query<{ ok: boolean }>(
        `select count(*) > 0 and now() > $1::timestamptz + interval '2 seconds' as ok from market.trades`,
        [live?.since],
      )
      return row?.ok === true
    })
  })
  after(async () => drill?.close())

  test('are six', () => assert.equal(QUERIES.length, 6))

  for (const query of QUERIES) {
    test(`answer: ${query.replaceAll(/\s+/g, ' ').slice(0, 100)}`, async () => {
      const rows = await drill.recording.query(query)
      assert.ok(rows.length > 0 || MAY_BE_EMPTY.test(query))
    })
  }
})
