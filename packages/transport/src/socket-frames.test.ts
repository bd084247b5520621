import assert from 'node:assert/strict'
import type { Socket as TcpSocket } from 'node:net'
import { type TestContext, test } from 'node:test'
import {
  BINARY,
  CLOSE,
  CONTINUATION,
  closeFrame,
  FIN,
  frame,
  type Peer,
  PING,
  startPeer,
  TEXT,
  upgradeAnswer,
  Witness,
} from './raw-peer.fixture.ts'
import { openSocket, type Socket } from './socket.ts'
import type { SocketLimits } from './socket-limits.ts'

const RSV1 = 0x40
const RSV2 = 0x20
const SHORT = { closeDeadlineMs: 100 } // for peers that never answer; all others are waited for by event
const TOO_LATE = { timeout: 10_000 } // what fails a test whose deadline was not kept
const PATIENT = { closeDeadlineMs: 60_000 } // where the deadline must not be what ends it

type Line = Readonly<{ witness: Witness; socket: Socket; peer: Peer; connection: TcpSocket }>

/** An open connection to a peer whose side the test writes by hand. */
async function connect(t: TestContext, limits: Partial<SocketLimits> = PATIENT, first?: Buffer): Promise<Line> {
  const accepted = Promise.withResolvers<TcpSocket>()
  const peer = await startPeer(t, (connection, request) => {
    connection.setNoDelay()
    connection.write(Buffer.concat([Buffer.from(upgradeAnswer(request)), first ?? Buffer.of()]))
    accepted.resolve(connection)
  })
  const witness = new Witness()
  const url = `ws://127.0.0.1:${peer.port}/`
  const socket = openSocket({ url, clock: { wallNs: () => 0n }, events: witness.events, limits })
  t.after(() => socket.terminate())
  await witness.sees('opened')
  return { witness, socket, peer, connection: await accepted.promise }
}

const text = (payload: string | Uint8Array): Buffer => frame(FIN | TEXT, payload)

for (const [name, bytes, lines] of [
  ['a text message', [text('{"a":1}')], ['text {"a":1}']],
  ['an empty message', [text('')], ['text ']],
  ['a binary message', [frame(FIN | BINARY, Buffer.of(0, 255))], ['binary 00ff']],
  ['a message of 126 bytes', [text('x'.repeat(126))], [`text ${'x'.repeat(126)}`]],
  ['a message of 70,000 bytes', [text('y'.repeat(70_000))], [`text ${'y'.repeat(70_000)}`]],
  ['a character cut by a fragment', [frame(TEXT, Buffer.of(0xe2, 0x82)), frame(FIN, Buffer.of(0xac))], ['text €']],
  ['a ping between fragments', [frame(TEXT, 'a'), frame(FIN | PING, 'p'), frame(FIN, 'b')], ['text ab']],
  ['three messages at once', [text('1'), text('2'), text('3')], ['text 1', 'text 2', 'text 3']],
] as const) {
  const whole = Buffer.concat([...bytes, closeFrame(1001, 'going away')])
  const expected = ['opened', ...lines, 'closed 1001 going away']

  test(`${name} is reported as it was sent`, async (t) => {
    const { witness, connection } = await connect(t)
    connection.end(whole)
    await witness.sees('closed')
    assert.deepEqual(witness.lines, expected)
  })

  if (whole.length > 1000) continue
  test(`${name} is the same when every byte comes in a segment of its own`, async (t) => {
    const { witness, connection } = await connect(t)
    await writeSlowly(connection, whole)
    connection.end()
    await witness.sees('closed')
    assert.deepEqual(witness.lines, expected)
  })
}

test('a message sent together with the upgrade answer is not lost', async (t) => {
  const { witness, connection } = await connect(t, PATIENT, text('{"type":"update"}'))
  connection.end(closeFrame(1000))
  await witness.sees('closed')
  assert.deepEqual(witness.lines, ['opened', 'text {"type":"update"}', 'closed 1000'])
})

test('the bytes of a message stay what they were while thousands more come', async (t) => {
  const { witness, connection } = await connect(t)
  const sent = Array.from({ length: 5_000 }, (_, i) => `message ${i} ${'z'.repeat(i % 300)}`)
  connection.end(Buffer.concat([...sent.map(text), closeFrame(1000)]))
  await witness.sees('closed')
  const kept = witness.frames.map((bytes) => Buffer.from(bytes).toString())
  assert.deepEqual(kept, sent)
})

const hostile: readonly (readonly [string, Buffer, string, Partial<SocketLimits>?])[] = [
  ['a text that is not UTF-8', text(Buffer.of(0xc3, 0x28)), 'WS_ERR_INVALID_UTF8'],
  ['a surrogate in UTF-8', text(Buffer.of(0xed, 0xa0, 0x80)), 'WS_ERR_INVALID_UTF8'],
  ['a masked frame', Buffer.of(FIN | TEXT, 0x81, 1, 2, 3, 4, 0x60), 'WS_ERR_UNEXPECTED_MASK'],
  ['a compressed frame', frame(FIN | RSV1 | TEXT, Buffer.of(0xca, 0x48, 0x04, 0x00)), 'WS_ERR_UNEXPECTED_RSV_1'],
  ['a reserved bit', frame(FIN | RSV2 | TEXT, 'a'), 'WS_ERR_UNEXPECTED_RSV_2_3'],
  ['a reserved opcode', frame(FIN | 0x3, 'a'), 'WS_ERR_INVALID_OPCODE'],
  ['a reserved control opcode', frame(FIN | 0xb, 'a'), 'WS_ERR_INVALID_OPCODE'],
  ['a continuation of nothing', frame(FIN | CONTINUATION, 'a'), 'WS_ERR_INVALID_OPCODE'],
  ['a message inside a message', Buffer.concat([frame(TEXT, 'a'), frame(TEXT, 'b')]), 'WS_ERR_INVALID_OPCODE'],
  ['a ping in fragments', frame(PING, 'a'), 'WS_ERR_EXPECTED_FIN'],
  ['a ping of 126 bytes', frame(FIN | PING, 'p'.repeat(126)), 'WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH'],
  ['a close of one byte', frame(FIN | CLOSE, 'a'), 'WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH'],
  ['a close code of the reserved ones', closeFrame(1005), 'WS_ERR_INVALID_CLOSE_CODE'],
  ['a close reason that is not UTF-8', frame(FIN | CLOSE, Buffer.of(3, 232, 0xff)), 'WS_ERR_INVALID_UTF8'],
  ['a message over the limit', text('x'.repeat(101)), 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH', { maxMessageBytes: 100 }],
  [
    'a message over the limit in fragments',
    Buffer.concat([frame(TEXT, 'x'.repeat(100)), frame(FIN, 'x')]),
    'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH',
    { maxMessageBytes: 100 },
  ],
  [
    'a length of 16 MiB and one byte, before its bytes come',
    Buffer.of(FIN | BINARY, 127, 0, 0, 0, 0, 1, 0, 0, 1),
    'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH',
  ],
  [
    'a length past 2^53',
    Buffer.of(FIN | BINARY, 127, 0x7f, 255, 255, 255, 255, 255, 255, 255),
    'WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH',
  ],
  [
    '1,025 fragments',
    Buffer.concat([frame(TEXT, 'a'), ...Array.from({ length: 1024 }, () => frame(CONTINUATION, 'a'))]),
    'WS_ERR_TOO_MANY_BUFFERED_PARTS',
  ],
]

for (const [name, bytes, code, limits] of hostile) {
  test(`${name} closes once as ${code}, and nothing after it is read`, async (t) => {
    const { witness, connection } = await connect(t, { ...PATIENT, ...limits })
    connection.on('data', () => connection.end()) // our close frame
    connection.write(Buffer.concat([text('before'), bytes, text('after')]))
    await witness.sees('closed')
    assert.deepEqual(witness.lines, ['opened', 'text before', `closed 1006 ${code}`])
  })
}

test('a message at both limits is whole: 1,024 bytes of 1,024 in 1,024 fragments', async (t) => {
  const { witness, connection } = await connect(t, { ...PATIENT, maxMessageBytes: 1024 })
  const fragments = [frame(TEXT, 'a'), ...Array.from({ length: 1022 }, () => frame(CONTINUATION, 'a')), frame(FIN, 'a')]
  connection.end(Buffer.concat([...fragments, closeFrame(1000)]))
  await witness.sees('closed')
  assert.deepEqual(witness.lines, ['opened', `text ${'a'.repeat(1024)}`, 'closed 1000'])
})

test('half a frame and a reset: closed 1006 once, and no part of the message', async (t) => {
  const { witness, connection } = await connect(t)
  connection.write(Buffer.concat([text('whole'), text('half of this').subarray(0, 6)]))
  await witness.sees('text whole')
  connection.resetAndDestroy()
  await witness.sees('closed')
  assert.deepEqual(witness.lines, ['opened', 'text whole', 'closed 1006 ECONNRESET'])
})

test('half a frame and an end: closed 1006 once, and no part of the message', async (t) => {
  const { witness, connection } = await connect(t)
  connection.end(text('half of this').subarray(0, 6))
  await witness.sees('closed')
  assert.deepEqual(witness.lines, ['opened', 'closed 1006'])
})

test('a close without a code is 1005', async (t) => {
  const { witness, connection } = await connect(t)
  connection.end(frame(FIN | CLOSE))
  await witness.sees('closed')
  assert.deepEqual(witness.lines, ['opened', 'closed 1005'])
})

test('end() is answered by the peer with the same code', async (t) => {
  const { witness, socket, connection } = await connect(t)
  connection.once('data', () => connection.end(closeFrame(1000)))
  socket.end()
  assert.equal(socket.send('late'), false)
  await witness.sees('closed')
  assert.deepEqual(witness.lines, ['opened', 'closed 1000'])
})

test('end() with a deaf peer is over at its deadline', TOO_LATE, async (t) => {
  const { witness, socket, peer } = await connect(t, SHORT)
  socket.end()
  socket.end()
  await witness.sees('closed')
  await peer.left
  assert.deepEqual(witness.lines, ['opened', 'closed 1006 CLOSE_TIMEOUT'])
})

test(
  'a peer that closes and then keeps the connection is left at the deadline, with its own code',
  TOO_LATE,
  async (t) => {
    const { witness, connection, peer } = await connect(t, SHORT)
    connection.write(closeFrame(1012, 'restart'))
    await witness.sees('closed')
    await peer.left
    assert.deepEqual(witness.lines, ['opened', 'closed 1012 restart'])
  },
)

test('a peer that breaks the protocol and is then deaf is left at the deadline', TOO_LATE, async (t) => {
  const { witness, connection } = await connect(t, SHORT)
  connection.write(frame(FIN | 0x3))
  await witness.sees('closed')
  assert.deepEqual(witness.lines, ['opened', 'closed 1006 WS_ERR_INVALID_OPCODE'])
})

test('terminate() closes at once, and only once', async (t) => {
  const { witness, socket, peer } = await connect(t)
  socket.terminate()
  assert.deepEqual(witness.lines, ['opened'])
  socket.terminate()
  await witness.sees('closed')
  await peer.left
  socket.end()
  socket.terminate()
  assert.deepEqual(witness.lines, ['opened', 'closed 1006 TERMINATED'])
})

test('what we send arrives, and a buffer that would pass its limit takes nothing', async (t) => {
  const { socket, connection } = await connect(t, { ...PATIENT, maxSendBuffer: 20 })
  const arrived = new Promise<Buffer>((resolve) => connection.once('data', resolve))
  assert.equal(socket.send('twenty bytes exactly'), true)
  assert.equal(socket.send('and one byte above it'), false)
  assert.equal(unmasked(await arrived), 'twenty bytes exactly')
})

test('a peer that stops reading fills our buffer up to its limit and no further', async (t) => {
  const { socket, connection } = await connect(t, { ...PATIENT, maxSendBuffer: 256 * 1024 })
  await sendUntilFull(socket, connection)
  assert.ok(socket.bufferedBytes > 0 && socket.bufferedBytes <= 256 * 1024 + 1024) // frame headers come on top
})

test('a peer that ends without a close and does not read what we sent is left at the deadline', TOO_LATE, async (t) => {
  const { witness, socket, connection } = await connect(t, { ...SHORT, maxSendBuffer: 256 * 1024 })
  await sendUntilFull(socket, connection)
  connection.end()
  await witness.sees('closed')
  assert.deepEqual(witness.lines, ['opened', 'closed 1006 CLOSE_TIMEOUT'])
})

test('a paused socket holds messages back, resumed it gives all of them in order', async (t) => {
  const paused = await connect(t)
  const other = await connect(t)
  paused.socket.pause()
  paused.connection.write(Buffer.concat([text('1'), text('2')]))
  // Both are read by the same loop: once the other line has been there and back twice, this one could have been read.
  for (const round of ['a', 'b']) {
    other.connection.write(text(round))
    await other.witness.sees(`text ${round}`)
  }
  assert.deepEqual(paused.witness.lines, ['opened'])
  paused.socket.resume()
  await paused.witness.sees('text 2')
  assert.deepEqual(paused.witness.lines, ['opened', 'text 1', 'text 2'])
})

test('a pause asked for while dialing holds from the first message on', async (t) => {
  const other = await connect(t)
  const peer = await startPeer(t, (connection, request) => {
    connection.write(Buffer.concat([Buffer.from(upgradeAnswer(request)), text('1')]))
  })
  const witness = new Witness()
  const socket = openSocket({
    url: `ws://127.0.0.1:${peer.port}/`,
    clock: { wallNs: () => 0n },
    events: witness.events,
  })
  t.after(() => socket.terminate())
  socket.pause()
  await witness.sees('opened')
  for (const round of ['a', 'b']) {
    other.connection.write(text(round))
    await other.witness.sees(`text ${round}`)
  }
  assert.deepEqual(witness.lines, ['opened'])
  socket.resume()
  await witness.sees('text 1')
})

async function sendUntilFull(socket: Socket, connection: TcpSocket): Promise<void> {
  connection.pause()
  const message = 'm'.repeat(64 * 1024)
  for (let sent = 0; socket.send(message); sent++) {
    assert.ok(sent < 10_000, 'the system takes no more than some MB')
    await new Promise((resolve) => setImmediate(resolve))
  }
}

async function writeSlowly(connection: TcpSocket, bytes: Buffer): Promise<void> {
  for (const byte of bytes) {
    await new Promise((resolve) => connection.write(Buffer.of(byte), resolve))
    await new Promise((resolve) => setImmediate(resolve)) // the reader's turn, or the kernel merges them again
  }
}

/** The text of one masked client frame shorter than 126 bytes. */
function unmasked(bytes: Buffer): string {
  const mask = bytes.subarray(2, 6)
  return Buffer.from(bytes.subarray(6).map((byte, i) => byte ^ (mask[i % 4] ?? 0))).toString()
}
