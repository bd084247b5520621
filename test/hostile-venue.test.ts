import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bookDigest, quantityAt } from '@booktape/book'
import { Exchange, type FaultRequest, type Frame, presetOf } from '@booktape/exchange'
import { type DecimalText, invariant, type MarketRecord } from '@booktape/market'
import { type Anomaly, advance } from '@booktape/session'
import { type Intercept, trueDigest, VirtualRecorder } from './virtual-recorder.ts'

const START_NS = 1_790_732_600_000_000_000n
const PERP = 'btcgusdperp'

// A venue that is broken or means harm, in virtual time.

test('ids that go backward on an open connection are a new beginning: the book is dropped, the loss told, and the new ids believed', () => {
  const back = 10n ** 15n
  let isBack = false
  const earlier: Intercept = (_, frame) => {
    if (!isBack || typeof frame !== 'string') return [frame]
    return [
      frame.replace(
        /"(U|u|lastUpdateId)":(\d{16,})/g,
        (_all, key: string, id: string) => `"${key}":${BigInt(id) - back}`,
      ),
    ]
  }
  const { exchange, recorder } = recording('ws', earlier)
  recorder.pass(20_000)
  const { lastUpdateId: before } = recorder.track('ws', PERP)
  isBack = true
  assert.ok(recorder.pass(60_000, () => (recorder.track('ws', PERP).lastUpdateId ?? 0n) < (before ?? 0n)))
  recorder.pass(20_000)
  const gaps = recorder.records.flatMap((record) =>
    record.kind === 'gap_opened' && record.stream === 'book' ? [record] : [],
  )
  assert.deepEqual(
    gaps.map(({ cause, fromId }) => [cause, fromId]),
    [['sequence', before]],
  )
  assert.deepEqual(
    recorder.records.flatMap((record) =>
      record.kind === 'gap_closed' && record.gapId === gaps[0]?.gapId ? [record.toId] : [],
    ),
    [null], // the two counts have no common measure
  )
  const { epoch, book, lastUpdateId } = recorder.track('ws', PERP)
  assert.ok(epoch !== null && lastUpdateId !== null)
  assert.equal(bookDigest(book), trueDigest(exchange, PERP, lastUpdateId + back))
})

for (const [feed, withinMs] of [
  ['v1', 6_000], // the next heartbeat
  ['ws', 300_000], // the next look at the whole book
] as const) {
  test(`${feed}: a message lost before a long silence is found within ${withinMs / 1_000} s`, () => {
    let isDropping = false
    const dropOne: Intercept = (_, frame) => {
      if (!isDropping || typeof frame !== 'string' || !/"depthUpdate"|"update"/.test(frame)) return [frame]
      isDropping = false
      return []
    }
    const { exchange, recorder } = recording(feed, dropOne)
    recorder.pass(20_000)
    isDropping = true
    const { lastUpdateId: before } = recorder.track(feed, PERP)
    const lostNs = exchange.nowNs
    inject(exchange, { fault: 'empty_book', symbol: PERP }) // one update, and after it nothing trades or is quoted
    assert.ok(recorder.pass(withinMs, () => causes(recorder.records).length > 0))
    assert.equal(isDropping, false)
    assert.deepEqual(
      recorder.records.flatMap((r) =>
        r.kind === 'gap_opened' && r.stream === 'book' ? [[r.cause, r.fromId, r.receivedTimeNs <= lostNs]] : [],
      ),
      [['sequence', before, true]],
    )
  })
}

test('a book that the venue crosses is stored as it came, counted, and looked at within seconds', () => {
  const crossing = once((frame) => frame.replace('"b":[', '"b":[["999999.5","1"],').replace(',]', ']'), '"b":[')
  const { recorder } = recording('ws', crossing.intercept)
  recorder.pass(60_000)
  assert.deepEqual(anomalies(recorder, 'crossed_book'), 0)
  crossing.arm()
  assert.ok(recorder.pass(30_000, () => causes(recorder.records).length > 0))
  assert.deepEqual(causes(recorder.records), ['divergence'])
  assert.ok(anomalies(recorder, 'crossed_book') >= 1)
  const stored = recorder.records.flatMap((record) => (record.kind === 'book_message' ? record.changes : []))
  assert.equal(stored.filter((change) => change.price === '999999.5' && change.quantity === '1').length, 1)
})

const CROSSING_EVENT = (reason: string): string =>
  `"events":[{"type":"change","side":"bid","price":"999999.5","remaining":"1","delta":"1","reason":"${reason}"},`

for (const [feed, why] of [
  ['v1', 'with no other feed to compare with'],
  ['ws', 'while the venue does not say what its book is'],
] as const) {
  test(`${feed}: a book that stays crossed, ${why}, is taken anew, and doubted from the message that crossed it`, () => {
    const crossing =
      feed === 'v1'
        ? once((frame) => frame.replace('"events":[', CROSSING_EVENT('place')), '"events":[', '"change"')
        : once((frame) => frame.replace('"b":[', '"b":[["999999.5","1"],').replace(',]', ']'), '"b":[')
    const isTold = (frame: Frame): boolean =>
      feed === 'v1' ||
      typeof frame !== 'string' ||
      (frame.includes('"depthUpdate"') ? true : frame.includes('"id":') && !frame.includes('"id":"depth:'))
    const { exchange, recorder } = recording(feed, (connection, frame) =>
      isTold(frame) ? crossing.intercept(connection, frame) : [],
    )
    recorder.pass(60_000)
    crossing.arm()
    assert.ok(recorder.pass(10_000, () => crossing.isDone()))
    assert.deepEqual(causes(recorder.records), [])
    recorder.pass(13_000)
    const gap = recorder.records.find((record) => record.kind === 'gap_opened' && record.stream === 'book')
    const messages = recorder.records.filter((record) => record.kind === 'book_message')
    const culprit = messages.findIndex(({ changes }) => changes.some(({ price }) => price === '999999.5'))
    invariant(gap?.kind === 'gap_opened', 'a gap was opened')
    assert.deepEqual([gap.cause, gap.receivedTimeNs], ['divergence', messages[culprit - 1]?.receivedTimeNs])
    recorder.pass(120_000)
    assert.deepEqual(causes(recorder.records), ['divergence'])
    assert.equal(anomalies(recorder, 'crossed_book') >= 1, true)
    const { book, lastUpdateId, epoch } = recorder.track(feed, PERP)
    assert.ok(epoch !== null)
    assert.equal(bookDigest(book), trueDigest(exchange, PERP, lastUpdateId ?? 0n))
  })
}

test('v1 alone: a quantity that is wrong is found by looking at REST, within five minutes', () => {
  const wrong = once(
    (frame) =>
      frame.replace(
        '"events":[',
        '"events":[{"type":"change","side":"bid","price":"0.5","remaining":"7","delta":"7","reason":"place"},',
      ),
    '"events":[',
    '"change"',
  )
  const { exchange, recorder } = recording('v1', wrong.intercept)
  recorder.pass(600_000)
  const good = recorder.records.filter((record) => record.kind === 'audit')
  assert.ok(good.length >= 2)
  assert.deepEqual(new Set(good.map(({ method, result }) => `${method} ${result}`)), new Set(['rest equal']))
  wrong.arm()
  assert.ok(recorder.pass(10_000, () => wrong.isDone()))
  assert.ok(recorder.pass(300_000, () => causes(recorder.records).length > 0))
  const lastGood = recorder.records.findLast((record) => record.kind === 'audit' && record.result === 'equal')
  const gap = recorder.records.find((record) => record.kind === 'gap_opened')
  invariant(gap?.kind === 'gap_opened' && lastGood !== undefined, 'a gap was opened, after audits')
  assert.deepEqual([gap.cause, gap.receivedTimeNs], ['divergence', lastGood.receivedTimeNs])
  recorder.pass(120_000)
  assertRight(exchange, recorder, 'v1')
})

test('v1 alone: a connection that has died before REST is asked is judged by its silence, and the book proven until then', () => {
  let isDead = false
  let lastNs = 0n
  const { exchange, recorder } = recording('v1', (_, frame) => {
    if (!isDead) lastNs = exchange.nowNs
    return isDead ? [] : [frame]
  })
  recorder.pass(25_000) // five seconds before the first look
  isDead = true
  recorder.pass(7_000)
  assert.equal(recorder.track('v1', PERP).restAudit.askedNs, null, 'a book that is old by then is not compared')
  recorder.beAway(5_000) // and then nobody is judged silent for a while
  assert.ok(recorder.pass(30_000, () => causes(recorder.records).length > 0))
  const gap = recorder.records.find((record) => record.kind === 'gap_opened')
  assert.deepEqual([gap?.cause, gap?.receivedTimeNs], ['liveness', lastNs])
})

test('v1 alone: an hour of REST that answers late, or not at all, finds no fault in a right book', () => {
  const { exchange, recorder } = recording('v1')
  for (let minute = 0; minute < 60; minute++) {
    if (minute % 7 === 3) inject(exchange, { fault: 'refuse_rest', status: 503, times: 2 })
    recorder.pass(60_000)
  }
  assert.deepEqual(causes(recorder.records), [])
  assert.ok(recorder.records.filter((record) => record.kind === 'audit').length >= 8)
})

test('a venue whose own snapshots are crossed, and not its REST, is asked for one more, and then believed', () => {
  const { recorder } = recording('v1', (_, frame) => [
    typeof frame === 'string' && frame.includes('"reason":"initial"')
      ? frame.replace('"events":[', CROSSING_EVENT('initial'))
      : frame,
  ])
  recorder.pass(900_000)
  assert.ok(anomalies(recorder, 'crossed_book') > 100)
  assert.deepEqual(causes(recorder.records), ['divergence'])
})

test('a level that one message sets twice: both are stored, the last one holds', () => {
  const twice = once((frame) => frame.replace('"b":[', '"b":[["0.5","7"],["0.50","8"],').replace(',]', ']'), '"b":[')
  const { recorder } = recording('ws', twice.intercept)
  recorder.pass(20_000)
  twice.arm()
  assert.ok(recorder.pass(20_000, () => twice.isDone()))
  assert.equal(quantityAt(recorder.track('ws', PERP).book, 'bid', '0.5' as DecimalText), '8')
  const stored = recorder.records.flatMap((record) => (record.kind === 'book_message' ? record.changes : []))
  assert.deepEqual(
    stored.filter((change) => change.price === '0.5').map((change) => change.quantity),
    ['7', '8'],
  )
})

test('the removal of a level that is not there changes nothing and is counted', () => {
  const removal = once((frame) => frame.replace('"b":[', '"b":[["0.5","0"],').replace(',]', ']'), '"b":[')
  const { exchange, recorder } = recording('ws', removal.intercept)
  recorder.pass(20_000)
  const before = anomalies(recorder, 'absent_level_removed')
  removal.arm()
  assert.ok(recorder.pass(20_000, () => removal.isDone()))
  assert.ok(anomalies(recorder, 'absent_level_removed') > before)
  assertRight(exchange, recorder)
  assert.deepEqual(causes(recorder.records), [])
})

for (const [what, time] of [
  ['zero', '0'],
  ['in milliseconds', '1790732600000'],
  ['a day ahead', '1790819000000000000'],
  ['the last instant there is', '9223372036854775807'],
] as const) {
  test(`an event time that is ${what} is stored as it is, and neither order nor books follow it`, () => {
    const { exchange, recorder } = recording('ws', (_, frame) => [
      typeof frame === 'string' ? frame.replace(/"E":\d+/, `"E":${time}`) : frame,
    ])
    recorder.pass(30_000)
    const messages = recorder.records.filter((record) => record.kind === 'book_message')
    assert.ok(messages.length > 10)
    assert.ok(messages.every((message) => message.eventTimeNs === BigInt(time)))
    assert.ok(messages.every((message, i) => i === 0 || message.messageSeq > (messages[i - 1]?.messageSeq ?? 0)))
    assert.ok(messages.every((message) => message.receivedTimeNs > START_NS))
    assert.deepEqual(causes(recorder.records), [])
    assertRight(exchange, recorder)
  })
}

test('v1: a connection that does not begin at sequence 0 is left, disclosed, and made anew', () => {
  const { exchange, recorder } = recording('v1', undefined, [
    { fault: 'wrong_first_sequence', feed: 'v1', sequence: 5 },
  ])
  recorder.pass(2_000)
  assert.deepEqual(causes(recorder.records), ['sequence'])
  assert.equal(recorder.records.filter((record) => record.kind === 'session_opened').length, 2)
  recorder.pass(60_000)
  assertRight(exchange, recorder, 'v1')
})

test('v1: a second initial book on one connection is not merged: the book is dropped and taken anew', () => {
  let initial: string | null = null
  let isRepeating = false
  const { exchange, recorder } = recording('v1', (_, frame) => {
    if (typeof frame !== 'string') return [frame]
    if (initial === null && frame.includes('"initial"')) initial = frame
    if (!isRepeating || initial === null) return [frame]
    isRepeating = false
    const sequence = /"socket_sequence":\d+/.exec(frame)?.[0] ?? ''
    return [initial.replace(/"socket_sequence":\d+/, sequence)]
  })
  recorder.pass(20_000)
  isRepeating = true
  recorder.pass(90_000)
  assert.deepEqual(causes(recorder.records), ['protocol'])
  assertRight(exchange, recorder, 'v1')
})

for (const feed of ['v1', 'ws'] as const) {
  test(`${feed}: a venue that takes every connection and closes it at once is dialed ever more rarely`, () => {
    const { exchange, recorder } = recording(feed)
    let opened = 0
    const dialsBy = (minutes: number): number => {
      for (let second = 0; second < minutes * 60; second++) {
        recorder.pass(1_000)
        inject(exchange, { fault: 'close', feed, code: 1000 })
      }
      const all = recorder.records.filter((record) => record.kind === 'session_opened').length
      const more = all - opened
      opened = all
      return more
    }
    const first = dialsBy(5)
    dialsBy(5)
    const later = dialsBy(10)
    const [least, most] = feed === 'ws' ? [50, 60] : [5, 15]
    assert.ok(first >= least && first <= most, `${first} dials in the first five minutes`)
    assert.ok(later >= 8 && later <= 12, `${later} dials in the next`) // one a minute, as the cap has it
    recorder.pass(120_000)
    assertRight(exchange, recorder, feed)
  })

  test(`${feed}: after a minute in which this process stood still nobody is judged silent before what waits is read`, () => {
    const { exchange, recorder } = recording(feed)
    recorder.pass(20_000)
    recorder.beAway(60_000)
    const at = { wallNs: exchange.nowNs, monoNs: exchange.nowNs }
    const { orders, records } = advance(recorder.state, { kind: 'tick', at }) // timers run before sockets are read
    assert.deepEqual(
      orders.filter((order) => order.kind === 'hang_up'),
      [],
    )
    assert.deepEqual(causes(records), [])
    recorder.pass(30_000)
    assert.deepEqual(causes(recorder.records), [])
    assert.equal(recorder.records.filter((record) => record.kind === 'session_opened').length, 1)
    assertRight(exchange, recorder, feed)
  })
}

/** Changes the next matching frame once it is armed. */
function once(change: (frame: string) => string, marker: string, kind = 'depthUpdate') {
  let isArmed = false
  let done = 0
  const intercept: Intercept = (_, frame) => {
    if (!isArmed || typeof frame !== 'string' || !frame.includes(marker) || !frame.includes(kind)) return [frame]
    isArmed = false
    done++
    return [change(frame)]
  }
  return { intercept, arm: () => void (isArmed = true), isDone: () => done > 0 }
}

function assertRight(exchange: Exchange, recorder: VirtualRecorder, feed: 'v1' | 'ws' = 'ws'): void {
  const { epoch, book, lastUpdateId } = recorder.track(feed, PERP)
  assert.ok(epoch !== null && lastUpdateId !== null)
  assert.equal(bookDigest(book), trueDigest(exchange, PERP, lastUpdateId))
}

const causes = (records: readonly MarketRecord[]): string[] =>
  records.flatMap((record) => (record.kind === 'gap_opened' && record.stream === 'book' ? [record.cause] : []))

const anomalies = (recorder: VirtualRecorder, anomaly: Anomaly): number =>
  recorder.observations.reduce(
    (sum, seen) => sum + (seen.kind === 'anomaly' && seen.anomaly === anomaly ? seen.count : 0),
    0,
  )

function inject(exchange: Exchange, fault: FaultRequest): void {
  const injected = exchange.faults.inject(fault)
  if (typeof injected === 'string') assert.fail(injected)
}

function recording(feed: 'v1' | 'ws', intercept?: Intercept, faults: readonly FaultRequest[] = []) {
  const spec = presetOf(PERP)
  invariant(spec !== null, 'the exchange has the symbol')
  const exchange = new Exchange({ seed: 11, symbols: [spec], startNs: START_NS })
  for (const fault of faults) inject(exchange, fault)
  return { exchange, recorder: new VirtualRecorder(exchange, { feeds: [feed] }, intercept) }
}
