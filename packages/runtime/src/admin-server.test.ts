import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { after, test } from 'node:test'
import { type AdminServer, AdminServerError, createAdminServer, MAX_CONNECTIONS } from './admin-server.ts'

const failures: string[] = []
const server = createAdminServer({
  routes: {
    '/livez': () => Promise.resolve({ status: 200, contentType: 'text/plain', body: 'ok\n' }),
    '/told': ({ query, acceptsGzip }) =>
      Promise.resolve({
        status: 200,
        contentType: 'text/plain',
        body: new TextEncoder().encode(`${query.get('symbol')} ${acceptsGzip}`),
        headers: { 'cache-control': 'private', vary: 'accept-encoding' },
      }),
    '/broken': () => Promise.reject(new Error('canary: /secret/path')),
  },
  onError: (path, error) => failures.push(`${path} ${String(error)}`),
})
const { port, url } = await server.start('127.0.0.1', 0)
after(() => server.stop())

for (const [method, path, status, body] of [
  ['GET', '/livez', 200, 'ok\n'],
  ['GET', '/livez?verbose', 200, 'ok\n'],
  ['HEAD', '/livez', 200, ''],
  ['GET', '/nothing', 404, 'not found; there is /livez, /told, /broken\n'],
  ['GET', '/__proto__', 404, 'not found; there is /livez, /told, /broken\n'],
  ['GET', '/constructor', 404, 'not found; there is /livez, /told, /broken\n'],
  ['POST', '/livez', 405, 'only GET and HEAD are answered here\n'],
  ['DELETE', '/nothing', 405, 'only GET and HEAD are answered here\n'],
  ['GET', '/broken', 500, 'this page failed; the log says why\n'],
] as const) {
  test(`${method} ${path} is answered ${status}`, async () => {
    const response = await fetch(url + path, { method, ...(method === 'POST' ? { body: 'x'.repeat(100_000) } : {}) })
    assert.equal(response.status, status)
    assert.equal(await response.text(), body)
    assert.equal(response.headers.get('x-content-type-options'), 'nosniff')
  })
}

test('a route is told the query and what may be compressed, and adds headers of its own', async () => {
  const plain = await fetch(`${url}/told?symbol=btcusd&x`, { headers: { 'accept-encoding': 'identity' } })
  assert.equal(await plain.text(), 'btcusd false')
  assert.deepEqual([plain.headers.get('cache-control'), plain.headers.get('vary')], ['private', 'accept-encoding'])
  const packed = await fetch(`${url}/told?symbol=%3Cb%3E`, { headers: { 'accept-encoding': 'br, gzip' } })
  assert.equal(await packed.text(), '<b> true')
})

test('an answer that is not read to its end in time closes its connection', async () => {
  const large = new Uint8Array(64 * 2 ** 20) // more than the system takes of it into its buffers
  const slow = createAdminServer({
    routes: { '/large': () => Promise.resolve({ status: 200, contentType: 'text/plain', body: large }) },
    answerTimeoutMs: 50,
  })
  const address = await slow.start('127.0.0.1', 0)
  const client = connect(address.port, '127.0.0.1')
  await once(client, 'connect')
  client.write('GET /large HTTP/1.1\r\nhost: x\r\n\r\n')
  const cut = once(client, 'error', { signal: AbortSignal.timeout(20_000) })
  client.pause() // and never read
  const knocking = setInterval(() => client.write('\r\n'), 5) // which is how one that does not read learns of it
  await cut
  clearInterval(knocking)
  await slow.stop()
})

test('what made a page fail goes to the log', () => {
  assert.deepEqual(failures, ['/broken Error: canary: /secret/path'])
})

test('headers beyond 8 KiB are refused', async () => {
  const response = await fetch(`${url}/livez`, { headers: { large: 'x'.repeat(9000) } })
  assert.equal(response.status, 431)
})

test('silent connections without end do not keep the liveness probe out', async () => {
  const silent: Socket[] = []
  let closed = 0
  for (let i = 0; i < 4 * MAX_CONNECTIONS; i++) {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => undefined) // being closed is what happens to most of them
    socket.on('close', () => closed++)
    silent.push(socket)
    await once(socket, 'connect')
    socket.write('GET /livez HTTP/1.1\r\nslow: ') // and never more
  }
  const response = await fetch(`${url}/livez`)
  assert.equal(await response.text(), 'ok\n')
  assert.ok(closed >= 2 * MAX_CONNECTIONS, `${closed} of ${silent.length} were closed`)
  for (const socket of silent) socket.destroy()
})

for (const [name, host, wanted, sentence] of [
  [
    'a port that is taken',
    '127.0.0.1',
    port,
    `port ${port} on 127.0.0.1 is already taken by another program: set BOOKTAPE_HTTP_PORT to another one.`,
  ],
  [
    'an address that is not here',
    '192.0.2.1',
    0,
    'cannot listen on 192.0.2.1 (EADDRNOTAVAIL): set BOOKTAPE_HTTP_HOST to another one.',
  ],
] as const) {
  test(`${name} is refused in one sentence that names the setting`, async () => {
    await assert.rejects(empty().start(host, wanted), (error: unknown) => {
      assert.ok(error instanceof AdminServerError)
      assert.equal(error.message, sentence)
      return true
    })
  })
}

test('after a stop the port is free at once, even while a client keeps its connection', async () => {
  const first = empty()
  const address = await first.start('127.0.0.1', 0)
  const client = connect(address.port, '127.0.0.1')
  await once(client, 'connect')
  client.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
  await once(client, 'data')
  const clientClosed = once(client, 'close')
  await first.stop()
  await clientClosed
  const second = empty()
  assert.equal((await second.start('127.0.0.1', address.port)).port, address.port)
  await second.stop()
})

function empty(): AdminServer {
  return createAdminServer({ routes: {} })
}
