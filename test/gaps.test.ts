import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bookDigest } from '@booktape/book'
import { Exchange, type Frame, presetOf, type SymbolSpec } from '@booktape/exchange'
import { type Feed, invariant, type MarketRecord } from '@booktape/market'
import { trueDigest, VirtualRecorder } from './virtual-recorder.ts'

const SCRIPT_FRAMES = 1_000
const START_NS = 1_790_732_600_000_000_000n
/** By then every subscription stands. */
const LISTENING_NS = START_NS + 1_000_000_000n
const SYMBOL = 'btcgusdperp' // a small book, so that thousands of snapshots cost little
/** Generous in virtual time: the old feed asks for a minute between two connections of one symbol. */
const RECOVERY_MS = 180_000

const isDepth = (frame: Frame): boolean => typeof frame === 'string' && frame.includes('"depthUpdate"')
const isAny = (): boolean => true

/** The second depth frame of the new API repeats what its snapshot holds: without it nothing is lost, and no gap is claimed. */
const isStale = (feed: Feed, k: number): boolean => feed === 'ws' && k === 2

/** The wrongs that can be done to the k-th frame, and how many gaps each must leave. */
const WRONGS: readonly (readonly [feed: Feed, wrong: Wrong, gaps: number])[] = [
  ['v1', 'dropped', 1],
  ['v1', 'sent after the next', 1],
  ['v1', 'sent twice', 1],
  ['ws', 'dropped', 1],
  ['ws', 'sent after the next', 1],
  ['ws', 'sent twice', 0],
]
type Wrong = 'dropped' | 'sent after the next' | 'sent twice'

for (const [feed, wrong, gaps] of WRONGS) {
  const frames = feed === 'v1' ? 'frame' : 'depth frame'
  test(`${feed}: for each k up to ${SCRIPT_FRAMES}, ${frames} k ${wrong} leaves ${gaps} gap, and then the right book`, () => {
    const exchange = newExchange([SYMBOL])
    for (let k = 1; k <= SCRIPT_FRAMES; k++) {
      const { counter, intercept } = wrongOnce(wrong, k, feed === 'v1' ? isAny : isDepth)
      const recorder = new VirtualRecorder(exchange, { feeds: [feed], runId: `${k}` }, intercept)
      const track = recorder.track(feed, SYMBOL)
      const untilFrame = wrong === 'sent twice' ? k : k + 1 // a late frame comes with the one after it
      const sawAll = recorder.pass(RECOVERY_MS * 10, () => counter.seen >= untilFrame)
      assert.ok(sawAll, `${k}: the script of ${untilFrame} frames came`)
      const recovered = recorder.pass(RECOVERY_MS, () => track.epoch !== null && track.epoch.updates > 0)
      assert.ok(recovered, `${k}: the book is live again`)
      assertLedger(recorder.records, isStale(feed, k) ? 0 : gaps, `${k}`)
      assert.equal(bookDigest(track.book), trueDigest(exchange, SYMBOL, lastId(track)), `${k}: the right book`)
      recorder.kill()
    }
  })
}

test('a gap of one symbol leaves the epochs of the others on the same connection untouched', () => {
  const symbols = ['btcgusdperp', 'ethgusdperp', 'btcusd', 'ethusd']
  const exchange = newExchange(symbols)
  const recorder = new VirtualRecorder(exchange, { feeds: ['ws'] })
  recorder.pass(10_000)
  const before = new Map(symbols.map((symbol) => [symbol, recorder.track('ws', symbol).epoch?.epochId]))
  assert.ok([...before.values()].every((epochId) => epochId !== undefined))

  exchange.faults.inject({ fault: 'drop', feed: 'ws', symbol: 'btcusd', kind: 'depth' })
  recorder.pass(10_000)
  const changed = symbols.filter((symbol) => recorder.track('ws', symbol).epoch?.epochId !== before.get(symbol))
  assert.deepEqual(changed, ['btcusd'])
  assert.equal(recorder.records.filter((record) => record.kind === 'gap_opened').length, 1)
  assert.equal(recorder.records.filter((record) => record.kind === 'session_opened').length, 1)
  for (const symbol of symbols) {
    const track = recorder.track('ws', symbol)
    assert.equal(bookDigest(track.book), trueDigest(exchange, symbol, lastId(track)), symbol)
  }
})

test('a quiet day of ten minutes has no gap, and every book is the true one at every look', () => {
  const symbols = ['btcusd', 'ethusd', 'shibusd', 'btcgusdperp']
  const exchange = newExchange(symbols)
  const recorder = new VirtualRecorder(exchange, {})
  for (let minute = 0; minute < 10; minute++) {
    recorder.pass(60_000)
    for (const symbol of symbols) {
      for (const feed of ['v1', 'ws'] as const) {
        const track = recorder.track(feed, symbol)
        assert.equal(bookDigest(track.book), trueDigest(exchange, symbol, lastId(track)), `${feed} ${symbol}`)
      }
    }
  }
  assert.deepEqual(
    recorder.records.filter((record) => record.kind === 'gap_opened'),
    [],
  )
  const audits = recorder.records.filter((record) => record.kind === 'audit')
  assert.ok(audits.length > 0)
  assert.deepEqual(
    audits.filter((audit) => audit.result !== 'equal'),
    [],
  )
  assertTradesOnBothFeeds(recorder, exchange, symbols)
})

/** Every trade of the exchange since both feeds were live came on both, with the same content. */
function assertTradesOnBothFeeds(recorder: VirtualRecorder, exchange: Exchange, symbols: readonly string[]): void {
  for (const symbol of symbols) {
    const seen = { v1: new Map<bigint, string>(), ws: new Map<bigint, string>() }
    for (const record of recorder.records) {
      if (record.kind !== 'trade' || record.symbol !== symbol || record.source === 'rest') continue
      if (record.eventTimeNs < LISTENING_NS) continue
      seen[record.source].set(record.tradeId, `${record.price} ${record.quantity} ${record.takerSide}`)
    }
    const trades = exchange.truth.trades(symbol).filter((trade) => trade.eventTimeNs >= LISTENING_NS)
    const expected = new Map(trades.map((t) => [t.tradeId, `${t.price} ${t.quantity} ${t.takerSide}`]))
    assert.ok(expected.size > 0, symbol)
    assert.deepEqual(seen.v1, expected, `${symbol} on v1`)
    assert.deepEqual(seen.ws, expected, `${symbol} on ws`)
  }
}

/** One epoch more than gaps, each gap closed, ids half-open and growing. */
function assertLedger(records: readonly MarketRecord[], gaps: number, where: string): void {
  const opened = records.filter((record) => record.kind === 'gap_opened')
  const closed = records.filter((record) => record.kind === 'gap_closed')
  assert.equal(opened.length, gaps, `${where}: gaps opened`)
  assert.equal(closed.length, gaps, `${where}: gaps closed`)
  const hadBook = opened.filter((gap) => gap.fromId !== null).length // none before the first snapshot
  const epochs = records.filter((record) => record.kind === 'epoch_started').length
  assert.equal(epochs, 1 + hadBook, `${where}: a new epoch after each gap`)
  const keys = records.flatMap((record) =>
    record.kind === 'book_message' ? [`${record.epochId} ${record.messageSeq}`] : [],
  )
  assert.equal(new Set(keys).size, keys.length, `${where}: no row twice`)
  const updates = records.flatMap((record) =>
    record.kind === 'book_message' ? [`${record.epochId} ${record.lastUpdateId}`] : [],
  )
  assert.equal(new Set(updates).size, updates.length, `${where}: no update twice`)
}

/** Does a wrong to the k-th matching frame of the first connection, once; `seen` counts the matching ones. */
function wrongOnce(wrong: Wrong, k: number, matches: (frame: Frame) => boolean) {
  const counter = { seen: 0 }
  let held: Frame | null = null
  const intercept = (connection: number, frame: Frame): readonly Frame[] => {
    if (connection !== 1 || !matches(frame)) return [frame]
    counter.seen++
    if (counter.seen === k) {
      if (wrong === 'dropped') return []
      if (wrong === 'sent twice') return [frame, frame]
      held = frame
      return []
    }
    if (held === null) return [frame]
    const late = held
    held = null
    return [frame, late]
  }
  return { counter, intercept }
}

function newExchange(symbols: readonly string[]): Exchange {
  const specs = symbols.map((symbol): SymbolSpec => {
    const spec = presetOf(symbol)
    invariant(spec !== null, `the exchange has ${symbol}`)
    return spec
  })
  return new Exchange({ seed: 7, symbols: specs, startNs: START_NS })
}

function lastId(track: { lastUpdateId: bigint | null }): bigint {
  invariant(track.lastUpdateId !== null, 'the book is known')
  return track.lastUpdateId
}
