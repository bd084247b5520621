import type { ClientRequestArgs, IncomingMessage } from 'node:http'
import type { LookupFunction } from 'node:net'
import { invariant } from '@booktape/market'
import { WebSocket } from 'ws'
import { urlProblem } from './address.ts'
import type { TransportClock } from './clock.ts'
import { sharedLookup } from './lookup.ts'
import { readAtMost } from './read-at-most.ts'
import { codeOf, type Refusal, refusalOf } from './refusal.ts'
import { readRetryAfterMs } from './retry-after.ts'
import { MAX_REFUSAL_BODY_BYTES, SOCKET_LIMITS, type SocketLimits } from './socket-limits.ts'

/**
 * Dials one WebSocket and reports what becomes of it: `refused` once, or `opened` once, then frames, then `closed`
 * once, and nothing after. Nothing is reported before this call returns. An event listener that throws is an uncaught
 * exception. Throws only for a URL that `urlProblem` objects to.
 *
 * Every peer is verified by TLS 1.2 or newer; `ca` (PEM) replaces the authorities that come with Node.
 */
export function openSocket(options: SocketOptions): Socket {
  return new DialedSocket(options)
}

export type SocketOptions = Readonly<{
  url: string
  headers?: Readonly<Record<string, string>> // of the upgrade; may hold a key
  clock: Pick<TransportClock, 'wallNs'>
  events: SocketEvents
  limits?: Partial<SocketLimits>
  ca?: string
  lookup?: LookupFunction
}>

export type SocketEvents = Readonly<{
  opened(): void
  /**
   * One whole message. The bytes are never written again and may be kept; they may be a part of the chunk they came
   * in (at most 64 KiB), so copy what is kept for long.
   */
  frame(bytes: Uint8Array, isBinary: boolean): void
  refused(refusal: Refusal): void
  /**
   * `code` and `reason` are the peer's, when it sent a close. Without one, `code` is 1006 and `reason` says why:
   * `TERMINATED`, `CLOSE_TIMEOUT`, an error's code (`ECONNRESET`, `WS_ERR_INVALID_UTF8`), or nothing for a bare end.
   */
  closed(close: Readonly<{ code: number; reason: string }>): void
}>

export type Socket = Readonly<{
  /** False, and nothing sent: not open, or `maxSendBuffer` would be passed. */
  send(text: string): boolean
  /** Closes with a handshake, and without one when the peer does not answer it in time. Before `opened`: refused. */
  end(code?: number): void
  /** Closes at once. Messages that had already arrived may still be reported before `closed`. */
  terminate(): void
  /** Reads no further: a message or two of the chunk in hand may still come. Keeps until `resume`, or the close. */
  pause(): void
  resume(): void
  readonly bufferedBytes: number // ours, not yet taken by the system
}>

const NORMAL_CLOSURE = 1000 // RFC 6455, 7.4.1
const ABNORMAL_CLOSURE = 1006

class DialedSocket implements Socket {
  readonly #events: SocketEvents
  readonly #clock: Pick<TransportClock, 'wallNs'>
  readonly #limits: SocketLimits
  readonly #ws: WebSocket
  readonly #dialTimer: NodeJS.Timeout
  #phase: 'dialing' | 'answered' | 'open' | 'done' = 'dialing' // answered: refused by HTTP, its body still to come
  #closeTimer: NodeJS.Timeout | undefined
  #wantsPause = false
  #cause: string | null = null // why it ended, when the peer does not say

  constructor({ url, headers = {}, clock, events, limits, ca, lookup = sharedLookup }: SocketOptions) {
    const problem = urlProblem(url, 'wss:', 'ws:')
    invariant(problem === null, `a URL to dial is checked before: ${url} ${problem}`)
    this.#events = events
    this.#clock = clock
    this.#limits = { ...SOCKET_LIMITS, ...limits }
    this.#ws = new WebSocket(url, { ...clientOptions(this.#limits, lookup, ca), headers })
    this.#dialTimer = setTimeout(() => this.#onDialDeadline(), this.#limits.dialDeadlineMs)
    this.#ws.on('upgrade', (response) => this.#watch(response))
    this.#ws.on('unexpected-response', (_, response) => this.#onUnexpectedResponse(response))
    this.#ws.on('open', () => this.#onOpen())
    this.#ws.on('message', (message, isBinary) => {
      invariant(message instanceof Uint8Array, 'ws gives messages as buffers')
      if (this.#phase === 'open') this.#events.frame(message, isBinary)
    })
    this.#ws.on('error', (error) => this.#onError(error))
    this.#ws.on('close', (code, reason) => this.#onClose(code, reason.toString()))
  }

  send(text: string): boolean {
    if (this.#phase !== 'open' || this.#ws.readyState !== WebSocket.OPEN) return false
    if (this.bufferedBytes + Buffer.byteLength(text) > this.#limits.maxSendBuffer) return false
    this.#ws.send(text)
    return true
  }

  end(code: number = NORMAL_CLOSURE): void {
    if (this.#phase !== 'open') return this.terminate()
    this.#expectClose()
    this.#ws.close(code)
  }

  terminate(): void {
    if (this.#phase === 'done') return
    this.#cause ??= 'TERMINATED'
    this.#ws.terminate()
  }

  pause(): void {
    this.#wantsPause = true
    this.#ws.pause()
  }

  resume(): void {
    this.#wantsPause = false
    this.#ws.resume()
  }

  get bufferedBytes(): number {
    return this.#ws.bufferedAmount
  }

  #onOpen(): void {
    clearTimeout(this.#dialTimer)
    this.#phase = 'open'
    if (this.#wantsPause) this.#ws.pause()
    this.#events.opened()
  }

  #onError(error: Error): void {
    if (this.#phase === 'dialing') return this.#refuse(this.#terminated() ?? refusalOf(error))
    if (this.#phase !== 'open') return
    this.#cause ??= codeOf(error) ?? error.message
    this.#expectClose()
  }

  #onClose(code: number, reason: string): void {
    if (this.#phase !== 'open') return
    this.#phase = 'done'
    clearTimeout(this.#closeTimer)
    this.#events.closed({ code, reason: code === ABNORMAL_CLOSURE ? (this.#cause ?? '') : reason })
  }

  #onUnexpectedResponse(response: IncomingMessage): void {
    this.#phase = 'answered'
    const status = response.statusCode ?? 0
    const retryAfterMs = readRetryAfterMs(response.headers['retry-after'], this.#clock)
    readAtMost(response, MAX_REFUSAL_BODY_BYTES, (body) => {
      this.#refuse({ kind: 'http', status, retryAfterMs, body: body.toString() })
    })
  }

  #onDialDeadline(): void {
    // After a stall of the loop this timer runs before sockets that have long been ready are read: let them be first.
    setImmediate(() => {
      if (this.#phase === 'dialing') this.#refuse({ kind: 'timeout' })
      else if (this.#phase === 'answered') this.#ws.terminate() // its body ends here, and with it comes the refusal
    })
  }

  #refuse(refusal: Refusal): void {
    this.#phase = 'done'
    clearTimeout(this.#dialTimer)
    this.#ws.terminate()
    this.#events.refused(refusal)
  }

  #terminated(): Refusal | null {
    if (this.#cause !== 'TERMINATED') return null
    return { kind: 'network', code: 'TERMINATED', message: 'the dial was given up by us' }
  }

  /** ws keeps two things to itself: the error of a connection that was cut, and an end without a close. */
  #watch({ socket }: IncomingMessage): void {
    socket.on('error', (error) => {
      this.#cause ??= codeOf(error)
    })
    socket.once('end', () => {
      if (this.#phase === 'open') this.#expectClose()
    })
  }

  #expectClose(): void {
    this.#closeTimer ??= setTimeout(() => {
      this.#cause ??= 'CLOSE_TIMEOUT'
      this.#ws.terminate()
    }, this.#limits.closeDeadlineMs)
  }
}

// No handshakeTimeout: ws would count it from the TCP connection on; the dial deadline above counts from the call.
function clientOptions(limits: SocketLimits, lookup: LookupFunction, ca: string | undefined): ClientOptions {
  return {
    maxPayload: limits.maxMessageBytes,
    maxFragments: limits.maxFragments,
    perMessageDeflate: false,
    skipUTF8Validation: false,
    followRedirects: false,
    closeTimeout: limits.closeDeadlineMs,
    lookup,
    minVersion: 'TLSv1.2',
    rejectUnauthorized: true, // said aloud, so that NODE_TLS_REJECT_UNAUTHORIZED cannot say otherwise
    ...(ca === undefined ? {} : { ca }),
  }
}

type ClientOptions = WebSocket.ClientOptions & Pick<ClientRequestArgs, 'lookup'> & { closeTimeout: number }
