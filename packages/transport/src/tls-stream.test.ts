import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, type TestContext, test } from 'node:test'
import { TLSSocket, type TLSSocketOptions } from 'node:tls'
import { closeFrame, FIN, frame, TEXT, upgradeAnswer, Witness } from './raw-peer.fixture.ts'
import { openSocket } from './socket.ts'

// What may happen to TLS in the middle of a stream.

const folder = mkdtempSync(join(tmpdir(), 'booktape-tls-stream-'))
after(() => rmSync(folder, { recursive: true }))
const certificate = makeCertificate()
const skip = certificate === null ? 'openssl is not installed, so there are no certificates' : false

test('keys negotiated anew in mid-stream: every message comes, in order', { skip }, async (t) => {
  const { witness, secure } = await connect(t, { maxVersion: 'TLSv1.2' })
  secure.write(frame(FIN | TEXT, 'before'))
  await witness.sees('text before')
  const renegotiated = Promise.withResolvers<Error | null>()
  secure.renegotiate({}, (error) => renegotiated.resolve(error))
  secure.write(frame(FIN | TEXT, 'between'))
  assert.equal(await renegotiated.promise, null)
  secure.end(Buffer.concat([frame(FIN | TEXT, 'after'), closeFrame(1001)]))
  await witness.sees('closed')
  assert.deepEqual(witness.lines, ['opened', 'text before', 'text between', 'text after', 'closed 1001'])
})

for (const [what, version, spoil] of [
  ['an alert', 'TLSv1.2', (raw: Socket) => raw.write(Buffer.of(21, 3, 3, 0, 2, 2, 20))],
  ['bytes that are no record', 'TLSv1.3', (raw: Socket) => raw.write('these are no TLS record at all')],
  [
    'a record of another key',
    'TLSv1.3',
    (raw: Socket) => raw.write(Buffer.concat([Buffer.of(23, 3, 3, 0, 32), Buffer.alloc(32, 7)])),
  ],
  ['a reset', 'TLSv1.3', (raw: Socket) => raw.resetAndDestroy()],
] as const) {
  test(`${what} in mid-stream closes once, and half a message is never given`, { skip }, async (t) => {
    const { witness, secure, raw } = await connect(t, { minVersion: version, maxVersion: version })
    secure.write(Buffer.concat([frame(FIN | TEXT, 'before'), frame(FIN | TEXT, 'half of this').subarray(0, 6)]))
    await witness.sees('text before')
    spoil(raw)
    await witness.sees('closed')
    assert.equal(witness.lines.length, 3)
    assert.deepEqual(witness.lines.slice(0, 2), ['opened', 'text before'])
    assert.match(witness.lines[2] ?? '', /^closed 1006 (ERR_SSL_|ECONNRESET)/)
  })
}

type Line = Readonly<{ witness: Witness; secure: TLSSocket; raw: Socket }>

/** An open connection whose server end can write below its own TLS. */
async function connect(t: TestContext, options: TLSSocketOptions): Promise<Line> {
  const accepted = Promise.withResolvers<{ secure: TLSSocket; raw: Socket }>()
  const server = createServer((raw) => {
    const secure = new TLSSocket(raw, { isServer: true, ...certificate, ...options })
    raw.on('error', () => undefined)
    secure.on('error', () => undefined) // what is done to it here is done on purpose
    secure.once('data', (chunk: Buffer) => {
      secure.write(upgradeAnswer(chunk.toString()))
      accepted.resolve({ secure, raw })
    })
    t.after(() => raw.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const witness = new Witness()
  const { port } = server.address() as AddressInfo
  const ca = certificate?.cert ?? ''
  const socket = openSocket({
    url: `wss://localhost:${port}/`,
    clock: { wallNs: () => 0n },
    events: witness.events,
    ca,
  })
  t.after(() => socket.terminate())
  await witness.sees('opened')
  return { witness, ...(await accepted.promise) }
}

function makeCertificate(): { key: string; cert: string } | null {
  const key = join(folder, 'key.pem')
  const cert = join(folder, 'cert.pem')
  const words = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=test -addext subjectAltName=DNS:localhost -keyout ${key} -out ${cert}`
  try {
    execFileSync('openssl', words.split(' '), { stdio: 'ignore' })
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
  return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') }
}
