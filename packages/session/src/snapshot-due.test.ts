import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isSnapshotDue } from './snapshot-due.ts'

const MINUTE_MS = 60_000
const MINUTE_NS = 60_000_000_000n

for (const [name, since, expected] of [
  ['a minute after the last, when something changed', { passedNs: MINUTE_NS, changes: 1, levels: 100 }, true],
  ['a nanosecond before that', { passedNs: MINUTE_NS - 1n, changes: 1, levels: 100 }, false],
  ['however long nothing changed', { passedNs: 60n * MINUTE_NS, changes: 0, levels: 100 }, false],
  ['at once after 10,000 changes of a small book', { passedNs: 1n, changes: 10_000, levels: 100 }, true],
  ['not one change sooner', { passedNs: 1n, changes: 9_999, levels: 100 }, false],
  ['after as many changes as a large book has levels', { passedNs: 1n, changes: 20_000, levels: 20_000 }, true],
  ['not one change sooner than that', { passedNs: 1n, changes: 19_999, levels: 20_000 }, false],
] as const) {
  test(`a whole book is ${expected ? 'due' : 'not due'} ${name}`, () =>
    assert.equal(isSnapshotDue(since, MINUTE_MS), expected))
}
