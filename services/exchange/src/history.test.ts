import assert from 'node:assert/strict'
import { test } from 'node:test'
import { History, SEGMENT_CHANGES } from './history.ts'
import { Ladder } from './ladder.ts'

/** A book whose bid 100 holds as much as the update's id, each id changing it once. */
function historyUpTo(lastId: bigint, limit: number): { history: History; bids: Ladder; asks: Ladder } {
  const bids = new Ladder('bid')
  const asks = new Ladder('ask')
  const history = new History(0n, limit)
  for (let id = 1n; id <= lastId; id++) {
    const change = { updateId: id, eventTimeNs: 1_000n + id, side: 'bid', price: 100n, quantity: id } as const
    history.record(change, bids, asks)
    bids.set(100n, id)
  }
  return { history, bids, asks }
}

const LIMIT = 2 * SEGMENT_CHANGES

for (const id of [0n, 1n, 4_095n, 4_096n, 4_097n, 7_999n, 8_000n]) {
  test(`the book after update ${id} of 8000`, () => {
    const { history, bids, asks } = historyUpTo(8_000n, LIMIT)
    assert.equal(history.bookAfter(id, { bids, asks }).bids.quantityOf(100n), id)
  })
}

test('beyond the limit the oldest segment is forgotten, and says so', () => {
  const { history, bids, asks } = historyUpTo(8_193n, LIMIT)
  assert.throws(() => history.bookAfter(4_095n, { bids, asks }), {
    name: 'RangeError',
    message: 'update 4095 is forgotten: the oldest one remembered is 4096 (limit 8192 changes)',
  })
  assert.equal(history.bookAfter(4_096n, { bids, asks }).bids.quantityOf(100n), 4_096n)
  assert.equal(history.updateIds().length, 4_098) // the oldest book and the 4097 updates after it
})

test('an update that has not come yet is refused', () => {
  const { history, bids, asks } = historyUpTo(3n, LIMIT)
  assert.throws(() => history.bookAfter(4n, { bids, asks }), {
    message: 'update 4 has not come yet: the last one is 3',
  })
})

test('changes come in order, from after one id up to another', () => {
  const { history } = historyUpTo(5_000n, LIMIT)
  const ids = Array.from(history.changes(4_094n, 4_098n), (change) => change.updateId)
  assert.deepEqual(ids, [4_095n, 4_096n, 4_097n, 4_098n])
})
