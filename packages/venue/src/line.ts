import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import type { RawData, WebSocket } from 'ws'
import type { Connection } from './connection.ts'
import type { Refusal } from './frames.ts'

/** What may wait in a socket for a slow client; beyond it the venue hangs up, as `Connection` does for frames not taken. */
export const MAX_UNSENT_BYTES = 64 * 1024 * 1024

/** Below it, a client that reads takes what waits within milliseconds: whoever waits for slow clients waits for this. */
export const FEW_UNSENT_BYTES = 256 * 1024

/** One connection of the venue on a real socket. */
export class Line {
  readonly #connection: Connection
  readonly #socket: WebSocket

  /** `moveToPresent` is called before a client's message is read, so that the answer is of now. */
  constructor(connection: Connection, socket: WebSocket, moveToPresent: () => void) {
    this.#connection = connection
    this.#socket = socket
    socket.on('message', (message) => {
      moveToPresent()
      connection.receive(textOf(message))
      this.flush()
    })
    socket.on('ping', (payload) => {
      if (!connection.isSilent) socket.pong(payload)
    })
    socket.on('close', (code) => connection.close(code, 'the client left'))
    socket.on('error', () => connection.close(1006, 'the socket failed')) // `close` follows
  }

  /** Sends what waits; false when the connection is over. */
  flush(): boolean {
    const connection = this.#connection
    for (const frame of connection.takeFrames()) {
      if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(frame)
    }
    if (this.#socket.bufferedAmount > MAX_UNSENT_BYTES) connection.close(1008, 'slow consumer')
    if (connection.closed === null) return true
    const { code, reason } = connection.closed
    if (this.#socket.readyState !== this.#socket.OPEN) return false
    if (isSendable(code)) this.#socket.close(code, reason)
    else this.#socket.terminate()
    return false
  }

  /** What waits for a slow client; nothing when it is gone. */
  get unsentBytes(): number {
    return this.#socket.readyState === this.#socket.OPEN ? this.#socket.bufferedAmount : 0
  }

  /** Only the new WebSocket API pings; v1 has its heartbeats. */
  ping(): void {
    if (this.#connection.feed !== 'ws' || this.#connection.isSilent) return
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.ping()
  }

  cut(): void {
    this.#connection.close(1001, 'the venue stopped')
    this.#socket.terminate()
  }
}

/** Answers an upgrade with an HTTP error. */
export function refuse(socket: Duplex, refusal: Refusal): void {
  const headers = Object.entries({
    ...refusal.headers,
    'content-length': Buffer.byteLength(refusal.body).toString(),
    connection: 'close',
  })
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  socket.on('error', () => socket.destroy()) // the client may be gone already
  socket.end(`HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status] ?? 'Refused'}\r\n${lines}\r\n${refusal.body}`)
}

/** 1005, 1006 and the ranges nobody may send are told by cutting the line. */
function isSendable(code: number): boolean {
  return (code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006) || code >= 3000
}

function textOf(message: RawData): string {
  if (Array.isArray(message)) return Buffer.concat(message).toString('utf8')
  return Buffer.from(message instanceof ArrayBuffer ? new Uint8Array(message) : message).toString('utf8')
}
