import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Exchange } from './exchange.ts'
import type { V1Connection, WsConnection } from './index.ts'
import { presetOf, SYMBOL_PRESETS, type SymbolSpec } from './symbols.ts'

const START_NS = 1_790_732_600_000_000_000n
const STEP_NS = 20_000_000n

/** The exchange with some of its presets, whose far levels are kept and whose depth is cut to keep comparing cheap. */
function exchangeOf(symbols: readonly string[], seed = 7, rate = 1, depth = 60): Exchange {
  const specs = symbols.map((symbol): SymbolSpec => {
    const spec = presetOf(symbol)
    assert.ok(spec !== null)
    return { ...spec, bids: Math.min(spec.bids, depth), asks: Math.min(spec.asks, depth) }
  })
  return new Exchange({ seed, symbols: specs, startNs: START_NS, rate })
}

function* instants(seconds: number): Generator<bigint> {
  for (let atNs = START_NS + STEP_NS; atNs <= START_NS + BigInt(seconds) * 1_000_000_000n; atNs += STEP_NS) yield atNs
}

function v1Of(exchange: Exchange, symbol: string, query = 'heartbeat=true'): V1Connection {
  const connection = exchange.connectV1(symbol, new URLSearchParams(query))
  assert.ok('takeFrames' in connection)
  return connection
}

function wsOf(exchange: Exchange, query = 'snapshot=-1'): WsConnection {
  const connection = exchange.connectWs(new URLSearchParams(query))
  assert.ok('takeFrames' in connection)
  return connection
}

function subscribe(connection: WsConnection, ...streams: string[]): void {
  connection.receive(JSON.stringify({ id: 1, method: 'subscribe', params: streams }))
}

/** Frames as values whose whole numbers stay exact: every one is text. */
function framesOf(connection: V1Connection | WsConnection): Message[] {
  return connection.takeFrames().map((frame) => {
    assert.equal(typeof frame, 'string')
    return JSON.parse(frame.toString().replace(/:(\d+)(?=[,}\]])/g, ':"$1"')) as Message
  })
}

type Message = Readonly<{
  e?: string
  id?: string
  E: string
  U: string
  u: string
  b: [string, string][]
  a: [string, string][]
  t?: string
  p: string
  q: string
  m: boolean
  type: string
  eventId: string
  socket_sequence: string
  timestampms?: string
  events: Element[]
}>
type Element = Readonly<
  Record<'type' | 'side' | 'price' | 'remaining' | 'delta' | 'reason' | 'tid' | 'amount' | 'makerSide', string>
>

/** A client written without a thought for speed, and without a line of the exchange's code. */
class NaiveBook {
  readonly sides = { bid: new Map<string, string>(), ask: new Map<string, string>() }
  unknownRemovals = 0
  repeats = 0

  clear(): void {
    this.sides.bid.clear()
    this.sides.ask.clear()
  }

  set(side: 'bid' | 'ask', price: string, quantity: string): void {
    const levels = this.sides[side]
    const key = trimmed(price)
    if (/^0(\.0*)?$/.test(quantity)) {
      if (!levels.delete(key)) this.unknownRemovals++
      return
    }
    if (levels.get(key) === trimmed(quantity)) this.repeats++
    levels.set(key, trimmed(quantity))
  }

  /** Levels as sorted text, so that the order of levels is another question. */
  text(): string {
    const lines = (side: 'bid' | 'ask'): string[] =>
      [...this.sides[side]].map(([price, quantity]) => `${side} ${price} ${quantity}`)
    return [...lines('bid'), ...lines('ask')].sort().join('\n')
  }
}

function trimmed(decimal: string): string {
  return decimal.includes('.') ? decimal.replace(/\.?0+$/, '') : decimal
}

function truthText(exchange: Exchange, symbol: string, updateId: bigint): string {
  const { bids, asks } = exchange.truth.bookAfter(symbol, updateId)
  const lines = (side: string, levels: typeof bids): string[] =>
    levels.map(([price, quantity]) => `${side} ${price} ${quantity}`)
  return [...lines('bid', bids), ...lines('ask', asks)].sort().join('\n')
}

test('the same seed and the same calls give the same frames, byte for byte; another seed gives others', () => {
  const run = (seed: number): string => {
    const exchange = exchangeOf(['btcusd', 'ethusd', 'btcgusdperp'], seed)
    const v1 = v1Of(exchange, 'BTCUSD')
    const ws = wsOf(exchange)
    subscribe(ws, 'ethusd@depth@100ms', 'ethusd@bookTicker', 'btcgusdperp@trade')
    exchange.advanceTo(START_NS + 20_000_000_000n)
    return [...v1.takeFrames(), ...ws.takeFrames()].join('\n')
  }
  const first = run(42)
  assert.ok(first.length > 100_000)
  assert.equal(run(42), first)
  assert.notEqual(run(43), first)
})

test('the size of the steps of time changes no frame', () => {
  const run = (steps: Iterable<bigint>): string => {
    const exchange = exchangeOf(['btcusd'])
    const ws = wsOf(exchange)
    subscribe(ws, 'btcusd@depth@100ms', 'btcusd@bookTicker')
    const frames: unknown[] = []
    for (const atNs of steps) {
      exchange.advanceTo(atNs)
      frames.push(...ws.takeFrames())
    }
    return frames.join('\n')
  }
  assert.equal(run([START_NS + 10_000_000_000n]), run(instants(10)))
})

for (const symbol of ['btcusd', 'shibusd', 'ethgusdperp', 'usdcusd']) {
  test(`${symbol} on v1: a naive client has the true book after every message, in an unbroken sequence`, () => {
    const exchange = exchangeOf([symbol], 11, 2)
    const connection = v1Of(exchange, symbol)
    const book = new NaiveBook()
    let expected = 0
    let compared = 0
    let beats = 0
    for (const atNs of instants(30)) {
      exchange.advanceTo(atNs)
      for (const message of framesOf(connection)) {
        assert.equal(message.socket_sequence, expected.toString())
        expected++
        if (message.type === 'heartbeat') {
          beats++
          continue
        }
        assert.equal(message.timestampms === undefined, message.socket_sequence === '0')
        for (const { type, side, price, remaining, delta, reason } of message.events) {
          if (type !== 'change') continue
          assert.equal(reason === 'initial', message.socket_sequence === '0')
          assert.equal(reason === 'initial' ? remaining : delta, delta)
          book.set(side === 'bid' ? 'bid' : 'ask', price, remaining)
        }
        assert.equal(book.text(), truthText(exchange, symbol, BigInt(message.eventId)))
        compared++
      }
    }
    assert.ok(compared > 20, `${compared} messages`)
    assert.equal(beats, 6) // at 1.7 s, then every 5 s
    assert.equal(book.unknownRemovals, 0)
  })

  test(`${symbol} on ws: a naive client has the true book after every update, in an overlapping chain`, () => {
    const exchange = exchangeOf([symbol], 11, 2)
    exchange.advanceTo(START_NS + 5_000_000_000n)
    const connection = wsOf(exchange)
    subscribe(connection, `${symbol}@depth@100ms`)
    const book = new NaiveBook()
    let last: bigint | null = null
    let stale = 0
    let compared = 0
    for (const atNs of instants(35)) {
      exchange.advanceTo(atNs)
      for (const message of framesOf(connection)) {
        if (message.e !== 'depthUpdate') continue
        const [first, until] = [BigInt(message.U), BigInt(message.u)]
        if (last === null) {
          assert.equal(first, until, 'a snapshot covers one id')
          book.clear()
        } else if (until <= last) {
          stale++
          continue
        } else {
          assert.equal(first, last, 'an update starts where the one before ended')
        }
        last = until
        for (const [price, quantity] of message.b) book.set('bid', price, quantity)
        for (const [price, quantity] of message.a) book.set('ask', price, quantity)
        assert.equal(book.text(), truthText(exchange, symbol, until))
        compared++
      }
    }
    assert.equal(stale, 1, 'the window open at the snapshot comes after it')
    assert.ok(compared > 10, `${compared} updates`)
  })
}

test('a second client in the middle of a window gets the same chain, and disturbs nobody', () => {
  const exchange = exchangeOf(['btcusd'], 5, 5)
  const first = wsOf(exchange)
  subscribe(first, 'btcusd@depth@100ms')
  exchange.advanceTo(START_NS + 3_050_000_000n)
  const second = wsOf(exchange)
  subscribe(second, 'btcusd@depth@100ms')
  exchange.advanceTo(START_NS + 6_000_000_000n)
  for (const connection of [first, second]) {
    const updates = framesOf(connection).filter((message) => message.e === 'depthUpdate')
    for (const [index, update] of updates.entries()) {
      const before = updates[index - 1]
      if (before === undefined || BigInt(update.u) <= BigInt(before.u)) continue
      assert.equal(update.U, before.u)
    }
  }
})

test('gathered changes show the quirks of the wire: removals of unknown levels, repeats, updates out of order', () => {
  const exchange = exchangeOf(['btcusd', 'ethusd'], 3, 1)
  const connection = wsOf(exchange)
  subscribe(connection, 'btcusd@depth@100ms')
  const book = new NaiveBook()
  let removals = 0
  let levels = 0
  let unsorted = 0
  exchange.advanceTo(START_NS + 120_000_000_000n)
  const updates = framesOf(connection).filter((message) => message.e === 'depthUpdate')
  for (const update of updates.slice(2)) {
    const bids = update.b.map(([price]) => Number.parseFloat(price))
    if (bids.some((price, index) => price > (bids[index - 1] ?? Number.POSITIVE_INFINITY))) unsorted++
  }
  for (const { a, b } of updates) {
    for (const [price, quantity] of b) book.set('bid', price, quantity)
    for (const [price, quantity] of a) book.set('ask', price, quantity)
    removals += [...a, ...b].filter(([, quantity]) => /^0\.0*$/.test(quantity)).length
    levels += a.length + b.length
  }
  const unknownShare = book.unknownRemovals / removals
  assert.ok(unknownShare > 0.02 && unknownShare < 0.35, `${unknownShare} of the removals are of unknown levels`)
  assert.ok(book.repeats > 0 && book.repeats < levels / 5, `${book.repeats} repeats in ${levels} levels`)
  assert.ok(unsorted > updates.length / 10, `${unsorted} of ${updates.length} are not sorted`)
})

test('changes are of the measured kind: 40 % new levels, 40 % removals, near the top', () => {
  const exchange = exchangeOf(['btcusd'], 9, 1, 400)
  const connection = v1Of(exchange, 'btcusd', '')
  exchange.advanceTo(START_NS + 120_000_000_000n)
  const book = new NaiveBook()
  const counts = { placed: 0, removed: 0, resized: 0 }
  const ranks: number[] = []
  for (const message of framesOf(connection)) {
    for (const { type, side, price, remaining, reason } of message.events) {
      if (type !== 'change') continue
      const own = side === 'bid' ? 'bid' : 'ask'
      if (reason === 'place' || reason === 'cancel') {
        const isKnown = book.sides[own].has(price)
        counts[remaining === '0' ? 'removed' : isKnown ? 'resized' : 'placed']++
        const value = Number.parseFloat(price)
        const better = [...book.sides[own].keys()].map((key) => Number.parseFloat(key))
        ranks.push(better.filter((other) => (own === 'bid' ? other > value : other < value)).length)
      }
      book.set(own, price, remaining)
    }
  }
  ranks.sort((a, b) => a - b)
  const rankAt = (share: number): number => ranks[Math.floor(share * ranks.length)] ?? -1
  const total = counts.placed + counts.removed + counts.resized
  const between = (value: number, least: number, most: number, what: string): void =>
    assert.ok(value >= least && value <= most, `${what} is ${value}, not in ${least} to ${most}`)
  between(counts.placed / total, 0.33, 0.47, 'the share of new levels')
  between(counts.removed / total, 0.33, 0.47, 'the share of removals')
  between(rankAt(0.5), 2, 5, 'the median rank')
  between(rankAt(0.99), 16, 45, 'the 99th percentile of ranks')
})

test('every trade is the same on v1, on ws, in REST and in truth', () => {
  const exchange = exchangeOf(['ethusd'], 21, 10)
  const v1 = v1Of(exchange, 'ethusd')
  const ws = wsOf(exchange)
  subscribe(ws, 'ethusd@trade')
  exchange.advanceTo(START_NS + 60_000_000_000n)
  const expected = exchange.truth
    .trades('ethusd')
    .map(
      ({ tradeId, eventTimeNs, price, quantity, takerSide }) =>
        `${tradeId} ${eventTimeNs / 1_000_000n} ${price} ${quantity} ${takerSide}`,
    )
  assert.ok(expected.length > 100, `${expected.length} trades`)

  const onV1 = framesOf(v1).flatMap((message) =>
    (message.events ?? []).flatMap((element, index, events) => {
      if (element.type !== 'trade') return []
      const change = events[index + 1]
      assert.equal(change?.reason, 'trade', 'a trade stands before its change')
      assert.equal(change?.price, element.price)
      const takerSide = element.makerSide === 'ask' ? 'buy' : 'sell'
      return [`${element.tid} ${message.timestampms} ${element.price} ${element.amount} ${takerSide}`]
    }),
  )
  const onWs = framesOf(ws).flatMap(({ id, t, E, p, q, m }) =>
    id === undefined ? [`${t} ${BigInt(E) / 1_000_000n} ${trimmed(p)} ${trimmed(q)} ${m ? 'sell' : 'buy'}`] : [],
  )
  const inRest: string[] = []
  for (let cursor = '0'; ; ) {
    const { body } = exchange.rest(
      'GET',
      '/v1/trades/ethusd',
      new URLSearchParams({ since_tid: cursor, limit_trades: '100' }),
    )
    const page = JSON.parse(body.replace(/:(\d+)(?=[,}])/g, ':"$1"')) as Record<string, string>[]
    inRest.push(
      ...page
        .reverse()
        .map((row) => `${row['tid']} ${row['timestampms']} ${row['price']} ${row['amount']} ${row['type']}`),
    )
    if (page.length < 100) break
    cursor = page.at(-1)?.['tid'] ?? ''
  }
  assert.deepEqual(onV1, expected)
  assert.deepEqual(onWs, expected)
  assert.deepEqual(inRest, expected)
})

test('bookTicker: every change of the top, equal to the true book of its id', () => {
  const exchange = exchangeOf(['btcgusdperp'], 2, 3)
  const connection = wsOf(exchange)
  subscribe(connection, 'btcgusdperp@bookTicker')
  exchange.advanceTo(START_NS + 60_000_000_000n)
  const tickers = connection.takeFrames().filter((frame) => frame.toString().includes('"B":'))
  assert.ok(tickers.length > 100, `${tickers.length} tickers`)
  for (const frame of tickers) {
    const ticker = JSON.parse(frame.toString()) as Record<string, string>
    const updateId = /"u":(\d+)/.exec(frame.toString())?.[1] ?? ''
    const { bids, asks } = exchange.truth.bookAfter('btcgusdperp', BigInt(updateId))
    const top = ['b', 'B', 'a', 'A'].map((key) => trimmed(ticker[key] ?? ''))
    assert.deepEqual(top, [...(bids[0] ?? []), ...(asks[0] ?? [])])
  }
  assert.match(tickers.at(-1)?.toString() ?? '', /"c":"\d+\.\d{3}","C":"\d+\.\d{4}"\}$/)
})

test('decimals: padded to the digits of the symbol on ws, trimmed on v1, the absurd orders exact', () => {
  const exchange = new Exchange({ seed: 1, symbols: SYMBOL_PRESETS, startNs: START_NS })
  const connection = wsOf(exchange)
  subscribe(connection, 'btcusd@depth@100ms')
  const [snapshot] = connection.takeFrames()
  const text = snapshot?.toString() ?? ''
  assert.ok(text.includes('["0.01000","3466319.4815962300"]],"a":['), 'the lowest bid is last')
  assert.ok(text.includes('["12345678912.34000","0.0001000100"]'))
  assert.ok(text.endsWith('["9000000000000.00000","0.0010000100"]]}'), 'the highest ask is last')
  const levels = text.match(/\["[^"]*","[^"]*"\]/g) ?? []
  assert.deepEqual(
    levels.filter((level) => !/^\["\d+\.\d{5}","\d+\.\d{10}"\]$/.test(level)),
    [],
  )
  const { bids, asks } = exchange.truth.bookAfter('btcusd', exchange.truth.lastUpdateId('btcusd'))
  assert.ok(bids.length > 2_400 && bids.length < 2_600, `${bids.length} bids`)
  assert.ok(asks.length > 2_000 && asks.length < 2_200, `${asks.length} asks`)

  const shib = v1Of(exchange, 'SHIBUSD').takeFrames()[0]?.toString() ?? ''
  assert.match(
    shib,
    /^\{"eventId":\d+,"events":\[\{"delta":"4105123935484\.817624","price":"0\.000000001","reason":"initial","remaining":"4105123935484\.817624","side":"bid","type":"change"\},/,
  )
})

for (const [query, sides, trades] of [
  ['', ['bid', 'ask'], true],
  ['bids=true', ['bid'], false],
  ['bids=true&offers=true&trades=true', ['bid', 'ask'], true],
  ['offers=true&trades=false', ['ask'], false],
  ['trades=true', [], true],
  ['bids=false', [], false],
] as const) {
  test(`v1 with "${query}" sends ${sides.join(' and ') || 'no changes'}${trades ? ' and trades' : ''}`, () => {
    const exchange = exchangeOf(['ethusd'], 4, 20)
    const connection = v1Of(exchange, 'ethusd', query)
    exchange.advanceTo(START_NS + 20_000_000_000n)
    const elements = framesOf(connection).flatMap((message) => message.events)
    const seen = new Set(elements.map(({ type, side }) => (type === 'change' ? side : type)))
    assert.deepEqual([...seen].sort(), [...sides, ...(trades ? ['trade'] : [])].sort())
  })
}

test('v1 top_of_book: one best level a side, then each new best without delta, and trades alone', () => {
  const exchange = exchangeOf(['ethusd'], 4, 5)
  const connection = v1Of(exchange, 'ethusd', 'top_of_book=true')
  exchange.advanceTo(START_NS + 30_000_000_000n)
  const [initial, ...updates] = framesOf(connection)
  assert.deepEqual(
    initial?.events.map(({ side, reason }) => `${side} ${reason}`),
    ['bid initial', 'ask initial'],
  )
  for (const { events } of updates) {
    const kinds = events.map(({ type, reason, delta }) => (type === 'trade' ? 'trade' : `${reason} ${delta}`))
    assert.ok(kinds.every((kind) => kind === 'trade') || kinds.join() === 'top-of-book undefined', kinds.join())
  }
})

test('an idle book sends nothing, and partial depth streams repeat it', () => {
  const exchange = exchangeOf(['btcusd'])
  const connection = wsOf(exchange)
  exchange.faults.inject({ fault: 'empty_book', symbol: 'btcusd', side: 'ask' })
  subscribe(connection, 'btcusd@depth@100ms', 'btcusd@bookTicker')
  exchange.advanceTo(START_NS + 1_000_000_000n)
  connection.takeFrames()
  exchange.advanceTo(START_NS + 60_000_000_000n)
  assert.deepEqual(connection.takeFrames(), [])
  subscribe(connection, 'btcusd@depth5')
  exchange.advanceTo(START_NS + 62_000_000_000n)
  const [answer, ...frames] = connection.takeFrames()
  assert.equal(answer, '{"id":1,"status":200}')
  assert.equal(frames.length, 2)
  assert.equal(frames[0], frames[1])
  assert.match(
    frames[0]?.toString() ?? '',
    /^\{"lastUpdateId":\d+,"symbol":"btcusd","bids":\[(\["[\d.]+","[\d.]+"\],?){5}\],"asks":\[\]\}$/,
  )
})

test('symbols share counters: the ids of one jump, and the events of all have growing times', () => {
  const exchange = exchangeOf(['btcusd', 'ethusd', 'btcgusdperp'], 1, 3)
  exchange.advanceTo(START_NS + 10_000_000_000n)
  const seen = new Set<bigint>()
  for (const symbol of ['btcusd', 'ethusd']) {
    const ids = exchange.truth.updateIds(symbol)
    assert.ok(ids.length > 300, `${ids.length} updates`)
    assert.ok((ids[0] ?? 0n) > 1_764_559_652_998_238n)
    for (const id of ids) {
      assert.ok(!seen.has(id), `${id} belongs to one symbol`)
      seen.add(id)
    }
  }
  assert.ok((exchange.truth.updateIds('btcgusdperp')[0] ?? 0n) < 1_764_529_000_000_000n)
  let beforeNs = 0n
  let beforeId = 0n
  for (const { updateId, eventTimeNs } of exchange.truth.changes(
    'btcusd',
    exchange.truth.updateIds('btcusd')[0] ?? 0n,
    exchange.truth.lastUpdateId('btcusd'),
  )) {
    assert.ok(updateId === beforeId ? eventTimeNs === beforeNs : eventTimeNs > beforeNs)
    ;[beforeNs, beforeId] = [eventTimeNs, updateId]
  }
})
