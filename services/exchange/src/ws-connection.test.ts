import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { WsConnection } from '@booktape/venue'
import { Exchange } from './exchange.ts'
import { presetOf } from './symbols.ts'

const START_NS = 1_790_732_602_153_000_000n

function connected(query = 'snapshot=-1'): { exchange: Exchange; connection: WsConnection } {
  const symbols = ['ethgusdperp', 'avaxgusdperp'].map((symbol) => presetOf(symbol)).filter((spec) => spec !== null)
  const exchange = new Exchange({ seed: 1, symbols, startNs: START_NS })
  const connection = exchange.connectWs(new URLSearchParams(query))
  assert.ok('receive' in connection)
  return { exchange, connection }
}

/** What came, by its kind, in order. */
function kindsOf(connection: WsConnection): string[] {
  return connection.takeFrames().map((frame) => {
    const text = frame.toString()
    const range = /"U":(\d+),"u":(\d+)/.exec(text)
    if (text.startsWith('{"id"')) return /"id":([^,]+)/.exec(text)?.[1] ?? ''
    if (range === null) return 'ticker'
    return `${/"s":"(\w+)"/.exec(text)?.[1]} ${range[1] === range[2] ? 'snapshot' : 'update'}`
  })
}

for (const [name, request, expected] of [
  ['ping', '{"id":100,"method":"ping"}', '{"id":100,"status":200}'],
  ['an id that is text comes back as text', '{"id":"md","method":"ping"}', '{"id":"md","status":200}'],
  ['time', '{"id":"time","method":"time"}', '{"id":"time","status":200,"result":{"serverTime":1790732602153}}'],
  [
    'an unknown method',
    '{"id":11,"method":"nosuch"}',
    '{"id":11,"status":400,"error":{"code":-1020,"msg":"Unsupported operation"}}',
  ],
  [
    'an unknown symbol',
    '{"id":4,"method":"subscribe","params":["nosuchperp@depth@100ms"]}',
    '{"id":4,"status":400,"error":{"code":-1013,"msg":"Invalid stream name: nosuchperp@depth@100ms"}}',
  ],
  [
    'an unknown stream beside a good one',
    '{"id":10,"method":"subscribe","params":["ethgusdperp@trade","ethgusdperp@markPrice@1s"]}',
    '{"id":10,"status":400,"error":{"code":-1013,"msg":"Invalid stream name: ethgusdperp@markPrice@1s"}}',
  ],
  [
    'params that are no plain array',
    '{"id":5,"method":"subscribe","params":{"streams":["ethgusdperp@trade"]}}',
    '{"id":5,"status":400,"error":{"code":-1013,"msg":"Invalid params: an array of stream names"}}',
  ],
  ['uppercase', '{"id":6,"method":"SUBSCRIBE","params":["ETHGUSDPERP@trade"]}', '{"id":6,"status":200}'],
  ['nothing to list', '{"id":7,"method":"LIST_SUBSCRIPTIONS"}', '{"id":7,"status":200,"result":[]}'],
  ['no JSON', '{"id":', '{"id":null,"status":400,"error":{"code":-1013,"msg":"Invalid request"}}'],
  [
    'a depth limit of zero',
    '{"id":8,"method":"depth","params":{"symbol":"ethgusdperp","limit":0}}',
    '{"id":8,"status":400,"error":{"code":-1013,"msg":"Invalid limit: 1 to 5000"}}',
  ],
] as const) {
  test(`a request: ${name}`, () => {
    const { connection } = connected()
    connection.receive(request)
    assert.deepEqual(connection.takeFrames(), [expected])
  })
}

test('a refused subscribe starts none of its streams', () => {
  const { exchange, connection } = connected()
  connection.receive('{"id":1,"method":"subscribe","params":["ethgusdperp@depth@100ms","ethgusdperp@nosuch"]}')
  exchange.advanceTo(START_NS + 10_000_000_000n)
  connection.receive('{"id":2,"method":"list_subscriptions"}')
  assert.equal(connection.takeFrames().length, 2)
  assert.deepEqual(connection.subscriptions, [])
})

test('a fresh subscription: the snapshot comes before the answer, a stale update after it', () => {
  const { exchange, connection } = connected()
  exchange.advanceTo(START_NS + 5_000_000_000n)
  connection.receive('{"id":1,"method":"subscribe","params":["ethgusdperp@depth@100ms","ethgusdperp@bookTicker"]}')
  assert.deepEqual(kindsOf(connection), ['ethgusdperp snapshot', '1', 'ticker', 'ethgusdperp update'])
})

test('a later subscription on the same connection: both answers come before the new snapshot', () => {
  const { exchange, connection } = connected()
  exchange.advanceTo(START_NS + 5_000_000_000n)
  connection.receive('{"id":1,"method":"subscribe","params":["ethgusdperp@depth@100ms"]}')
  connection.takeFrames()
  connection.receive('{"id":2,"method":"unsubscribe","params":["ethgusdperp@depth@100ms"]}')
  connection.receive('{"id":3,"method":"subscribe","params":["ethgusdperp@depth@100ms"]}')
  assert.deepEqual(kindsOf(connection), ['2', '3', 'ethgusdperp snapshot', 'ethgusdperp update'])
})

test('two symbols in one request: the answer stands among the snapshots, as on the wire', () => {
  const { connection } = connected()
  connection.receive('{"id":1,"method":"subscribe","params":["ethgusdperp@depth@100ms","avaxgusdperp@depth@100ms"]}')
  assert.deepEqual(kindsOf(connection), ['ethgusdperp snapshot', '1', 'avaxgusdperp snapshot'])
})

test('without snapshot in the URL there is none', () => {
  const { connection } = connected('')
  connection.receive('{"id":1,"method":"subscribe","params":["ethgusdperp@depth@100ms"]}')
  assert.deepEqual(kindsOf(connection), ['1'])
})

test('snapshot=2 gives the two best levels of each side', () => {
  const { connection } = connected('snapshot=2')
  connection.receive('{"id":1,"method":"subscribe","params":["ethgusdperp@depth@100ms"]}')
  const { b, a } = JSON.parse(connection.takeFrames()[0]?.toString() ?? '') as { b: unknown[]; a: unknown[] }
  assert.deepEqual([b.length, a.length], [2, 2])
})

test('the depth method answers with the true book of its id', () => {
  const { exchange, connection } = connected()
  exchange.advanceTo(START_NS + 3_000_000_000n)
  connection.receive('{"id":1,"method":"depth","params":{"symbol":"ETHGUSDPERP","limit":3}}')
  const { result } = JSON.parse(connection.takeFrames()[0]?.toString() ?? '') as {
    result: { lastUpdateId: number; bids: [string, string][] }
  }
  assert.ok(Number.isSafeInteger(result.lastUpdateId))
  const { bids } = exchange.truth.bookAfter('ethgusdperp', BigInt(result.lastUpdateId))
  const trimmed = result.bids.map((level) => level.map((decimal) => decimal.replace(/\.?0+$/, '')))
  assert.deepEqual(trimmed, bids.slice(0, 3))
})

test('conninfo answers beside result, and counts', () => {
  const { connection } = connected()
  connection.receive('{"id":1,"method":"ping"}')
  connection.receive('{"id":7,"method":"conninfo"}')
  assert.equal(
    connection.takeFrames()[1],
    '{"id":7,"status":200,"rateLimits":[{"rateLimitType":"REQUEST_WEIGHT","interval":"SECOND","intervalNum":10,"limit":7000,"count":2},' +
      '{"rateLimitType":"CONNECTION_ATTEMPTS","interval":"MINUTE","intervalNum":5,"limit":300,"count":1}]}',
  )
})

test('a closed connection gets nothing more', () => {
  const { exchange, connection } = connected()
  connection.receive('{"id":1,"method":"subscribe","params":["ethgusdperp@depth@100ms"]}')
  connection.takeFrames()
  connection.close()
  exchange.advanceTo(START_NS + 10_000_000_000n)
  connection.receive('{"id":2,"method":"ping"}')
  assert.deepEqual(connection.takeFrames(), [])
  assert.deepEqual(connection.closed, { code: 1000, reason: '' })
  assert.deepEqual(exchange.connections, [])
})

test('an odd snapshot parameter refuses the connection', () => {
  const { exchange } = connected()
  const refusal = exchange.connectWs(new URLSearchParams('snapshot=all'))
  assert.deepEqual('status' in refusal && [refusal.status, refusal.body], [
    400,
    '{"result":"error","reason":"Bad Request","message":"snapshot is a whole number"}',
  ])
})
