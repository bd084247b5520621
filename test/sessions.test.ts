import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deserialize, serialize } from 'node:v8'
import { bookDigest } from '@booktape/book'
import { Exchange, type FaultRequest, type Frame, presetOf, type SymbolSpec } from '@booktape/exchange'
import { invariant, type MarketRecord } from '@booktape/market'
import { trueDigest, VirtualRecorder } from './virtual-recorder.ts'

const START_NS = 1_790_732_600_000_000_000n
const PERP = 'btcgusdperp'

test('a connection that falls half-open is found within 15 s on the new API and within 12 s on v1', () => {
  for (const [feed, withinMs] of [
    ['ws', 15_000],
    ['v1', 12_000],
  ] as const) {
    const { exchange, recorder } = recording([PERP], feed)
    recorder.pass(20_000)
    inject(exchange, { fault: 'half_open', feed })
    assert.ok(
      recorder.pass(withinMs, () => opened(recorder.records).length > 0),
      feed,
    )
    assert.deepEqual(causes(recorder.records), feed === 'ws' ? ['book liveness', 'trades liveness'] : ['book liveness'])
    recorder.pass(90_000)
    assertRight(recorder, exchange, feed, PERP)
  }
})

test('a quiet book on a healthy connection is never hung up', () => {
  for (const feed of ['ws', 'v1'] as const) {
    const { exchange, recorder } = recording([PERP], feed)
    recorder.pass(5_000)
    inject(exchange, { fault: 'empty_book', symbol: PERP }) // nothing trades and nothing is quoted from here on
    recorder.pass(600_000)
    assert.deepEqual(
      recorder.records.filter((record) => record.kind === 'session_closed'),
      [],
      feed,
    )
    assert.deepEqual(opened(recorder.records), [], feed)
  }
})

test('a symbol that the venue refuses is parked, told once a try, and asked again, while the others are live', () => {
  const { exchange, recorder } = recording([PERP, 'btcusd'], 'ws', [
    { fault: 'refuse_subscribe', symbol: 'btcusd', times: 2 },
  ])
  recorder.pass(10_000)
  assert.notEqual(recorder.track('ws', PERP).epoch, null)
  assert.equal(recorder.track('ws', 'btcusd').epoch, null)
  recorder.pass(200_000)
  assert.notEqual(recorder.track('ws', 'btcusd').epoch, null)
  assert.equal(recorder.observations.filter((seen) => seen.kind === 'parked').length, 2)
  assert.deepEqual(causes(recorder.records), ['book refused', 'trades refused'])
  assert.deepEqual(stillOpen(recorder.records), [])
  assertRight(recorder, exchange, 'ws', 'btcusd')
})

test('a subscription that dies quietly is found by the list within a minute', () => {
  const { exchange, recorder } = recording([PERP, 'btcusd'], 'ws')
  recorder.pass(10_000)
  const connection = exchange.connections[0]
  invariant(connection !== undefined, 'the recorder is connected')
  connection.receive(`{"id":"stranger","method":"unsubscribe","params":["${PERP}@depth@100ms"]}`)
  const before = recorder.track('ws', PERP).epoch?.epochId
  assert.ok(recorder.pass(61_000, () => recorder.track('ws', PERP).epoch?.epochId !== before))
  recorder.pass(5_000)
  assert.deepEqual(causes(recorder.records), ['book subscription_lost'])
  assertRight(recorder, exchange, 'ws', PERP)
})

test('a reconnect at the very id leaves no gap row on the new API: nothing was missed', () => {
  const { exchange, recorder } = recording([PERP], 'ws')
  recorder.pass(5_000)
  inject(exchange, { fault: 'empty_book', symbol: PERP })
  recorder.pass(1_000)
  inject(exchange, { fault: 'close', feed: 'ws', code: 1006 })
  recorder.pass(20_000)
  const withdrawn = recorder.records.flatMap((record) => (record.kind === 'gap_withdrawn' ? [record.gapId] : []))
  assert.deepEqual(
    withdrawn,
    opened(recorder.records).map((gap) => gap.gapId),
  )
  assert.equal(withdrawn.length, 2) // book and trades
  assert.equal(recorder.records.filter((record) => record.kind === 'epoch_started').length, 2)
})

test('a killed process discloses what it missed, from the last message it had written down', () => {
  for (const feed of ['ws', 'v1'] as const) {
    const { exchange, recorder } = recording([PERP], feed)
    recorder.pass(20_000)
    const last = recorder.track(feed, PERP).lastUpdateId
    recorder.kill()
    recorder.beAway(30_000)
    recorder.start({ feeds: [feed], runId: 'second run' })
    recorder.pass(90_000)
    const gaps = opened(recorder.records).filter((gap) => gap.stream === 'book')
    assert.deepEqual(
      gaps.map(({ cause, fromId }) => [cause, fromId]),
      [['restart', last]],
    )
    assert.deepEqual(stillOpen(recorder.records), [])
    assertRight(recorder, exchange, feed, PERP)
  }
})

test('a refused upgrade opens one gap, waits as told, and is dialed ever more rarely', () => {
  const { exchange, recorder } = recording([PERP], 'ws', [
    { fault: 'refuse_upgrade', feed: 'ws', status: 429, retryAfterS: 30, times: 3 },
  ])
  recorder.pass(29_000)
  assert.equal(connects(recorder, 'refused'), 1) // Retry-After is obeyed
  recorder.pass(120_000)
  assert.equal(connects(recorder, 'refused'), 3)
  assert.deepEqual(causes(recorder.records), ['book connect', 'trades connect'])
  assert.deepEqual(stillOpen(recorder.records), [])
  assertRight(recorder, exchange, 'ws', PERP)
})

for (const [feed, inFirstMinutes, gaps] of [
  ['v1', 15, ['book connect']],
  ['ws', 60, ['book connect', 'trades connect']],
] as const) {
  test(`${feed}: three hours of maintenance are one open gap a stream, dialed at most once a minute after the first minutes`, () => {
    const { exchange, recorder } = recording([PERP], feed, [
      { fault: 'refuse_upgrade', feed, status: 503, times: 1_000_000 },
    ])
    recorder.pass(360_000)
    const first = connects(recorder, 'refused')
    assert.ok(first <= inFirstMinutes, `${first} dials in six minutes`)
    recorder.pass(3_600_000 * 3 - 360_000)
    assert.deepEqual(causes(recorder.records), gaps)
    const dials = connects(recorder, 'refused') - first
    assert.ok(dials <= 3 * 60 - 5, `${dials} dials`)
    assert.ok(dials >= 3 * 60 * 0.4, `${dials} dials`)
    exchange.faults.clear()
    recorder.pass(120_000)
    assert.deepEqual(stillOpen(recorder.records), [])
  })
}

for (const [feed, fault, gaps] of [
  ['ws', { fault: 'malformed', kind: 'depth', symbol: PERP }, ['book malformed', 'trades malformed']],
  ['ws', { fault: 'binary', kind: 'depth', symbol: PERP }, ['book malformed', 'trades malformed']],
  ['ws', { fault: 'unknown_type', kind: 'depth', symbol: PERP }, []],
  ['ws', { fault: 'unknown_symbol', kind: 'depth', symbol: PERP }, []],
  ['v1', { fault: 'malformed', kind: 'update', symbol: PERP }, ['book malformed']],
  ['v1', { fault: 'binary', kind: 'update', symbol: PERP }, ['book malformed']],
  ['v1', { fault: 'unknown_type', kind: 'update', symbol: PERP }, []],
] as const) {
  test(`${feed}: a message made ${fault.fault} leaves ${gaps.length === 0 ? 'no gap' : gaps.join(' and ')}, and the book is right`, () => {
    const { exchange, recorder } = recording([PERP], feed)
    recorder.pass(10_000)
    inject(exchange, { feed, ...fault })
    recorder.pass(90_000)
    assert.deepEqual(causes(recorder.records), gaps)
    assert.deepEqual(stillOpen(recorder.records), [])
    const kept = recorder.records.filter((record) => record.kind === 'quarantine').length
    assert.equal(kept, fault.fault === 'unknown_symbol' ? 0 : 1)
    assertRight(recorder, exchange, feed, PERP)
  })
}

for (const fault of ['omit_snapshot', 'late_snapshot', 'duplicate_snapshot'] as const) {
  test(`ws: a snapshot made ${fault} never gives a wrong book`, () => {
    const exchange = newExchange([PERP])
    inject(exchange, { fault, feed: 'ws', ...(fault === 'late_snapshot' ? { delayMs: 3_000 } : {}) })
    const recorder = new VirtualRecorder(exchange, { feeds: ['ws'] })
    for (let second = 0; second < 40; second++) {
      recorder.pass(1_000)
      const track = recorder.track('ws', PERP)
      if (track.epoch !== null) assertRight(recorder, exchange, 'ws', PERP)
    }
    assert.notEqual(recorder.track('ws', PERP).epoch, null)
    assert.deepEqual(stillOpen(recorder.records), [])
  })
}

test('v1: the same symbol is dialed at most twice in any minute', () => {
  const exchange = newExchange([PERP])
  let seen = 0
  const everyTenth = (_: number, frame: Frame): Frame[] => (++seen % 10 === 0 ? [] : [frame])
  const recorder = new VirtualRecorder(exchange, { feeds: ['v1'] }, everyTenth)
  recorder.pass(1_800_000)
  const dials = recorder.records.flatMap((record) => (record.kind === 'session_opened' ? [record.receivedTimeNs] : []))
  assert.ok(dials.length > 10, `${dials.length} dials`)
  for (const [i, at] of dials.entries()) {
    const third = dials[i + 2]
    assert.ok(third === undefined || third - at >= 60_000_000_000n, `dial ${i + 2}`)
  }
})

test('the same events give the same records, also through a checkpoint in the middle', () => {
  const straight = recording([PERP, 'btcusd'], null)
  const resumed = recording([PERP, 'btcusd'], null)
  for (const { recorder } of [straight, resumed]) recorder.pass(15_000)
  const copy: unknown = deserialize(serialize(resumed.recorder.state))
  Object.assign(resumed.recorder.state, copy)
  for (const { exchange, recorder } of [straight, resumed]) {
    inject(exchange, { fault: 'drop', feed: 'ws', kind: 'depth' })
    inject(exchange, { fault: 'drop', feed: 'v1', kind: 'update' })
    recorder.pass(90_000)
  }
  assert.deepEqual(resumed.recorder.records, straight.recorder.records)
  assert.ok(straight.recorder.records.length > 1_000)
})

for (const [feed, marker, lie] of [
  ['ws', '"b":[', '"b":[["70000.00000","1.5000000000"],'],
  [
    'v1',
    '"events":[',
    '"events":[{"delta":"1.5","price":"70000","reason":"place","remaining":"1.5","side":"bid","type":"change"},',
  ],
] as const) {
  test(`${feed}: a level that was silently wrong is found within 5 minutes, and the gap begins at the last good look`, () => {
    const exchange = newExchange(['btcusd'])
    let isLying = false
    let told = 0
    const liar = (_: number, frame: Frame): Frame[] => {
      if (!isLying || told > 0 || typeof frame !== 'string' || !frame.includes(marker)) return [frame]
      const lied = frame.replace(marker, lie).replace('1.5000000000"],]', '1.5000000000"]]')
      told++
      return [lied]
    }
    const recorder = new VirtualRecorder(exchange, {}, liar)
    recorder.pass(400_000)
    assert.deepEqual(opened(recorder.records), [])
    isLying = true
    assert.ok(
      recorder.pass(300_000, () => opened(recorder.records).length > 0),
      'found',
    )
    assert.equal(told, 1)
    const [gap] = opened(recorder.records)
    assert.deepEqual([gap?.feed, gap?.stream, gap?.cause], [feed, 'book', 'divergence'])
    const method = feed === 'ws' ? 'depth' : 'cross_feed'
    const looks = recorder.records.flatMap((r) =>
      r.kind === 'audit' && r.feed === feed && r.method === method ? [r] : [],
    )
    const good = looks.filter((look) => look.result === 'equal').at(-1)
    assert.deepEqual([gap?.receivedTimeNs, gap?.fromId], [good?.receivedTimeNs, good?.updateId])
    recorder.pass(130_000)
    assert.deepEqual(stillOpen(recorder.records), [])
    assert.deepEqual(causes(recorder.records), ['book divergence'])
    assertRight(recorder, exchange, 'ws', 'btcusd')
    assertRight(recorder, exchange, 'v1', 'btcusd')
  })
}

test('every whole book is compared with the venue\u2019s, again and again, and v1 with the new API', () => {
  const symbols = ['btcusd', 'ethusd', PERP]
  const { recorder } = recording(symbols, null)
  recorder.pass(900_000)
  for (const symbol of symbols) {
    for (const [feed, method] of [
      ['ws', 'depth'],
      ['v1', 'cross_feed'],
    ] as const) {
      const audits = recorder.records.filter(
        (r) => r.kind === 'audit' && r.symbol === symbol && r.feed === feed && r.method === method,
      )
      assert.ok(audits.length >= 3, `${symbol} ${method}: ${audits.length}`)
      assert.ok(
        audits.every((audit) => audit.kind === 'audit' && audit.result === 'equal' && audit.levelsCompared > 20),
      )
    }
  }
  assert.deepEqual(causes(recorder.records), [])
})

for (const [name, outage] of [
  ['a cut connection', (exchange: Exchange) => inject(exchange, { fault: 'close', feed: 'ws', code: 1006 })],
  [
    'a message that could not be read',
    (exchange: Exchange) => inject(exchange, { fault: 'malformed', feed: 'ws', kind: 'trade', symbol: 'btcusd' }),
  ],
  [
    'a minute of refusals',
    (exchange: Exchange) => {
      inject(exchange, { fault: 'refuse_upgrade', feed: 'ws', status: 503, times: 6 })
      inject(exchange, { fault: 'close', feed: 'ws', code: 1001 })
    },
  ],
] as const) {
  test(`the trades that ${name} cost are read from REST, and the gap is filled`, () => {
    const { exchange, recorder } = recording(['btcusd', 'ethusd'], 'ws')
    recorder.pass(60_000)
    outage(exchange)
    recorder.pass(240_000)
    const settled = recorder.records.flatMap((r) => (r.kind === 'gap_settled' ? [`${r.gapId} ${r.state}`] : []))
    const gaps = opened(recorder.records)
      .filter((gap) => gap.stream === 'trades')
      .map((gap) => `${gap.gapId} filled`)
    assert.ok(gaps.length > 0)
    assert.deepEqual(settled.sort(), gaps.sort())
    for (const symbol of ['btcusd', 'ethusd']) assertAllTrades(recorder, exchange, symbol)
    assert.ok(recorder.records.some((record) => record.kind === 'trade' && record.source === 'rest'))
  })
}

test('trades that were lost without a trace are found by the clock, and a trade broken later is marked', () => {
  const { exchange, recorder } = recording(['btcusd'], 'ws')
  recorder.pass(60_000)
  inject(exchange, { fault: 'drop', feed: 'ws', kind: 'trade', symbol: 'btcusd', times: 5 })
  recorder.pass(60_000)
  inject(exchange, { fault: 'break_trade', symbol: 'btcusd' })
  const [broken] = exchange.truth.brokenTradeIds('btcusd')
  assert.ok(broken !== undefined)
  recorder.pass(1_300_000)
  assertAllTrades(recorder, exchange, 'btcusd')
  assert.deepEqual(opened(recorder.records), [])
  const marked = recorder.records.filter((record) => record.kind === 'trade' && record.broken)
  assert.deepEqual([...new Set(marked.map((record) => record.kind === 'trade' && record.tradeId))], [broken])
})

/** Every trade from the third second on: by then every subscription stands. */
function assertAllTrades(recorder: VirtualRecorder, exchange: Exchange, symbol: string): void {
  const stored = new Map<bigint, string>()
  for (const record of recorder.records) {
    if (record.kind !== 'trade' || record.symbol !== symbol || stored.has(record.tradeId)) continue
    stored.set(record.tradeId, `${record.price} ${record.quantity} ${record.takerSide}`)
  }
  const made = exchange.truth.trades(symbol).filter((trade) => trade.eventTimeNs > START_NS + 2_000_000_000n)
  assert.ok(made.length > 10)
  for (const trade of made)
    assert.equal(stored.get(trade.tradeId), `${trade.price} ${trade.quantity} ${trade.takerSide}`)
}

function recording(symbols: readonly string[], feed: 'v1' | 'ws' | null, faults: readonly FaultRequest[] = []) {
  const exchange = newExchange(symbols)
  for (const fault of faults) inject(exchange, fault)
  const recorder = new VirtualRecorder(exchange, feed === null ? {} : { feeds: [feed] })
  return { exchange, recorder }
}

function newExchange(symbols: readonly string[]): Exchange {
  const specs = symbols.map((symbol): SymbolSpec => {
    const spec = presetOf(symbol)
    invariant(spec !== null, `the exchange has ${symbol}`)
    return spec
  })
  return new Exchange({ seed: 11, symbols: specs, startNs: START_NS })
}

function inject(exchange: Exchange, fault: FaultRequest): void {
  const injected = exchange.faults.inject(fault)
  if (typeof injected === 'string') assert.fail(injected)
}

function assertRight(recorder: VirtualRecorder, exchange: Exchange, feed: 'v1' | 'ws', symbol: string): void {
  const { epoch, book, lastUpdateId } = recorder.track(feed, symbol)
  assert.ok(epoch !== null && lastUpdateId !== null, `${feed} ${symbol} is live`)
  assert.equal(bookDigest(book), trueDigest(exchange, symbol, lastUpdateId), `${feed} ${symbol} is right`)
}

type GapOpened = Extract<MarketRecord, { kind: 'gap_opened' }>

const opened = (records: readonly MarketRecord[]): GapOpened[] =>
  records.filter((record) => record.kind === 'gap_opened')

const causes = (records: readonly MarketRecord[]): string[] =>
  opened(records).map((gap) => `${gap.stream} ${gap.cause}`)

function stillOpen(records: readonly MarketRecord[]): string[] {
  const ended = new Set(
    records.flatMap((r) => (r.kind === 'gap_closed' || r.kind === 'gap_withdrawn' ? [r.gapId] : [])),
  )
  return opened(records)
    .filter((gap) => !ended.has(gap.gapId))
    .map((gap) => `${gap.feed} ${gap.stream} ${gap.cause}`)
}

const connects = (recorder: VirtualRecorder, result: string): number =>
  recorder.observations.filter((seen) => seen.kind === 'connect' && seen.result === result).length
