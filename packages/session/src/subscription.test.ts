import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BookUpdate, DecimalText, LevelChange, Side } from '@booktape/market'
import { emptyStep } from './step.ts'
import { DOUBTS_BEFORE_BELIEF, newSubscription, onDepth, onOpened, onReply } from './subscription.ts'
import { newTrack } from './track.ts'

const RUN = {
  runId: 'run',
  line: 'a',
  symbols: ['btcusd'],
  feeds: ['ws'],
  v1Url: '',
  wsUrl: '',
  snapshotIntervalMs: 60_000,
} as const
const AT = { wallNs: 1_790_000_000_000_000_000n, monoNs: 0n }

const BOOK = [level('bid', '99', '1'), level('bid', '98', '1'), level('ask', '101', '2'), level('ask', '102', '1')]
const ONE_SIDE = [level('bid', '99', '1')]
const REMOVING = [level('bid', '99', '1'), level('ask', '101', '0'), level('ask', '102', '0')]
const CROSSED = [level('bid', '99', '1'), level('ask', '98', '2')]

for (const [doubted, before, first, changes, isLive] of [
  ['books', BOOK, 'a book of both sides', BOOK, true],
  ['books', BOOK, 'one bid, and asks that are removed', REMOVING, false],
  ['books', BOOK, 'one side only', ONE_SIDE, false],
  ['books', BOOK, 'a crossed book', CROSSED, false],
  ['messages of one side', ONE_SIDE, 'a book of both sides', BOOK, false],
  ['messages that remove', REMOVING, 'a book of both sides', BOOK, false],
] as const) {
  test(`after ${DOUBTS_BEFORE_BELIEF} ${doubted} with a range, ${first} is ${isLive ? '' : 'not '}believed to be a snapshot`, () => {
    const subscription = newSubscription(newTrack('btcusd', 'ws'))
    const ids: string[] = []
    const ask = (make: (id: number) => string): void => void ids.push(make(ids.length + 1))
    onOpened(subscription, AT, ask)
    for (let doubt = 0; doubt < DOUBTS_BEFORE_BELIEF; doubt++) {
      take(ask, before, 12n + BigInt(doubt))
      const { phase } = subscription
      assert.equal(phase.phase, 'unsubscribing')
      if (phase.phase === 'unsubscribing') onReply(subscription, phase.requestId, null, AT, RUN, ask, emptyStep())
      if (subscription.phase.phase === 'backing_off') onOpened(subscription, AT, ask)
    }
    take(ask, changes)
    assert.equal(subscription.phase.phase === 'live', isLive)

    function take(asking: typeof ask, of: readonly LevelChange[], lastUpdateId = 20n): void {
      const update: BookUpdate = { firstUpdateId: 10n, lastUpdateId, eventTimeNs: null, changes: of }
      onDepth(subscription, update, { at: AT, sessionId: 'session', messageSeq: 1 }, RUN, asking, emptyStep())
    }
  })
}

test('a message that was doubted is not believed for coming once more, after doubts of others', () => {
  const subscription = newSubscription(newTrack('btcusd', 'ws'))
  const ask = (make: (id: number) => string): void => void make(1)
  const changes = [level('bid', '99', '1'), level('bid', '98', '1'), level('ask', '101', '2')]
  for (const [lastUpdateId, isLive] of [
    [12n, false],
    [13n, false],
    [13n, false],
    [13n, false],
    [14n, true],
  ] as const) {
    onOpened(subscription, AT, ask)
    const update: BookUpdate = { firstUpdateId: 10n, lastUpdateId, eventTimeNs: null, changes }
    onDepth(subscription, update, { at: AT, sessionId: 'session', messageSeq: 1 }, RUN, ask, emptyStep())
    assert.equal(subscription.phase.phase === 'live', isLive, `at ${lastUpdateId}`)
  }
})

for (const [what, changes] of [
  ['that removes a level', [level('bid', '99', '1'), level('bid', '98', '0'), level('ask', '101', '2')]],
  ['whose levels are not sorted', [level('bid', '98', '1'), level('bid', '99', '1'), level('ask', '101', '2')]],
] as const) {
  test(`a message ${what} is no snapshot, not even the first one, and not for coming again`, () => {
    const subscription = newSubscription(newTrack('btcusd', 'ws'))
    const ask = (make: (id: number) => string): void => void make(1)
    for (let i = 0; i < 10; i++) {
      onOpened(subscription, AT, ask)
      const update: BookUpdate = { firstUpdateId: 12n, lastUpdateId: 12n, eventTimeNs: null, changes }
      onDepth(subscription, update, { at: AT, sessionId: 'session', messageSeq: 1 }, RUN, ask, emptyStep())
      assert.equal(subscription.phase.phase, 'unsubscribing')
    }
  })
}

test('the first book that is ever known may be small', () => {
  const track = newTrack('btcusd', 'ws')
  const subscription = newSubscription(track)
  const ask = (make: (id: number) => string): void => void make(1)
  onOpened(subscription, AT, ask)
  const changes = [level('bid', '99', '1')]
  const update: BookUpdate = { firstUpdateId: 12n, lastUpdateId: 12n, eventTimeNs: null, changes }
  onDepth(subscription, update, { at: AT, sessionId: 'session', messageSeq: 1 }, RUN, ask, emptyStep())
  assert.notEqual(track.epoch, null)
})

for (const [what, firstUpdateId, changes, tries] of [
  ['one delta that is echoed at each new subscription is one doubt, and never believed for coming again', 11n, 2, null],
  ['a small book that stands still is believed in the end', 12n, 2, DOUBTS_BEFORE_BELIEF],
  ['an empty book that stands still is believed in the end', 12n, 0, DOUBTS_BEFORE_BELIEF],
] as const) {
  test(what, () => {
    const track = newTrack('btcusd', 'ws')
    track.levelsBefore = 22
    const subscription = newSubscription(track)
    const ask = (make: (id: number) => string): void => void make(1)
    const all = [level('bid', '99', '1'), level('ask', '101', '1')]
    const update: BookUpdate = { firstUpdateId, lastUpdateId: 12n, eventTimeNs: null, changes: all.slice(0, changes) }
    for (let i = 0; i < 10; i++) {
      if (track.epoch === null) onOpened(subscription, AT, ask)
      if (track.epoch === null)
        onDepth(subscription, update, { at: AT, sessionId: 'session', messageSeq: 1 }, RUN, ask, emptyStep())
      assert.equal(track.epoch !== null, tries !== null && i >= tries, `after try ${i}`)
    }
  })
}

function level(side: Side, price: string, quantity: string): LevelChange {
  return { side, price: price as DecimalText, quantity: quantity as DecimalText, reason: null }
}
