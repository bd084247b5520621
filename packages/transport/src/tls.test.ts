import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, type TestContext, test } from 'node:test'
import { createServer, type TlsOptions } from 'node:tls'
import { startPeer, upgradeAnswer, Witness } from './raw-peer.fixture.ts'
import { createRestClient } from './rest-client.ts'
import { openSocket } from './socket.ts'

type Certificate = Readonly<{ key: string; cert: string }>

const folder = mkdtempSync(join(tmpdir(), 'booktape-tls-'))
after(() => rmSync(folder, { recursive: true }))

const right = makeCertificate('right', 'DNS:localhost')
const wrongName = makeCertificate('wrong-name', 'DNS:api.gemini.com')
const expired = makeCertificate('expired', 'DNS:localhost', -1)
const skip = right === null ? 'openssl is not installed, so there are no certificates' : false

for (const [name, certificate, believed, refusal] of [
  ['self-signed', right, null, 'DEPTH_ZERO_SELF_SIGNED_CERT'],
  ['signed by an authority that is not the one believed', right, wrongName, 'DEPTH_ZERO_SELF_SIGNED_CERT'],
  ['that has expired', expired, expired, 'CERT_HAS_EXPIRED'],
  ['for another name', wrongName, wrongName, 'ERR_TLS_CERT_ALTNAME_INVALID'],
] as const) {
  for (const env of [undefined, '0']) {
    const under = env === undefined ? '' : ' even with NODE_TLS_REJECT_UNAUTHORIZED=0'
    test(`a certificate ${name} is refused as ${refusal}${under}`, { skip }, async (t) => {
      setEnv(t, env)
      const server = await serve(t, { ...certificate })
      const witness = dial(t, server.port, believed)
      await witness.sees('refused')
      assert.equal(witness.lines.length, 1)
      assert.match(witness.lines[0] ?? '', new RegExp(`^refused {"kind":"tls","code":"${refusal}"`))

      const reply = await restClient(server.port, believed).get('/v1/symbols', new AbortController().signal)
      assert.ok(reply.kind === 'failed')
      assert.match(reply.reason, new RegExp(`^GET /v1/symbols had no reply: ${refusal}: `))
      assert.deepEqual(server.requests, [])
    })
  }
}

test('the right certificate under the authority believed opens, and REST replies', { skip }, async (t) => {
  const server = await serve(t, { ...right })
  const witness = dial(t, server.port, right)
  await witness.sees('opened')
  const reply = await restClient(server.port, right).get('/v1/symbols', new AbortController().signal)
  assert.deepEqual(reply, { kind: 'reply', status: 200, body: '[]', retryAfterMs: null })
  assert.equal(server.requests.length, 2)
})

test('a server that knows nothing newer than TLS 1.1 is refused', { skip }, async (t) => {
  const old = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' } as const
  const server = await serve(t, { ...right, ...old })
  const witness = dial(t, server.port, right)
  await witness.sees('refused')
  assert.match(witness.lines[0] ?? '', /^refused {"kind":"tls","code":"(EPROTO|ERR_SSL_[A-Z_]+)"/)
  assert.deepEqual(server.requests, [])
})

test('a server that does not speak TLS is refused', async (t) => {
  const peer = await startPeer(t, () => {})
  const witness = new Witness()
  openSocket({ url: `wss://localhost:${peer.port}/`, clock: { wallNs: () => 0n }, events: witness.events })
  const connection = await peer.connected
  connection.end('HTTP/1.1 400 Bad Request\r\n\r\n')
  await witness.sees('refused')
  assert.match(witness.lines[0] ?? '', /^refused {"kind":"tls","code":"(EPROTO|ERR_SSL_[A-Z_]+)"/)
})

/** A server that answers upgrades with an open connection and any other GET with an empty JSON list. */
async function serve(t: TestContext, options: TlsOptions): Promise<{ port: number; requests: string[] }> {
  const requests: string[] = []
  const server = createServer(options, (connection) => {
    connection.on('error', () => {})
    connection.once('data', (chunk: Buffer) => {
      const request = chunk.toString()
      requests.push(request)
      if (/^upgrade: websocket/im.test(request)) connection.write(upgradeAnswer(request))
      else connection.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return { port: (server.address() as AddressInfo).port, requests }
}

function dial(t: TestContext, port: number, believed: Certificate | null): Witness {
  const witness = new Witness()
  const socket = openSocket({
    url: `wss://localhost:${port}/`,
    clock: { wallNs: () => 0n },
    events: witness.events,
    ...(believed === null ? {} : { ca: believed.cert }),
  })
  t.after(() => socket.terminate())
  return witness
}

function restClient(port: number, believed: Certificate | null): ReturnType<typeof createRestClient> {
  return createRestClient({
    baseUrl: `https://localhost:${port}`,
    budget: { acquire: async () => {} },
    clock: { wallNs: () => 0n },
    random: () => 0,
    wait: () => Promise.reject(new Error('a certificate does not get better by waiting')),
    ...(believed === null ? {} : { ca: believed.cert }),
  })
}

function setEnv(t: TestContext, value: string | undefined): void {
  if (value === undefined) return
  process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = value
  t.after(() => delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'])
}

/** A self-signed certificate; null when openssl cannot be run. With -1 for `days` it ended yesterday. */
function makeCertificate(name: string, subjectAltName: string, days = 1): Certificate | null {
  const [key, request, cert] = ['key', 'csr', 'pem'].map((ending) => join(folder, `${name}.${ending}`))
  assert.ok(key !== undefined && request !== undefined && cert !== undefined)
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key]
  const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=${subjectAltName}`]
  const signed = ['-signkey', key, '-days', String(days), '-copy_extensions', 'copy']
  try {
    execFileSync('openssl', ['req', '-new', ...curve, ...subject, '-out', request], { stdio: 'pipe' })
    execFileSync('openssl', ['x509', '-req', '-in', request, ...signed, '-out', cert], { stdio: 'pipe' })
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
  return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') }
}
