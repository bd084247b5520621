import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { Credentials, type NonceKind } from '@booktape/gemini'
import { createRestClient } from '@booktape/transport'
import { NonceError } from './nonce-store.ts'
import { PrivateClient } from './private-client.ts'

const keep = new AbortController().signal
const CREDENTIALS = new Credentials({ key: 'account-canary', secret: 'canary-secret', account: null })
const QUOTE = { symbol: 'btcusd', side: 'buy', totalSpend: '100' }

type Bench = Readonly<{ client: PrivateClient; nonces: string[]; waits: number[] }>

/** A client against a venue that answers as told, counting nonces from 1 and the ms waited. */
async function serve(
  t: TestContext,
  answer: RequestListener,
  { kind = 'monotonic', deadlineMs = 5_000 }: { kind?: NonceKind; deadlineMs?: number } = {},
): Promise<Bench> {
  const nonces: string[] = []
  const server = createServer((request, response) => {
    nonces.push(nonceOf(request))
    answer(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const waits: number[] = []
  let last = 0n
  let nowNs = 0n
  const rest = createRestClient({
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    budget: { acquire: async () => undefined },
    clock: { wallNs: () => 0n },
    random: () => 0,
    deadlineMs,
    wait: async (ms) => void waits.push(ms),
  })
  const client = new PrivateClient({
    rest,
    credentials: CREDENTIALS,
    nonces: { kind, take: async () => ++last },
    clock: { wallNs: () => ++nowNs },
  })
  return { client, nonces, waits }
}

function nonceOf(request: IncomingMessage): string {
  const payload = Buffer.from(String(request.headers['x-gemini-payload']), 'base64').toString('utf8')
  return /"nonce":(\d+)/.exec(payload)?.[1] ?? 'none'
}

function error(reason: string, message = reason): string {
  return JSON.stringify({ result: 'error', reason, message })
}

test('a signed request is a POST of the path that was signed, and its answer comes with its times', async (t) => {
  const seen: unknown[] = []
  const { client } = await serve(t, (request, response) => {
    const { headers } = request
    const signed = CREDENTIALS.headersFor(String(headers['x-gemini-payload']))
    seen.push([request.method, request.url, headers['x-gemini-signature'] === signed['X-GEMINI-SIGNATURE']])
    seen.push(Buffer.from(String(headers['x-gemini-payload']), 'base64').toString('utf8'))
    response.end('{"quoteId":1}')
  })
  assert.deepEqual(await client.post('/v1/instant/quote', QUOTE, keep), {
    kind: 'answered',
    sentNs: 2n,
    receivedNs: 3n,
    body: '{"quoteId":1}',
  })
  assert.deepEqual(seen, [
    ['POST', '/v1/instant/quote', true],
    '{"request":"/v1/instant/quote","nonce":1,"symbol":"btcusd","side":"buy","totalSpend":"100"}',
  ])
})

test('a nonce that is refused is given anew once, and that is all', async (t) => {
  const { client, nonces } = await serve(t, (request, response) => {
    const isFirst = nonceOf(request) === '1'
    response.writeHead(isFirst ? 400 : 200).end(isFirst ? error('InvalidNonce') : '{}')
  })
  assert.equal((await client.post('/v1/instant/quote', QUOTE, keep)).kind, 'answered')
  assert.deepEqual(nonces, ['1', '2'])
})

for (const [kind, next] of [
  ['monotonic', 'another program uses this key with greater nonces; give each program a key of its own'],
  ['time', 'this machine’s clock is more than 30 s off, or another program uses this key; mend the clock'],
] as const) {
  test(`a ${kind} nonce that is refused twice says what to mend`, async (t) => {
    const { client, nonces } = await serve(t, (_, response) => response.writeHead(400).end(error('BadNonce')), { kind })
    const reply = await client.post('/v1/instant/quote', QUOTE, keep)
    assert.ok(reply.kind === 'refused' && reply.refusal.remedy === 'operator')
    assert.ok(reply.refusal.sentence.includes(next), reply.refusal.sentence)
    assert.deepEqual(nonces, ['1', '2'])
  })
}

test('429 and 503 are tried again after what they ask for, each time with a nonce of its own', async (t) => {
  const answers = [429, 503, 200]
  const { client, nonces, waits } = await serve(t, (_, response) => {
    const status = answers.shift() ?? 200
    response.writeHead(status, status === 429 ? { 'retry-after': '3' } : {}).end('{}')
  })
  assert.equal((await client.post('/v1/instant/quote', QUOTE, keep)).kind, 'answered')
  assert.deepEqual(
    [nonces, waits],
    [
      ['1', '2', '3'],
      [3_000, 2_000],
    ],
  )
})

for (const [name, status, body, reason, remedy, attempts] of [
  ['a redirect is refused, not followed', 302, '', null, 'operator', 1],
  ['a role that is missing', 403, error('MissingRole'), 'MissingRole', 'operator', 1],
  ['a wrong secret', 400, error('InvalidSignature'), 'InvalidSignature', 'operator', 1],
  ['a path that was not the one signed', 400, error('EndpointMismatch'), 'EndpointMismatch', 'operator', 1],
  ['a page of HTML', 502, '<html>', null, 'retry', 5],
  ['a limit that does not end', 429, error('RateLimit'), 'RateLimit', 'rate_limited', 5],
] as const) {
  test(`${name}: ${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}`, async (t) => {
    const { client, nonces } = await serve(t, (_, response) => {
      response.writeHead(status, { location: 'http://127.0.0.1:1/' }).end(body)
    })
    const reply = await client.post('/v1/instant/quote', QUOTE, keep)
    assert.ok(reply.kind === 'refused', reply.kind)
    assert.deepEqual([reply.refusal.reason, reply.refusal.remedy, nonces.length], [reason, remedy, attempts])
  })
}

test('requests asked for at once go out one after the other, their nonces growing', async (t) => {
  let open = 0
  let most = 0
  const { client, nonces } = await serve(t, (_, response) => {
    most = Math.max(most, ++open)
    setImmediate(() => {
      open--
      response.end('{}')
    })
  })
  await Promise.all(Array.from({ length: 10 }, () => client.post('/v1/instant/quote', QUOTE, keep)))
  assert.equal(most, 1)
  assert.deepEqual(
    nonces,
    Array.from({ length: 10 }, (_, index) => String(index + 1)),
  )
})

test('a venue that does not answer is given up, and the sentence names the request alone', async (t) => {
  const { client } = await serve(t, () => undefined, { deadlineMs: 50 })
  const reply = await client.post('/v1/instant/quote', QUOTE, keep)
  assert.ok(reply.kind === 'failed')
  assert.equal(reply.reason, 'POST /v1/instant/quote had no whole reply within 50 ms')
})

test('no reply holds the key or the secret, whatever the venue says', async (t) => {
  const bodies = [
    [200, '{"note":"account-canary"}'],
    [400, error('InvalidSignature', 'key account-canary, secret canary-secret')],
    [403, error('MissingRole', 'assign one of these roles [Trader] to API key account-canary')],
  ] as const
  for (const [status, body] of bodies) {
    const { client } = await serve(t, (_, response) => response.writeHead(status).end(body))
    const reply = await client.post('/v1/instant/quote', QUOTE, keep)
    const text = JSON.stringify(reply, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))
    assert.ok(!text.includes('canary'), text)
  }
})

test('without a nonce nothing is sent, and the reply says why', async () => {
  const take = async (): Promise<never> => {
    throw new NonceError('the clock is wrong')
  }
  const client = new PrivateClient({
    rest: {
      post: async (_, headersOf) => {
        await headersOf()
        return assert.fail('sent')
      },
    },
    credentials: CREDENTIALS,
    nonces: { kind: 'time', take },
    clock: { wallNs: () => 1n },
  })
  const reply = await client.post('/v1/instant/quote', QUOTE, keep)
  assert.deepEqual(reply, {
    kind: 'failed',
    sentNs: 1n,
    receivedNs: 1n,
    reason: 'POST /v1/instant/quote: the clock is wrong',
  })
})
