import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bookDigest } from '@booktape/book'
import { Exchange, type FaultRequest, presetOf, type SymbolSpec } from '@booktape/exchange'
import { invariant, type MarketRecord } from '@booktape/market'
import { trueDigest, VirtualRecorder } from './virtual-recorder.ts'

const START_NS = 1_790_732_600_000_000_000n
const SYMBOLS = ['btcgusdperp', 'ethgusdperp', 'btcusd']
const HALF_HOUR_MS = 1_800_000
const ROTATE_AFTER_MS = 600_000

for (const feed of ['ws', 'v1'] as const) {
  test(`${feed}: connections are rotated every ten minutes for an hour: no gap, every id and every trade`, () => {
    const { exchange, recorder } = recording(feed)
    recorder.pass(20_000)
    const from = new Map(SYMBOLS.map((symbol) => [symbol, recorder.track(feed, symbol).lastUpdateId ?? 0n]))
    const startedNs = exchange.nowNs
    recorder.pass(2 * HALF_HOUR_MS)
    const { records } = recorder
    assert.deepEqual(gaps(records), [])
    const rotations = records.filter((record) => record.kind === 'epoch_ended' && record.reason === 'rotation')
    assert.ok(rotations.length >= 5 * SYMBOLS.length, `${rotations.length} epochs passed on`)
    assertOneConnectionEach(recorder, feed)
    for (const symbol of SYMBOLS) {
      const track = recorder.track(feed, symbol)
      assert.equal(bookDigest(track.book), trueDigest(exchange, symbol, track.lastUpdateId ?? 0n))
      assertChained(records, symbol, from.get(symbol) ?? 0n)
      const made = exchange.truth.trades(symbol).filter((trade) => trade.eventTimeNs > startedNs)
      const stored = new Set(records.flatMap((record) => (record.kind === 'trade' ? [record.tradeId] : [])))
      const lost = made.filter(
        (trade) => !stored.has(trade.tradeId) && trade.eventTimeNs < exchange.nowNs - 1_000_000_000n,
      )
      assert.deepEqual(lost, [])
    }
  })

  test(`${feed}: where the new connection cannot be made, the old one goes on and nothing is lost`, () => {
    const { exchange, recorder } = recording(feed)
    recorder.pass(60_000)
    inject(exchange, { fault: 'refuse_upgrade', feed, status: 503, times: 3 })
    recorder.pass(ROTATE_AFTER_MS)
    assert.deepEqual(gaps(recorder.records), [])
    assert.deepEqual(ended(recorder.records), [])
    recorder.pass(HALF_HOUR_MS)
    assert.deepEqual(gaps(recorder.records), [])
    assert.ok(ended(recorder.records).includes('rotation'), 'and it is tried again')
    assertOneConnectionEach(recorder, feed)
  })

  test(`${feed}: where the new connection brings no book, or a wrong one, the old one goes on`, () => {
    for (const fault of ['omit_snapshot', 'late_snapshot'] as const) {
      const { exchange, recorder } = recording(feed)
      recorder.pass(60_000)
      for (const symbol of SYMBOLS) inject(exchange, { fault, feed, symbol })
      recorder.pass(3 * ROTATE_AFTER_MS)
      assert.deepEqual(gaps(recorder.records), [], fault)
      recorder.pass(HALF_HOUR_MS)
      assertOneConnectionEach(recorder, feed)
      for (const symbol of SYMBOLS) {
        const track = recorder.track(feed, symbol)
        assert.equal(bookDigest(track.book), trueDigest(exchange, symbol, track.lastUpdateId ?? 0n))
      }
    }
  })
}

test('a connection that is cut while it is rotated leaves the gap it would have left, and recording goes on', () => {
  for (const feed of ['ws', 'v1'] as const) {
    const { exchange, recorder } = recording(feed)
    recorder.pass(60_000)
    const isRotating = (): boolean => recorder.state.rotation.current !== null
    assert.ok(recorder.pass(2 * ROTATE_AFTER_MS, isRotating))
    inject(exchange, { fault: 'close', feed, code: 1006 })
    recorder.pass(HALF_HOUR_MS)
    assert.ok(gaps(recorder.records).length > 0)
    assert.deepEqual(openGaps(recorder.records), [])
    assertOneConnectionEach(recorder, feed)
  }
})

test('a process that is killed while it rotates begins with the connections of its symbols', () => {
  const { recorder } = recording('ws')
  recorder.pass(60_000)
  assert.ok(recorder.pass(2 * ROTATE_AFTER_MS, () => recorder.state.rotation.current !== null))
  recorder.kill()
  recorder.start({ runId: 'after the kill', feeds: ['ws'], rotateAfterMs: ROTATE_AFTER_MS })
  recorder.pass(HALF_HOUR_MS)
  assert.deepEqual(openGaps(recorder.records), [])
  assertOneConnectionEach(recorder, 'ws')
})

function recording(feed: 'v1' | 'ws') {
  const symbols = SYMBOLS.map((symbol): SymbolSpec => {
    const preset = presetOf(symbol)
    invariant(preset !== null, `the exchange has ${symbol}`)
    return { ...preset, bids: Math.min(preset.bids, 20), asks: Math.min(preset.asks, 20) }
  })
  const exchange = new Exchange({ seed: 7, symbols, startNs: START_NS })
  const recorder = new VirtualRecorder(exchange, { feeds: [feed], rotateAfterMs: ROTATE_AFTER_MS })
  return { exchange, recorder }
}

function inject(exchange: Exchange, request: FaultRequest): void {
  const injected = exchange.faults.inject(request)
  if (typeof injected === 'string') assert.fail(injected)
}

function gaps(records: readonly MarketRecord[]): string[] {
  const withdrawn = records.flatMap((record) => (record.kind === 'gap_withdrawn' ? [record.gapId] : []))
  return records.flatMap((record) =>
    record.kind === 'gap_opened' && !withdrawn.includes(record.gapId)
      ? [`${record.symbol} ${record.stream} ${record.cause}`]
      : [],
  )
}

function openGaps(records: readonly MarketRecord[]): string[] {
  const over = new Set(
    records.flatMap((record) =>
      record.kind === 'gap_closed' || record.kind === 'gap_withdrawn' ? [record.gapId] : [],
    ),
  )
  return records.flatMap((record) => (record.kind === 'gap_opened' && !over.has(record.gapId) ? [record.gapId] : []))
}

function ended(records: readonly MarketRecord[]): string[] {
  return records.flatMap((record) => (record.kind === 'epoch_ended' ? [record.reason] : []))
}

function assertOneConnectionEach(recorder: VirtualRecorder, feed: 'v1' | 'ws'): void {
  recorder.pass(120_000, () => recorder.state.rotation.current === null)
  const open = [...recorder.state.sessions.values()].filter(({ link }) => link.phase === 'open')
  assert.equal(open.length, feed === 'v1' ? SYMBOLS.length : 1)
  assert.equal(recorder.exchange.connections.length, open.length, 'no connection is left behind')
  for (const symbol of SYMBOLS) assert.notEqual(recorder.track(feed, symbol).epoch, null, symbol)
}

/** Each epoch begins at or before the id at which the one before it ended, and each message continues its epoch. */
function assertChained(records: readonly MarketRecord[], symbol: string, fromId: bigint): void {
  let last = fromId
  let epochs = 0
  for (const record of records) {
    if (record.kind === 'epoch_started' && record.symbol === symbol) {
      if (epochs++ > 0) assert.ok(record.firstUpdateId <= last, `${record.firstUpdateId} begins after ${last}`)
    }
    if (record.kind !== 'book_message' || record.symbol !== symbol) continue
    if (record.feed === 'ws')
      assert.ok(record.firstUpdateId <= last || last === fromId, `${record.firstUpdateId} after ${last}`)
    last = record.lastUpdateId
  }
  assert.ok(epochs > 5)
}
