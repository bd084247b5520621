import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket as TcpSocket } from 'node:net'
import type { TestContext } from 'node:test'
import type { SocketEvents } from './socket.ts'

/** What a peer does with a connection once its request's headers are in. */
export type Script = (connection: TcpSocket, request: string) => void

export type Peer = Readonly<{
  port: number
  connections: readonly TcpSocket[]
  connected: Promise<TcpSocket> // the first connection, before it has said anything
  left: Promise<void> // the other side ended or cut the first connection
}>

/** A server on loopback that speaks whatever bytes its script writes. Gone when the test ends. */
export async function startPeer(t: TestContext, script: Script): Promise<Peer> {
  const connections: TcpSocket[] = []
  const connected = Promise.withResolvers<TcpSocket>()
  const left = Promise.withResolvers<void>()
  const server = createServer({ allowHalfOpen: true }, (connection) => {
    connections.push(connection)
    connected.resolve(connection)
    connection.on('error', () => {}) // resets are what these tests are about
    connection.on('end', left.resolve)
    connection.on('close', left.resolve)
    afterHeaders(connection, (request) => script(connection, request))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const connection of connections) connection.destroy()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, connections, connected: connected.promise, left: left.promise }
}

function afterHeaders(connection: TcpSocket, then: (request: string) => void): void {
  let request = ''
  const read = (chunk: Buffer): void => {
    request += chunk.toString('latin1')
    if (!request.includes('\r\n\r\n')) return
    connection.off('data', read)
    connection.resume()
    then(request)
  }
  connection.on('data', read)
}

/** The answer to an upgrade as RFC 6455, 4.2.2 wants it; `more` are further header lines. */
export function upgradeAnswer(request: string, ...more: string[]): string {
  const key = /^sec-websocket-key: (.*)$/im.exec(request)?.[1]?.trim() ?? ''
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
  const lines = [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${accept}`,
    ...more,
  ]
  return `${lines.join('\r\n')}\r\n\r\n`
}

export const CONTINUATION = 0x0
export const TEXT = 0x1
export const BINARY = 0x2
export const CLOSE = 0x8
export const PING = 0x9
export const FIN = 0x80

/** One frame as a server sends it, unmasked; `first` is FIN, RSV and opcode in one byte, as on the wire. */
export function frame(first: number, payload: string | Uint8Array = ''): Buffer {
  const bytes = Buffer.from(payload)
  const header =
    bytes.length < 126
      ? [first, bytes.length]
      : bytes.length < 65_536
        ? [first, 126, bytes.length >> 8, bytes.length & 0xff]
        : [first, 127, 0, 0, 0, 0, ...uint32(bytes.length)]
  return Buffer.concat([Buffer.from(header), bytes])
}

export function closeFrame(code: number, reason = ''): Buffer {
  return frame(FIN | CLOSE, Buffer.concat([Buffer.from([code >> 8, code & 0xff]), Buffer.from(reason)]))
}

/** Writes down what a socket reports, one line an event, and lets a test wait for a line. */
export class Witness {
  readonly lines: string[] = []
  readonly frames: Uint8Array[] = []
  readonly #waiting = new Set<() => void>()

  readonly events: SocketEvents = {
    opened: () => this.#write('opened'),
    frame: (bytes, isBinary) => {
      this.frames.push(bytes)
      this.#write(isBinary ? `binary ${Buffer.from(bytes).toString('hex')}` : `text ${Buffer.from(bytes).toString()}`)
    },
    refused: (refusal) => this.#write(`refused ${JSON.stringify(refusal)}`),
    closed: ({ code, reason }) => this.#write(`closed ${code} ${reason}`.trimEnd()),
  }

  /** Fulfilled once a line starts with `start`. */
  async sees(start: string): Promise<void> {
    while (!this.lines.some((line) => line.startsWith(start))) {
      await new Promise<void>((resolve) => this.#waiting.add(resolve))
    }
  }

  #write(line: string): void {
    this.lines.push(line)
    for (const resolve of this.#waiting) resolve()
    this.#waiting.clear()
  }
}

function uint32(value: number): number[] {
  return [(value >>> 24) & 0xff, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff]
}
