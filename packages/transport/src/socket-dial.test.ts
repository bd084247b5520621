import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { createLookup } from './lookup.ts'
import { type Script, startPeer, upgradeAnswer, Witness } from './raw-peer.fixture.ts'
import { openSocket, type SocketOptions } from './socket.ts'

const clock = { wallNs: () => 0n }
const DEADLINE = { dialDeadlineMs: 100 } // for peers that never answer; all others are waited for by event

function dial(port: number, more: Partial<SocketOptions> = {}): Witness {
  const witness = new Witness()
  openSocket({ url: `ws://127.0.0.1:${port}/v1/marketdata/BTCUSD`, clock, events: witness.events, ...more })
  return witness
}

function answers(...parts: string[]): Script {
  return (connection) => connection.end(parts.join('\r\n'))
}

const refusals: readonly (readonly [string, Script, unknown])[] = [
  [
    '429 with Retry-After',
    answers('HTTP/1.1 429 Too Many Requests', 'Retry-After: 3', 'Content-Length: 22', '', '{"reason":"RateLimit"}'),
    { kind: 'http', status: 429, retryAfterMs: 3000, body: '{"reason":"RateLimit"}' },
  ],
  [
    '503 with a page and no length',
    answers('HTTP/1.1 503 Service Unavailable', '', '<html>maintenance</html>'),
    { kind: 'http', status: 503, retryAfterMs: null, body: '<html>maintenance</html>' },
  ],
  [
    '404 with an empty body',
    answers('HTTP/1.1 404 Not Found', 'Content-Length: 0', '', ''),
    { kind: 'http', status: 404, retryAfterMs: null, body: '' },
  ],
  [
    'a body longer than 4 KiB',
    answers('HTTP/1.1 403 Forbidden', '', 'x'.repeat(10_000)),
    { kind: 'http', status: 403, retryAfterMs: null, body: 'x'.repeat(4096) },
  ],
  [
    'a body cut short',
    answers('HTTP/1.1 502 Bad Gateway', 'Content-Length: 100', '', 'only this'),
    { kind: 'http', status: 502, retryAfterMs: null, body: 'only this' },
  ],
  [
    'plain 200 instead of an upgrade',
    answers('HTTP/1.1 200 OK', 'Content-Length: 2', '', 'ok'),
    { kind: 'http', status: 200, retryAfterMs: null, body: 'ok' },
  ],
  [
    '101 without an accept key',
    answers('HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade', '', ''),
    { kind: 'network', code: 'BAD_HANDSHAKE', message: 'Invalid Sec-WebSocket-Accept header' },
  ],
  [
    '101 with compression nobody asked for',
    (connection, request) => connection.end(upgradeAnswer(request, 'Sec-WebSocket-Extensions: permessage-deflate')),
    {
      kind: 'network',
      code: 'BAD_HANDSHAKE',
      message: 'Server sent a Sec-WebSocket-Extensions header but no extension was requested',
    },
  ],
  [
    'an end without an answer',
    (connection) => connection.end(),
    { kind: 'network', code: 'ECONNRESET', message: 'socket hang up' },
  ],
]

for (const [name, script, refusal] of refusals) {
  test(`an upgrade answered by ${name} is refused once, and nothing follows`, async (t) => {
    const peer = await startPeer(t, script)
    const witness = dial(peer.port)
    await witness.sees('refused')
    await peer.left
    assert.deepEqual(witness.lines, [`refused ${JSON.stringify(refusal)}`])
  })
}

for (const [name, bytes, code] of [
  ['bytes that are not HTTP', 'SSH-2.0-OpenSSH_9.2\r\n', 'HPE_INVALID_CONSTANT'],
  ['a megabyte of headers', `HTTP/1.1 101 OK\r\nX-Long: ${'x'.repeat(1024 * 1024)}\r\n\r\n`, 'HPE_HEADER_OVERFLOW'],
] as const) {
  test(`${name} in answer to an upgrade are refused as ${code}`, async (t) => {
    const peer = await startPeer(t, answers(bytes))
    const witness = dial(peer.port)
    await witness.sees('refused')
    assert.equal(witness.lines.length, 1)
    assert.match(witness.lines[0] ?? '', new RegExp(`^refused {"kind":"network","code":"${code}"`))
  })
}

test('a redirect is reported and not followed', async (t) => {
  const elsewhere = await startPeer(t, (connection, request) => connection.write(upgradeAnswer(request)))
  const location = `Location: ws://127.0.0.1:${elsewhere.port}/`
  const peer = await startPeer(t, answers('HTTP/1.1 301 Moved Permanently', location, 'Content-Length: 0', '', ''))
  const witness = dial(peer.port)
  await witness.sees('refused')
  await peer.left
  assert.deepEqual(witness.lines, ['refused {"kind":"http","status":301,"retryAfterMs":null,"body":""}'])
  assert.equal(elsewhere.connections.length, 0)
})

test('a Retry-After date is read against the wall clock', async (t) => {
  const retryAt = 'Retry-After: Wed, 21 Oct 2026 07:28:00 GMT'
  const peer = await startPeer(t, answers('HTTP/1.1 503 No', retryAt, 'Content-Length: 0', '', ''))
  const witness = dial(peer.port, { clock: { wallNs: () => BigInt(Date.UTC(2026, 9, 21, 7, 27, 30)) * 1_000_000n } })
  await witness.sees('refused')
  assert.deepEqual(witness.lines, ['refused {"kind":"http","status":503,"retryAfterMs":30000,"body":""}'])
})

test('a port where nobody listens is refused as ECONNREFUSED', async () => {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  server.close()
  await once(server, 'close')
  const witness = dial(address.port)
  await witness.sees('refused')
  assert.deepEqual(witness.lines, [
    `refused {"kind":"network","code":"ECONNREFUSED","message":"connect ECONNREFUSED 127.0.0.1:${address.port}"}`,
  ])
})

test('an upgrade that is never answered times out, and the connection is dropped', async (t) => {
  const peer = await startPeer(t, () => {})
  const witness = dial(peer.port, { limits: DEADLINE })
  await witness.sees('refused')
  await peer.left
  assert.deepEqual(witness.lines, ['refused {"kind":"timeout"}'])
})

test('interim answers without end do not move the deadline', async (t) => {
  const peer = await startPeer(t, (connection) => {
    const more = (): void => {
      if (connection.writable) connection.write('HTTP/1.1 100 Continue\r\n\r\n', () => setImmediate(more))
    }
    more()
  })
  const witness = dial(peer.port, { limits: DEADLINE })
  await witness.sees('refused')
  assert.deepEqual(witness.lines, ['refused {"kind":"timeout"}'])
})

test('a refusal whose body never ends is reported at the deadline with what came', async (t) => {
  const peer = await startPeer(t, (connection) => connection.write('HTTP/1.1 429 No\r\nRetry-After: 7\r\n\r\nslow'))
  const witness = dial(peer.port, { limits: DEADLINE })
  await witness.sees('refused')
  await peer.left
  assert.deepEqual(witness.lines, ['refused {"kind":"http","status":429,"retryAfterMs":7000,"body":"slow"}'])
})

test('the dial deadline covers a name lookup that hangs', async () => {
  const witness = dial(1, { url: 'ws://localhost:1/', limits: DEADLINE, lookup: () => {} })
  await witness.sees('refused')
  assert.deepEqual(witness.lines, ['refused {"kind":"timeout"}'])
})

test('a venue name that resolves to loopback is refused before any connection', async (t) => {
  const peer = await startPeer(t, (connection, request) => connection.write(upgradeAnswer(request)))
  const lookup = createLookup({ resolve: async () => [{ address: '127.0.0.1', family: 4 }] })
  const witness = dial(0, { url: `wss://venue.test:${peer.port}/`, lookup })
  await witness.sees('refused')
  assert.deepEqual(witness.lines, [
    'refused {"kind":"network","code":"PRIVATE_ADDRESS","message":"venue.test resolves to 127.0.0.1, which is not public"}',
  ])
  assert.equal(peer.connections.length, 0)
})

for (const give of ['end', 'terminate'] as const) {
  test(`${give} before the answer is refused as TERMINATED, after the call has returned`, async (t) => {
    const peer = await startPeer(t, () => {})
    const witness = new Witness()
    const socket = openSocket({ url: `ws://127.0.0.1:${peer.port}/`, clock, events: witness.events })
    socket[give]()
    assert.deepEqual(witness.lines, [])
    socket[give]()
    await witness.sees('refused')
    assert.deepEqual(witness.lines, [
      'refused {"kind":"network","code":"TERMINATED","message":"the dial was given up by us"}',
    ])
    assert.equal(socket.send('late'), false)
  })
}

for (const url of [
  'ws://api.gemini.com/',
  'https://api.gemini.com/',
  'wss://user:pw@api.gemini.com/',
  'wss://10.0.0.1/',
]) {
  test(`${url} is not dialed at all`, () => {
    assert.throws(() => openSocket({ url, clock, events: new Witness().events }), { name: 'InvariantError' })
  })
}

test('what we ask for is a plain upgrade: no compression, the path as given', async (t) => {
  const asked = Promise.withResolvers<string>()
  const peer = await startPeer(t, (connection, request) => {
    asked.resolve(request)
    connection.end()
  })
  const witness = dial(peer.port, { url: `ws://127.0.0.1:${peer.port}/v1/marketdata/BTCUSD?heartbeat=true` })
  await witness.sees('refused')
  const request = await asked.promise
  assert.match(request, /^GET \/v1\/marketdata\/BTCUSD\?heartbeat=true HTTP\/1.1\r\n/)
  assert.doesNotMatch(request, /sec-websocket-extensions/i)
})

for (const event of ['opened', 'frame', 'closed'] as const) {
  test(`a listener that throws in ${event} ends the process, it is not swallowed`, async (t) => {
    const peer = await startPeer(t, (connection, request) => {
      connection.write(upgradeAnswer(request))
      connection.write(Buffer.from([0x81, 2, 0x68, 0x69]))
      connection.end(Buffer.from([0x88, 2, 0x03, 0xe9]))
    })
    const program = `
      const { openSocket } = await import(${JSON.stringify(new URL('./socket.ts', import.meta.url).href)})
      const quiet = () => {}
      const loud = () => { throw new Error('the listener broke') }
      openSocket({
        url: 'ws://127.0.0.1:${peer.port}/',
        clock: { wallNs: () => 0n },
        events: { opened: quiet, frame: quiet, refused: quiet, closed: quiet, ${event}: loud },
      })`
    const ended = await new Promise<{ code: unknown; stderr: string }>((resolve) => {
      execFile(process.execPath, ['--input-type=module', '--eval', program], (error, _, stderr) => {
        resolve({ code: error?.code, stderr })
      })
    })
    assert.equal(ended.code, 1)
    assert.match(ended.stderr, /the listener broke/)
  })
}
