import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import { systemClock } from '@booktape/runtime'
import { WebSocket } from 'ws'
import { runExchange } from './command.ts'
import { type ExchangeServer, startExchangeServer } from './server.ts'
import { presetOf } from './symbols.ts'

let server: ExchangeServer

before(async () => {
  const symbols = ['btcusd', 'ethusd'].map((symbol) => presetOf(symbol)).filter((spec) => spec !== null)
  server = await startExchangeServer({ seed: 1, symbols, port: 0, rate: 20, clock: systemClock() })
})

after(() => server.stop())

/** The messages of a socket one by one, from the first on. */
function dial(url: string): { socket: WebSocket; next(): Promise<string> } {
  const socket = new WebSocket(url, { perMessageDeflate: false })
  const waiting: string[] = []
  const readers: ((text: string) => void)[] = []
  socket.on('message', (message: Buffer) => {
    const reader = readers.shift()
    if (reader === undefined) waiting.push(message.toString())
    else reader(message.toString())
  })
  socket.on('error', () => undefined) // a refusal is read from `unexpected-response`
  return {
    socket,
    next: () => {
      const text = waiting.shift()
      return text === undefined ? new Promise((resolve) => readers.push(resolve)) : Promise.resolve(text)
    },
  }
}

async function nextWith(line: { next(): Promise<string> }, part: string): Promise<string> {
  for (;;) {
    const text = await line.next()
    if (text.includes(part)) return text
  }
}

async function postFault(fault: object): Promise<Response> {
  return fetch(`${server.controlUrl}/faults`, { method: 'POST', body: JSON.stringify(fault) })
}

test('v1: the initial message first, then updates in sequence', async () => {
  const line = dial(`${server.v1Url}/v1/marketdata/BTCUSD?heartbeat=true`)
  assert.match(await line.next(), /^\{"eventId":\d+,"events":\[.*\],"socket_sequence":0,"type":"update"\}$/)
  for (const sequence of [1, 2, 3]) assert.match(await line.next(), new RegExp(`"socket_sequence":${sequence},`))
  line.socket.terminate()
})

test('ws: snapshot, answer, updates and trades, and the book of an update equals what /control tells', async () => {
  const line = dial(`${server.wsUrl}/?snapshot=-1`)
  await once(line.socket, 'open')
  line.socket.send('{"id":"md","method":"subscribe","params":["btcusd@depth@100ms","btcusd@trade"]}')
  const snapshot = await line.next()
  assert.equal(await line.next(), '{"id":"md","status":200}')
  const updateId = /"U":(\d+),"u":\1,/.exec(snapshot)?.[1]
  await nextWith(line, `"U":${updateId}`)
  await nextWith(line, '"t":')
  const response = await fetch(`${server.controlUrl}/book/BTCUSD?update_id=${updateId}`)
  const book = (await response.json()) as { updateId: string; bids: [string, string][]; asks: [string, string][] }
  const { b, a } = JSON.parse(snapshot) as { b: [string, string][]; a: [string, string][] }
  const trimmed = (levels: [string, string][]): string[][] =>
    levels.map((level) => level.map((decimal) => decimal.replace(/\.?0+$/, '')))
  assert.equal(book.updateId, updateId)
  assert.deepEqual(book.bids, trimmed(b))
  assert.deepEqual(book.asks, trimmed(a))
  line.socket.terminate()
})

test('a ping is answered, by a half-open connection no more', async () => {
  const line = dial(server.wsUrl)
  await once(line.socket, 'open')
  line.socket.ping('there?')
  const [payload] = (await once(line.socket, 'pong')) as [Buffer]
  assert.equal(payload.toString(), 'there?')

  const { connections } = (await (await fetch(`${server.controlUrl}/state`)).json()) as {
    connections: { id: number }[]
  }
  const id = connections.at(-1)?.id
  assert.deepEqual(await (await postFault({ fault: 'half_open', connection: id })).json(), { armed: null, affected: 1 })
  let pongs = 0
  line.socket.on('pong', () => pongs++)
  line.socket.ping('still there?')
  line.socket.send('{"id":1,"method":"ping"}')
  // A second connection's answer comes after the server has read what the first one sent.
  const other = dial(server.wsUrl)
  await once(other.socket, 'open')
  other.socket.send('{"id":2,"method":"ping"}')
  assert.equal(await other.next(), '{"id":2,"status":200}')
  assert.equal(pongs, 0)
  line.socket.terminate()
  other.socket.terminate()
})

for (const [name, fault, expected] of [
  [
    'with a closing frame',
    { fault: 'close', feed: 'v1', code: 1012, reason: 'service restart' },
    [1012, 'service restart'],
  ],
  ['without one', { fault: 'close', feed: 'v1', code: 1006 }, [1006, '']],
] as const) {
  test(`a connection is closed ${name}`, async () => {
    const line = dial(`${server.v1Url}/v1/marketdata/ethusd`)
    await line.next()
    const closed = once(line.socket, 'close')
    await postFault(fault)
    const [code, reason] = (await closed) as [number, Buffer]
    assert.deepEqual([code, reason.toString()], expected)
  })
}

test('a dropped frame: the sequence skips its number', async () => {
  const line = dial(`${server.v1Url}/v1/marketdata/ethusd`)
  await line.next()
  const { armed } = (await (await postFault({ fault: 'drop', feed: 'v1', symbol: 'ethusd' })).json()) as {
    armed: number
  }
  assert.equal(typeof armed, 'number')
  let last = 0
  for (;;) {
    const sequence = Number.parseInt(/"socket_sequence":(\d+)/.exec(await line.next())?.[1] ?? '', 10)
    if (sequence === last + 2) break
    assert.equal(sequence, last + 1)
    last = sequence
  }
  line.socket.terminate()
})

for (const [path, before_, status, body] of [
  [
    '/v1/marketdata/nosuch',
    null,
    400,
    '{"result":"error","reason":"Bad Request","message":"Supplied value \'NOSUCH\' is not a valid symbol"}',
  ],
  ['/v2/marketdata', null, 404, '{"result":"error","reason":"EndpointNotFound","message":"API entry point not found"}'],
  [
    '/v1/marketdata/btcusd',
    { fault: 'refuse_upgrade', status: 429, retryAfterS: 3 },
    429,
    '{"result":"error","reason":"RateLimit","message":"Rate limit exceeded"}',
  ],
] as const) {
  test(`an upgrade of ${path} is refused with ${status}`, async () => {
    if (before_ !== null) await postFault(before_)
    const { socket } = dial(`${server.v1Url}${path}`)
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, import('node:http').IncomingMessage]
    let text = ''
    for await (const part of response) text += String(part)
    assert.deepEqual([response.statusCode, text], [status, body])
    assert.equal(response.headers['retry-after'], before_ === null ? undefined : '3')
    socket.terminate()
  })
}

test('REST and /control answer over HTTP', async () => {
  assert.equal(await (await fetch(`${server.restUrl}/v1/symbols`)).text(), '["btcusd","ethusd"]')
  assert.equal((await fetch(`${server.restUrl}/v1/book/dogeusd`)).status, 400)
  assert.equal((await fetch(`${server.controlUrl}/nosuch`)).status, 404)
  assert.equal((await fetch(`${server.controlUrl}/book/btcusd?update_id=1`)).status, 404)
  const wrong = await postFault({ fault: 'drop', symbol: 'dogeusd' })
  assert.deepEqual(
    [wrong.status, await wrong.json()],
    [400, { result: 'error', reason: 'InvalidFault', message: 'this exchange has no symbol dogeusd' }],
  )
  const long = await fetch(`${server.controlUrl}/faults`, { method: 'POST', body: ' '.repeat(70_000) })
  assert.equal(long.status, 400)
  const { faults } = (await (await fetch(`${server.controlUrl}/faults`)).json()) as { faults: Record<string, string> }
  assert.equal(faults['drop'], 'the nth matching frame, and the next ones up to `times`, is not sent')
  const cleared = await fetch(`${server.controlUrl}/faults`, { method: 'DELETE' })
  assert.deepEqual(await cleared.json(), { armed: [] })
  const trades = (await (await fetch(`${server.controlUrl}/trades/btcusd`)).json()) as { tradeId: string }[]
  assert.deepEqual(
    trades.slice(0, 3).map(({ tradeId }) => tradeId),
    server.exchange.truth
      .trades('btcusd')
      .slice(0, 3)
      .map(({ tradeId }) => tradeId.toString()),
  )
})

test('the command names the symbols it does not have', async () => {
  const options = { port: 0, seed: 1, symbols: ['btcusd', 'nosuch'], rate: 1, json: false }
  await assert.rejects(
    runExchange(options, AbortSignal.abort()),
    /^Error: the simulated exchange has no nosuch; choose from btcusd, ethusd, /,
  )
})

test('the command runs until the signal', async () => {
  await runExchange({ port: 0, seed: 1, symbols: [], rate: 1, json: false }, AbortSignal.abort())
})
