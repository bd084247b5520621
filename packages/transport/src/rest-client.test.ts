import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer as createHttpServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { createLookup } from './lookup.ts'
import { startPeer } from './raw-peer.fixture.ts'
import { createRestClient, type RestClient, type RestPoster, retryDelayMs } from './rest-client.ts'

const keep = new AbortController().signal
const BOOK = '{"bids":[{"price":"83948.70","amount":"0.00000001"}],"asks":[]}'

type Bench = Readonly<{ client: RestClient & RestPoster; waits: number[]; paid: () => number }>
type Options = Partial<Parameters<typeof createRestClient>[0]>

/** A client that writes down its waits instead of waiting. */
function clientOf(baseUrl: string, more: Options = {}): Bench {
  const waits: number[] = []
  let paid = 0
  const client = createRestClient({
    baseUrl,
    budget: { acquire: async () => void paid++ },
    clock: { wallNs: () => 0n },
    random: () => 0,
    wait: async (ms) => void waits.push(ms),
    ...more,
  })
  return { client, waits, paid: () => paid }
}

async function serve(t: TestContext, answer: RequestListener, more: Options = {}): Promise<Bench> {
  const server = createHttpServer(answer)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return clientOf(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, more)
}

test('a reply is given as it came: status, text, nothing parsed', async (t) => {
  const requests: unknown[] = []
  const { client, paid } = await serve(t, (request, response) => {
    requests.push([request.method, request.url, request.headers['accept-encoding']])
    response.end(BOOK)
  })
  assert.deepEqual(await client.get('/v1/book/btcusd?limit_bids=0', keep), {
    kind: 'reply',
    status: 200,
    body: BOOK,
    retryAfterMs: null,
  })
  assert.deepEqual(requests, [['GET', '/v1/book/btcusd?limit_bids=0', 'identity']])
  assert.equal(paid(), 1)
})

for (const [status, headers] of [
  [301, { location: '/elsewhere' }],
  [302, { location: 'http://169.254.169.254/' }],
  [304, {}],
  [400, {}],
  [403, {}],
  [404, {}],
] as const) {
  test(`status ${status} is a reply, asked for once and not followed`, async (t) => {
    const paths: unknown[] = []
    const { client, waits, paid } = await serve(t, (request, response) => {
      paths.push(request.url)
      response.writeHead(status, headers).end()
    })
    const reply = await client.get('/v1/symbols', keep)
    assert.deepEqual(reply, { kind: 'reply', status, body: '', retryAfterMs: null })
    assert.deepEqual([paths, waits, paid()], [['/v1/symbols'], [], 1])
  })
}

test('a POST has no body, and headers of its own for each attempt', async (t) => {
  const requests: unknown[] = []
  const { client, paid } = await serve(t, (request, response) => {
    const { 'x-gemini-payload': payload, 'content-length': length } = request.headers
    requests.push([request.method, request.url, payload, length])
    response.writeHead(requests.length === 1 ? 503 : 200).end()
  })
  let nonce = 0
  const headersOf = async (): Promise<Record<string, string>> => {
    nonce += 1
    return { 'X-GEMINI-PAYLOAD': `payload ${nonce}`, 'Content-Length': '0' }
  }
  const reply = await client.post('/v1/instant/quote', headersOf, keep)
  assert.deepEqual(reply, { kind: 'reply', status: 200, body: '', retryAfterMs: null })
  assert.deepEqual(requests, [
    ['POST', '/v1/instant/quote', 'payload 1', '0'],
    ['POST', '/v1/instant/quote', 'payload 2', '0'],
  ])
  assert.equal(paid(), 2)
})

test('what cannot be signed is not sent, and says why', async (t) => {
  let asked = 0
  const { client } = await serve(t, () => void asked++)
  const refuse = async (): Promise<never> => {
    throw new Error('no nonce')
  }
  await assert.rejects(client.post('/v1/instant/quote', refuse, keep), /no nonce/)
  assert.equal(asked, 0)
})

test('429 is tried again after its Retry-After, each attempt paid for', async (t) => {
  let asked = 0
  const { client, waits, paid } = await serve(t, (_, response) => {
    if (++asked === 1) response.writeHead(429, { 'retry-after': '3' }).end('{"reason":"RateLimit"}')
    else response.end('[]')
  })
  assert.deepEqual(await client.get('/v1/symbols', keep), {
    kind: 'reply',
    status: 200,
    body: '[]',
    retryAfterMs: null,
  })
  assert.deepEqual(waits, [3000])
  assert.equal(paid(), 2)
})

test('503 without a Retry-After is tried five times at doubling distances, then it is the reply', async (t) => {
  const { client, waits, paid } = await serve(t, (_, response) => response.writeHead(503).end('maintenance'))
  const reply = await client.get('/v1/symbols', keep)
  assert.deepEqual(reply, { kind: 'reply', status: 503, body: 'maintenance', retryAfterMs: null })
  assert.deepEqual(waits, [1000, 2000, 4000, 8000])
  assert.equal(paid(), 5)
})

test('a Retry-After of an hour is cut to five minutes', async (t) => {
  let asked = 0
  const { client, waits } = await serve(t, (_, response) => {
    if (++asked === 1) response.writeHead(503, { 'retry-after': '3600' }).end()
    else response.end('{}')
  })
  await client.get('/v1/symbols', keep)
  assert.deepEqual(waits, [300_000])
})

test('a connection lost in the body is tried again and never given as a reply', async (t) => {
  let asked = 0
  const { client, waits } = await serve(t, (_, response) => {
    if (++asked > 1) return response.end(BOOK)
    response.writeHead(200, { 'content-length': '1000' })
    return response.write(BOOK, () => response.destroy())
  })
  assert.deepEqual(await client.get('/v1/book/btcusd', keep), {
    kind: 'reply',
    status: 200,
    body: BOOK,
    retryAfterMs: null,
  })
  assert.deepEqual(waits, [1000])
})

test('a reply that never comes fails at the deadline, five times', async (t) => {
  const peer = await startPeer(t, () => {})
  const { client, paid } = clientOf(`http://127.0.0.1:${peer.port}`, { deadlineMs: 50 })
  assert.deepEqual(await client.get('/v1/symbols', keep), {
    kind: 'failed',
    reason: 'GET /v1/symbols had no whole reply within 50 ms',
  })
  assert.equal(paid(), 5)
})

test('a body that drips on without end fails at the deadline', async (t) => {
  const { client } = await serve(
    t,
    (_, response) => {
      const drip = (): void => {
        if (!response.destroyed) response.write('.', () => setImmediate(drip))
      }
      drip()
    },
    { deadlineMs: 50 },
  )
  assert.deepEqual(await client.get('/v1/symbols', keep), {
    kind: 'failed',
    reason: 'GET /v1/symbols had no whole reply within 50 ms',
  })
})

for (const [name, answer, reason] of [
  [
    'a body one byte above the limit',
    (_, response) => response.end('x'.repeat(101)),
    'was answered with a body of more than 100 bytes',
  ],
  [
    'a compressed body nobody asked for',
    (_, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end('x'),
    'was answered in gzip, which was not asked for',
  ],
  [
    'a body that is not UTF-8',
    (_, response) => response.end(Buffer.of(0x22, 0xff, 0x22)),
    'was answered with a body that is not UTF-8',
  ],
] as const satisfies readonly (readonly [string, RequestListener, string])[]) {
  test(`${name} is a failure, and trying again would not change it`, async (t) => {
    const { client, paid } = await serve(t, answer, { maxBodyBytes: 100 })
    assert.deepEqual(await client.get('/v1/book/btcusd', keep), {
      kind: 'failed',
      reason: `GET /v1/book/btcusd ${reason}`,
    })
    assert.equal(paid(), 1)
  })
}

test('a body of exactly the limit is a reply', async (t) => {
  const { client } = await serve(t, (_, response) => response.end('x'.repeat(100)), { maxBodyBytes: 100 })
  const reply = await client.get('/', keep)
  assert.deepEqual(reply, { kind: 'reply', status: 200, body: 'x'.repeat(100), retryAfterMs: null })
})

test('answers that are not HTTP fail with the reason after five attempts', async (t) => {
  const peer = await startPeer(t, (connection) => connection.end('SSH-2.0-OpenSSH_9.2\r\n'))
  const { client, paid } = clientOf(`http://127.0.0.1:${peer.port}`)
  const reply = await client.get('/v1/symbols', keep)
  assert.equal(reply.kind, 'failed')
  assert.match(reply.kind === 'failed' ? reply.reason : '', /^GET \/v1\/symbols had no reply: HPE_INVALID_CONSTANT/)
  assert.equal(paid(), 5)
})

test('a venue name that resolves to a private address is not asked, and not tried again', async () => {
  const lookup = createLookup({ resolve: async () => [{ address: '169.254.169.254', family: 4 }] })
  const { client, paid } = clientOf('https://venue.test', { lookup })
  assert.deepEqual(await client.get('/v1/symbols', keep), {
    kind: 'failed',
    reason:
      'GET /v1/symbols had no reply: PRIVATE_ADDRESS: venue.test resolves to 169.254.169.254, which is not public',
  })
  assert.equal(paid(), 1)
})

test('who gives up while waiting for the reply gets a failure, and the connection is dropped', async (t) => {
  const giving = new AbortController()
  const peer = await startPeer(t, () => giving.abort())
  const { client, paid } = clientOf(`http://127.0.0.1:${peer.port}`)
  assert.deepEqual(await client.get('/v1/symbols', giving.signal), {
    kind: 'failed',
    reason: 'GET /v1/symbols was given up before its reply',
  })
  await peer.left
  assert.equal(paid(), 1)
})

test('who gives up between attempts gets a failure', async (t) => {
  const giving = new AbortController()
  const { client, paid } = await serve(t, (_, response) => response.writeHead(503).end(), {
    wait: async (_, signal) => {
      giving.abort()
      signal.throwIfAborted()
    },
  })
  assert.deepEqual(await client.get('/v1/symbols', giving.signal), {
    kind: 'failed',
    reason: 'GET /v1/symbols was given up before its reply',
  })
  assert.equal(paid(), 1)
})

test('who has given up already asks for nothing', async () => {
  const { client, paid } = clientOf('http://127.0.0.1:1')
  assert.deepEqual(await client.get('/v1/symbols', AbortSignal.abort()), {
    kind: 'failed',
    reason: 'GET /v1/symbols was given up before its reply',
  })
  assert.equal(paid(), 0)
})

test('a path cannot leave the base URL', async () => {
  const { client } = clientOf('http://127.0.0.1:1')
  await assert.rejects(client.get('.evil.test/', keep), { name: 'InvariantError' })
  await assert.rejects(client.get('@evil.test/', keep), { name: 'InvariantError' })
})

test('plain http outside loopback is not asked at all', () => {
  assert.throws(() => clientOf('http://api.gemini.com'), { name: 'InvariantError' })
})

for (const [attempt, retryAfterMs, random, ms] of [
  [1, null, 0, 1_000],
  [1, null, 0.5, 750],
  [2, null, 0, 2_000],
  [6, null, 0, 32_000],
  [7, null, 0, 60_000],
  [7, null, 0.999999, 30_000],
  [100, null, 0, 60_000],
  [1, 0, 0.5, 0],
  [1, 7_000, 0.5, 7_000],
] as const) {
  const asked = retryAfterMs === null ? 'no Retry-After' : `a Retry-After of ${retryAfterMs} ms`
  test(`after attempt ${attempt} with ${asked} and a roll of ${random}, ${ms} ms are waited`, () => {
    assert.equal(retryDelayMs(attempt, retryAfterMs, random), ms)
  })
}
