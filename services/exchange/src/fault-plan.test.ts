import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Frame, V1Connection, WsConnection } from '@booktape/venue'
import { Exchange } from './exchange.ts'
import { FAULT_NAMES, type FaultRequest, readFaultRequest } from './faults.ts'
import { presetOf } from './symbols.ts'

const START_NS = 1_790_732_600_000_000_000n
const SUBSCRIBE =
  '{"id":1,"method":"subscribe","params":["ethgusdperp@depth@100ms","ethgusdperp@trade","ethgusdperp@bookTicker"]}'

type Scene = Readonly<{ exchange: Exchange; ws: WsConnection; v1: V1Connection }>

/** The same exchange every time: what differs between two scenes is the fault. */
function scene(before: readonly FaultRequest[] = []): Scene {
  const symbols = ['ethgusdperp', 'avaxgusdperp'].map((symbol) => presetOf(symbol)).filter((spec) => spec !== null)
  const exchange = new Exchange({ seed: 8, symbols, startNs: START_NS, rate: 3 })
  for (const request of before) assert.equal(typeof exchange.faults.inject(request), 'object')
  const ws = exchange.connectWs(new URLSearchParams('snapshot=-1'))
  const v1 = exchange.connectV1('ethgusdperp', new URLSearchParams('heartbeat=true'))
  assert.ok('receive' in ws && 'receive' in v1)
  return { exchange, ws, v1 }
}

function after(exchange: Exchange, ms: number): void {
  exchange.advanceTo(exchange.nowNs + BigInt(ms) * 1_000_000n)
}

/** What a subscribed client gets in ten seconds, with the faults armed before or after it subscribed. */
function frames(feed: 'ws' | 'v1', before: readonly FaultRequest[], later: readonly FaultRequest[] = []): Frame[] {
  const { exchange, ws, v1 } = scene(before)
  ws.receive(SUBSCRIBE)
  for (const request of later) assert.equal(typeof exchange.faults.inject(request), 'object')
  after(exchange, 10_000)
  return feed === 'ws' ? ws.takeFrames() : v1.takeFrames()
}

const isDepth = (frame: Frame): boolean => frame.toString().startsWith('{"e":"depthUpdate"')
const cleanWs = frames('ws', [])
const cleanV1 = frames('v1', [])
const depthsWithoutSnapshot = cleanWs.filter(isDepth).slice(1)

test('the clean run has every kind of frame', () => {
  assert.ok(depthsWithoutSnapshot.length > 20, `${depthsWithoutSnapshot.length} updates`)
  const has = (some: readonly Frame[], part: string): boolean => some.some((frame) => frame.toString().includes(part))
  assert.ok(has(cleanWs, '"t":') && has(cleanWs, '"B":') && has(cleanWs, '"status":200'))
  assert.ok(has(cleanV1, '"type":"heartbeat"') && has(cleanV1, '"reason":"trade"'))
})

test('drop: the third depth update is missing, and nothing else', () => {
  const third = depthsWithoutSnapshot[2]
  const got = frames('ws', [{ fault: 'drop', feed: 'ws', kind: 'depth', nth: 3 }])
  assert.deepEqual(
    got,
    cleanWs.filter((frame) => frame !== third),
  )
})

test('drop with times: two v1 frames in a row are missing', () => {
  const got = frames('v1', [{ fault: 'drop', kind: 'v1', nth: 5, times: 2 }])
  assert.deepEqual(got, [...cleanV1.slice(0, 4), ...cleanV1.slice(6)])
})

test('drop of any frame counts them all', () => {
  assert.deepEqual(frames('ws', [{ fault: 'drop', feed: 'ws', nth: 2 }]), [cleanWs[0], ...cleanWs.slice(2)])
})

test('duplicate: a ticker comes twice', () => {
  const index = cleanWs.findIndex((frame) => frame.toString().includes('"B":'))
  const got = frames('ws', [{ fault: 'duplicate', kind: 'ticker' }])
  assert.deepEqual(got, [...cleanWs.slice(0, index + 1), ...cleanWs.slice(index)])
})

test('swap: a v1 frame changes places with the next one', () => {
  const [a, b, c, d] = cleanV1
  assert.deepEqual(frames('v1', [{ fault: 'swap', kind: 'v1', nth: 2 }]), [a, c, b, d, ...cleanV1.slice(4)])
})

test('delay: a depth update comes three seconds late', () => {
  const [first] = depthsWithoutSnapshot
  const got = frames('ws', [{ fault: 'delay', kind: 'depth', delayMs: 3_000 }])
  assert.equal(got.length, cleanWs.length)
  assert.deepEqual(
    got.filter((frame) => frame !== first),
    cleanWs.filter((frame) => frame !== first),
  )
  assert.ok(got.indexOf(first ?? '') > cleanWs.indexOf(first ?? '') + 10)
})

for (const feed of ['ws', 'v1'] as const) {
  test(`corrupt: the snapshot on ${feed} has one wrong quantity and is well-formed`, () => {
    const clean = feed === 'ws' ? cleanWs : cleanV1
    const [wrong, ...rest] = frames(feed, [{ fault: 'corrupt', feed, kind: 'snapshot' }])
    assert.deepEqual(rest, clean.slice(1))
    const expected = clean[0]?.toString() ?? ''
    const text = wrong?.toString() ?? ''
    assert.equal(text.length, expected.length)
    assert.equal(text.split('').filter((letter, index) => letter !== expected[index]).length, 1)
    assert.equal(typeof JSON.parse(text), 'object')
  })
}

test('malformed: a frame is cut in half', () => {
  const [cut, ...rest] = frames('v1', [{ fault: 'malformed', feed: 'v1' }])
  assert.deepEqual(rest, cleanV1.slice(1))
  assert.throws(() => JSON.parse(cut?.toString() ?? ''), SyntaxError)
})

test('binary: the same bytes in a binary message', () => {
  const [first, ...rest] = frames('v1', [{ fault: 'binary', feed: 'v1' }])
  assert.ok(first instanceof Uint8Array)
  assert.equal(new TextDecoder().decode(first), cleanV1[0])
  assert.deepEqual(rest, cleanV1.slice(1))
})

test('unknown_type on ws: one more frame', () => {
  const got = frames('ws', [{ fault: 'unknown_type', feed: 'ws', kind: 'depth' }])
  const index = cleanWs.indexOf(depthsWithoutSnapshot[0] ?? '')
  assert.equal(got[index], '{"e":"somethingNew","E":1,"s":"ethgusdperp","x":[]}')
  assert.deepEqual(got.toSpliced(index, 1), cleanWs)
})

test('unknown_type on v1: one more element', () => {
  const [, second] = frames('v1', [{ fault: 'unknown_type', feed: 'v1', kind: 'update' }])
  assert.equal(
    second?.toString().replace('{"note":"nobody knows this","type":"something_new"},', ''),
    cleanV1.find((frame) => frame.toString().includes('timestampms')),
  )
})

test('unknown_symbol: the frame goes out once more before, under a symbol nobody knows', () => {
  const got = frames('ws', [{ fault: 'unknown_symbol', kind: 'trade' }])
  const index = got.findIndex((frame) => frame.toString().includes('"s":"nosuchusd"'))
  assert.equal(got[index]?.toString().replace('nosuchusd', 'ethgusdperp'), got[index + 1])
  assert.deepEqual(got.toSpliced(index, 1), cleanWs)
})

test('omit_snapshot: no snapshot comes, everything else does', () => {
  assert.deepEqual(frames('ws', [{ fault: 'omit_snapshot', feed: 'ws' }]), cleanWs.slice(1))
})

test('duplicate_snapshot: the snapshot comes twice', () => {
  assert.deepEqual(frames('ws', [{ fault: 'duplicate_snapshot', feed: 'ws' }]), [cleanWs[0], ...cleanWs])
})

test('late_snapshot: the snapshot comes after updates', () => {
  const got = frames('ws', [{ fault: 'late_snapshot', feed: 'ws', delayMs: 2_000 }])
  const index = got.indexOf(cleanWs[0] ?? '')
  assert.ok(index > 5, `at ${index}`)
  assert.deepEqual(got.toSpliced(index, 1), cleanWs.slice(1))
})

test('close: the connections of the feed are closed with the code, the others are not', () => {
  const { exchange, ws, v1 } = scene()
  assert.deepEqual(exchange.faults.inject({ fault: 'close', feed: 'v1', code: 1012, reason: 'service restart' }), {
    armed: null,
    affected: 1,
  })
  assert.deepEqual([v1.closed, ws.closed], [{ code: 1012, reason: 'service restart' }, null])
})

test('close: only the connections about the symbol', () => {
  const { exchange, ws, v1 } = scene()
  ws.receive('{"id":1,"method":"subscribe","params":["avaxgusdperp@trade"]}')
  assert.deepEqual(exchange.faults.inject({ fault: 'close', symbol: 'avaxgusdperp' }), { armed: null, affected: 1 })
  assert.deepEqual([v1.closed, ws.closed], [null, { code: 1001, reason: 'going away' }])
})

test('half_open: the connection stays open and says nothing any more, not even an answer', () => {
  const { exchange, ws, v1 } = scene()
  ws.receive(SUBSCRIBE)
  ws.takeFrames()
  exchange.faults.inject({ fault: 'half_open', connection: ws.id })
  after(exchange, 30_000)
  ws.receive('{"id":2,"method":"ping"}')
  assert.deepEqual([ws.takeFrames(), ws.closed, ws.isSilent], [[], null, true])
  assert.ok(v1.takeFrames().length > 100)
})

test('stop_publishing: nothing of the symbol goes out, other symbols and answers do, and the gap shows afterwards', () => {
  const { exchange, ws, v1 } = scene()
  ws.receive(SUBSCRIBE)
  ws.receive('{"id":2,"method":"subscribe","params":["avaxgusdperp@depth@100ms"]}')
  const last = ws
    .takeFrames()
    .filter(isDepth)
    .findLast((frame) => frame.toString().includes('ethgusdperp'))
  v1.takeFrames()
  exchange.faults.inject({ fault: 'stop_publishing', symbol: 'ethgusdperp' })
  after(exchange, 20_000)
  ws.receive('{"id":3,"method":"ping"}')
  const silent = ws.takeFrames().map((frame) => frame.toString())
  assert.deepEqual(
    silent.filter((text) => text.includes('ethgusdperp')),
    [],
  )
  assert.ok(silent.some((text) => text.includes('avaxgusdperp')))
  assert.equal(silent.at(-1), '{"id":3,"status":200}')
  assert.deepEqual(v1.takeFrames(), [])

  exchange.faults.inject({ fault: 'resume_publishing', symbol: 'ethgusdperp' })
  after(exchange, 5_000)
  const next = ws.takeFrames().find((frame) => isDepth(frame) && frame.toString().includes('ethgusdperp'))
  const idOf = (frame: Frame | undefined, name: string): bigint =>
    BigInt(new RegExp(`"${name}":(\\d+)`).exec(frame?.toString() ?? '')?.[1] ?? '')
  assert.ok(idOf(next, 'U') > idOf(last, 'u'))
})

for (const [status, retryAfterS, expected] of [
  [429, 7, [429, '7', '{"result":"error","reason":"RateLimit","message":"Rate limit exceeded"}']],
  [
    503,
    undefined,
    [503, undefined, '{"result":"error","reason":"Maintenance","message":"The exchange is down for maintenance"}'],
  ],
  [403, undefined, [403, undefined, '{"result":"error","reason":"Forbidden","message":"Access is denied"}']],
] as const) {
  test(`refuse_upgrade with ${status}: twice, then connections are welcome`, () => {
    const { exchange } = scene()
    const request = {
      fault: 'refuse_upgrade',
      status,
      times: 2,
      ...(retryAfterS === undefined ? {} : { retryAfterS }),
    } as const
    exchange.faults.inject(request)
    for (const refusal of [
      exchange.connectWs(new URLSearchParams()),
      exchange.connectV1('ethgusdperp', new URLSearchParams()),
    ]) {
      assert.ok('status' in refusal)
      assert.deepEqual([refusal.status, refusal.headers['retry-after'], refusal.body], expected)
    }
    assert.ok('takeFrames' in exchange.connectWs(new URLSearchParams()))
    assert.equal(exchange.faults.counts.refuse_upgrade, 2)
  })
}

test('refuse_rest: one request', () => {
  const { exchange } = scene([{ fault: 'refuse_rest', status: 503 }])
  assert.equal(exchange.rest('GET', '/v1/symbols', new URLSearchParams()).status, 503)
  assert.equal(exchange.rest('GET', '/v1/symbols', new URLSearchParams()).status, 200)
})

test('refuse_subscribe: the symbol is refused once, other symbols are not', () => {
  const { ws } = scene([{ fault: 'refuse_subscribe', symbol: 'ethgusdperp' }])
  ws.receive('{"id":1,"method":"subscribe","params":["avaxgusdperp@trade"]}')
  ws.receive('{"id":2,"method":"subscribe","params":["ethgusdperp@trade"]}')
  ws.receive('{"id":3,"method":"subscribe","params":["ethgusdperp@trade"]}')
  assert.deepEqual(ws.takeFrames(), [
    '{"id":1,"status":200}',
    '{"id":2,"status":400,"error":{"code":-1013,"msg":"Invalid stream name: ethgusdperp@trade"}}',
    '{"id":3,"status":200}',
  ])
})

test('wrong_first_sequence: a v1 connection begins at another number and counts on from there', () => {
  const { exchange, v1 } = scene([{ fault: 'wrong_first_sequence', sequence: 3 }])
  after(exchange, 2_000)
  const sequences = v1.takeFrames().map((frame) => /"socket_sequence":(\d+)/.exec(frame.toString())?.[1])
  assert.deepEqual(sequences.slice(0, 3), ['3', '4', '5'])
})

test('empty_book: one event removes every level, a new client gets an empty snapshot, and reopen_book brings orders back', () => {
  const { exchange, v1 } = scene()
  v1.takeFrames()
  exchange.faults.inject({ fault: 'empty_book', symbol: 'ethgusdperp' })
  assert.equal(v1.takeFrames().length, 1)
  after(exchange, 60_000)
  const { ws } = { ws: exchange.connectWs(new URLSearchParams('snapshot=-1')) }
  assert.ok('receive' in ws)
  ws.receive('{"id":1,"method":"subscribe","params":["ethgusdperp@depth@100ms"]}')
  assert.match(ws.takeFrames()[0]?.toString() ?? '', /"b":\[\],"a":\[\]\}$/)
  const last = exchange.truth.lastUpdateId('ethgusdperp')
  assert.deepEqual(exchange.truth.bookAfter('ethgusdperp', last), { bids: [], asks: [] })

  exchange.faults.inject({ fault: 'reopen_book', symbol: 'ethgusdperp' })
  after(exchange, 60_000)
  const { bids, asks } = exchange.truth.bookAfter('ethgusdperp', exchange.truth.lastUpdateId('ethgusdperp'))
  assert.ok(bids.length >= 3 && asks.length >= 3)
})

test('reopening in the same instant is safe', () => {
  const { exchange } = scene()
  after(exchange, 1_000)
  for (let i = 0; i < 50; i++) {
    exchange.faults.inject({ fault: 'empty_book', symbol: 'ethgusdperp' })
    exchange.faults.inject({ fault: 'reopen_book', symbol: 'ethgusdperp' })
    after(exchange, 211)
  }
  assert.ok(exchange.faults.counts.empty_book > 10)
})

test('clear disarms what waits', () => {
  const { exchange } = scene([
    { fault: 'drop', times: 100 },
    { fault: 'refuse_upgrade', symbol: 'avaxgusdperp' },
  ])
  assert.equal(exchange.faults.armed.length, 2)
  exchange.faults.clear()
  assert.deepEqual([exchange.faults.armed, exchange.faults.isArmed], [[], false])
  assert.ok('takeFrames' in exchange.connectWs(new URLSearchParams()))
})

for (const [value, problem] of [
  [[], /^a fault is a JSON object/],
  [{ fault: 'nosuch' }, /^there is no fault "nosuch"; there are drop, duplicate/],
  [{ fault: 'drop', nht: 3 }, /^no fault has the field "nht"/],
  [{ fault: 'drop', nth: 0 }, /^"nth" is a whole number from 1 to/],
  [{ fault: 'drop', times: 1.5 }, /^"times" is a whole number/],
  [{ fault: 'drop', kind: 'snap' }, /^"kind" is v1 or one of snapshot, depth/],
  [{ fault: 'drop', feed: 'v2' }, /^"feed" is "v1" or "ws"/],
  [{ fault: 'empty_book' }, /^empty_book needs a "symbol"/],
  [{ fault: 'empty_book', symbol: 'btcusd', side: 'buy' }, /^"side" is "bid" or "ask"/],
  [{ fault: 'constructor' }, /^there is no fault/],
] as const) {
  test(`${JSON.stringify(value)} is no fault request`, () => {
    const answer = readFaultRequest(value)
    assert.ok(typeof answer === 'string')
    assert.match(answer, problem)
  })
}

test('a symbol that is not traded here is refused, every fault has a count', () => {
  const { exchange } = scene()
  assert.equal(
    exchange.faults.inject({ fault: 'empty_book', symbol: 'dogeusd' }),
    'this exchange has no symbol dogeusd',
  )
  assert.deepEqual(Object.keys(exchange.faults.counts), [...FAULT_NAMES])
})
