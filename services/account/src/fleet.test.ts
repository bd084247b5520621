import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Credentials } from '@booktape/gemini'
import type { SocketOptions } from '@booktape/transport'
import type { StreamEvent } from './event.ts'
import { PrivateFleet } from './fleet.ts'
import { NonceError } from './nonce-store.ts'

const credentials = new Credentials({ key: 'account-canary', secret: 'secret-canary', account: null })
const URLS = { v1: 'wss://venue/v1/order/events?heartbeat=true', ws: 'wss://venue/' } as const

/** A fleet whose sockets do what the test says. */
function bench(take: () => Promise<bigint> = async () => 7n) {
  const opened: SocketOptions[] = []
  const did: string[] = []
  const events: StreamEvent[] = []
  const fleet = new PrivateFleet({
    clock: { wallNs: () => 1n, monoNs: () => 2n, sleep: async () => undefined },
    budget: { acquire: async () => undefined },
    nonces: { take },
    credentials,
    openSocket: (options) => {
      opened.push(options)
      const act = (what: string) => () => void did.push(what)
      return {
        send: (text) => did.push(text) > 0,
        end: act('end'),
        terminate: act('terminate'),
        pause: act('pause'),
        resume: act('resume'),
        bufferedBytes: 0,
      }
    },
    note: (event) => void events.push(event),
  })
  const dial = async (feed: 'v1' | 'ws'): Promise<SocketOptions> => {
    fleet.obey([{ kind: 'dial', feed, url: URLS[feed] }])
    await settled()
    return opened.at(-1) ?? assert.fail('nothing was dialed')
  }
  return { fleet, opened, did, events, dial }
}

/** What is under way without a clock is done. */
const settled = async (): Promise<void> => await new Promise((resolve) => setImmediate(resolve))

test('each feed is dialed with the headers that it takes', async () => {
  const { dial } = bench()
  const { url, headers = {} } = await dial('v1')
  assert.equal(url, URLS.v1)
  assert.equal(
    Buffer.from(headers['X-GEMINI-PAYLOAD'] ?? '', 'base64').toString(),
    '{"request":"/v1/order/events","nonce":7}',
  )
  assert.equal(headers['X-GEMINI-APIKEY'], 'account-canary')
  const ws = (await dial('ws')).headers ?? {}
  assert.equal(ws['X-GEMINI-NONCE'], '7')
  assert.equal(Buffer.from(ws['X-GEMINI-PAYLOAD'] ?? '', 'base64').toString(), '7')
})

test('what is written down has no key: of frames, refusals and closings', async () => {
  const { dial, events } = bench()
  const { events: socket } = await dial('v1')
  socket.opened()
  const frame = '[{"type":"fill","api_session":"account-canary","client_order_id":"secret-canary"}]'
  socket.frame(Buffer.from(frame), false)
  socket.frame(Buffer.from(frame), true)
  socket.closed({ code: 1008, reason: 'account-canary is not welcome' })
  const { events: refused } = await dial('v1')
  const body =
    '{"result":"error","reason":"MissingRole","message":"assign a role to API key account-canary which has [Fund Manager]"}'
  refused.refused({ kind: 'http', status: 403, retryAfterMs: null, body })
  assert.deepEqual(
    events.map(({ kind }) => kind),
    ['dialing', 'opened', 'frame', 'frame', 'closed', 'dialing', 'refused'],
  )
  const text = JSON.stringify(events, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))
  assert.ok(!text.includes('canary'), text)
  assert.match(text, /it needs the role Trader or Auditor/)
})

for (const [name, refusal, expected] of [
  ['a role that is missing', { reason: 'MissingRole', status: 403 }, 403],
  ['a nonce that is too old, which the next dial mends', { reason: 'InvalidNonce', status: 400 }, null],
] as const) {
  test(`a refusal for ${name} tells how long to wait by its status`, async () => {
    const { dial, events } = bench()
    const { events: socket } = await dial('v1')
    const body = JSON.stringify({ result: 'error', reason: refusal.reason })
    socket.refused({ kind: 'http', status: refusal.status, retryAfterMs: 3_000, body })
    const event = events.at(-1)
    assert.ok(event?.kind === 'refused')
    assert.deepEqual([event.refusal.status, event.refusal.retryAfterMs], [expected, 3_000])
  })
}

test('without a nonce nothing is dialed, and that is a refusal like others', async () => {
  const { fleet, opened, events } = bench(async () => Promise.reject(new NonceError('no nonce')))
  fleet.obey([{ kind: 'dial', feed: 'ws', url: URLS.ws }])
  await settled()
  assert.deepEqual(opened, [])
  const event = events.at(-1)
  assert.ok(event?.kind === 'refused')
  assert.equal(event.refusal.reason, 'no nonce')
})

test('a feed is dialed once at a time, and a connection is sent to and ended by its number', async () => {
  const nonce = Promise.withResolvers<bigint>()
  const { fleet, opened, did, dial } = bench(async () => await nonce.promise)
  fleet.obey([
    { kind: 'dial', feed: 'v1', url: URLS.v1 },
    { kind: 'dial', feed: 'v1', url: URLS.v1 },
  ])
  nonce.resolve(1n)
  await settled()
  assert.equal(opened.length, 1)
  await dial('ws')
  fleet.obey([
    { kind: 'send', connection: 2, text: 'hello' },
    { kind: 'hang_up', connection: 1 },
    { kind: 'send', connection: 1, text: 'to nobody' },
  ])
  assert.deepEqual(did, ['hello', 'terminate'])
})

test('while the journal is full, and after the end, nothing is written down and nothing is dialed', async () => {
  const { fleet, opened, did, events, dial } = bench()
  const { events: socket } = await dial('v1')
  fleet.hold()
  socket.frame(Buffer.from('{}'), false)
  fleet.obey([{ kind: 'dial', feed: 'ws', url: URLS.ws }])
  await settled()
  assert.deepEqual([did, opened.length, events.length], [['terminate'], 1, 1])
  fleet.release()
  await dial('ws')
  fleet.close()
  assert.deepEqual([did.at(-1), opened.length], ['end', 2])
  fleet.obey([{ kind: 'dial', feed: 'v1', url: URLS.v1 }])
  await settled()
  assert.equal(opened.length, 2)
})
