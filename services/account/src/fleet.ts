import {
  type Credentials,
  ORDER_EVENTS_PATH,
  readPrivateRefusal,
  redactFrame,
  type SignedHeaders,
  signRequest,
  signStream,
} from '@booktape/gemini'
import type { Clock } from '@booktape/runtime'
import type { Instant, Refusal } from '@booktape/session'
import type { Budget, Socket, SocketOptions, Refusal as SocketRefusal } from '@booktape/transport'
import type { AccountFeed, StreamEvent } from './event.ts'
import { NonceError, type NonceStore } from './nonce-store.ts'
import type { StreamOrder } from './stream.ts'

type NewEvent = StreamEvent extends infer E ? (E extends StreamEvent ? Omit<E, 'at'> : never) : never

export type FleetParts = Readonly<{
  clock: Clock
  budget: Pick<Budget, 'acquire'>
  nonces: Pick<NonceStore, 'take'>
  credentials: Credentials
  openSocket: (options: SocketOptions) => Socket
  note: (event: StreamEvent) => void
}>

/**
 * The sockets of the private feeds: obeys orders, signs upgrades, takes every key out of what comes, writes down what happens. Numbers its
 * connections from 1 in each run.
 */
export class PrivateFleet {
  readonly #parts: FleetParts
  readonly #sockets = new Map<number, Socket>()
  readonly #dialing = new Set<AccountFeed>()
  readonly #stopping = new AbortController()
  #lastConnection = 0
  #isHeld = false

  constructor(parts: FleetParts) {
    this.#parts = parts
  }

  obey(orders: readonly StreamOrder[]): void {
    for (const order of orders) {
      switch (order.kind) {
        case 'dial':
          void this.#dial(order.feed, order.url)
          break
        case 'hang_up':
          this.#sockets.get(order.connection)?.terminate()
          this.#sockets.delete(order.connection)
          break
        case 'send':
          // What cannot be sent is missed soon: by its answer, and then by the connection.
          this.#sockets.get(order.connection)?.send(order.text)
      }
    }
  }

  /** Ends every connection without a word to the journal, which has no room, until `release`. */
  hold(): void {
    this.#isHeld = true
    this.#endAll((socket) => socket.terminate())
  }

  release(): void {
    this.#isHeld = false
  }

  /** Closes every connection; nothing is written down any more. */
  close(): void {
    this.#stopping.abort()
    this.#endAll((socket) => socket.end())
  }

  #endAll(end: (socket: Socket) => void): void {
    for (const socket of this.#sockets.values()) end(socket)
    this.#sockets.clear()
  }

  #write(event: NewEvent): void {
    if (this.#stopping.signal.aborted || this.#isHeld) return
    const at: Instant = { wallNs: this.#parts.clock.wallNs(), monoNs: this.#parts.clock.monoNs() }
    this.#parts.note({ ...event, at })
  }

  async #dial(feed: AccountFeed, url: string): Promise<void> {
    const { signal } = this.#stopping
    if (this.#dialing.has(feed)) return
    this.#dialing.add(feed)
    try {
      await this.#parts.budget.acquire(signal)
      const headers = await this.#sign(feed, signal)
      if (this.#isHeld || signal.aborted) return // dialed again when time goes on
      this.#open(feed, url, headers)
    } catch (error) {
      if (signal.aborted) return
      if (!(error instanceof NonceError)) throw error
      const connection = ++this.#lastConnection
      this.#write({ kind: 'dialing', connection, feed, url })
      this.#write({ kind: 'refused', connection, refusal: { status: null, retryAfterMs: null, reason: error.message } })
    } finally {
      this.#dialing.delete(feed)
    }
  }

  async #sign(feed: AccountFeed, signal: AbortSignal): Promise<SignedHeaders> {
    const { credentials, nonces } = this.#parts
    const nonce = await nonces.take(signal)
    return feed === 'v1' ? signRequest(credentials, ORDER_EVENTS_PATH, nonce) : signStream(credentials, nonce)
  }

  #open(feed: AccountFeed, url: string, headers: SignedHeaders): void {
    const { clock, credentials, openSocket } = this.#parts
    const connection = ++this.#lastConnection
    this.#write({ kind: 'dialing', connection, feed, url })
    const socket = openSocket({
      url,
      headers,
      clock,
      events: {
        opened: () => this.#write({ kind: 'opened', connection }),
        frame: (payload) => {
          const text = redactFrame(Buffer.from(payload).toString('utf8'), credentials)
          this.#write({ kind: 'frame', connection, text })
        },
        refused: (refusal) => {
          this.#sockets.delete(connection)
          this.#write({ kind: 'refused', connection, refusal: this.#describe(refusal, url) })
        },
        closed: ({ code, reason }) => {
          this.#sockets.delete(connection)
          this.#write({ kind: 'closed', connection, code, reason: redactFrame(reason, credentials) })
        },
      },
    })
    this.#sockets.set(connection, socket)
  }

  /** One sentence for the log; the status decides how long to wait. */
  #describe(refusal: SocketRefusal, url: string): Refusal {
    const none = { status: null, retryAfterMs: null }
    switch (refusal.kind) {
      case 'http': {
        const { status, retryAfterMs } = refusal
        const request = { method: 'GET', path: new URL(url).pathname } as const
        const { sentence, remedy } = readPrivateRefusal(request, refusal, this.#parts.credentials)
        // The next dial has a fresh nonce anyway: such a refusal is no reason to wait long.
        return { status: remedy === 'fresh_nonce' ? null : status, retryAfterMs, reason: sentence }
      }
      case 'network':
        return { ...none, reason: `no connection (${refusal.code}): ${refusal.message}` }
      case 'tls':
        return { ...none, reason: `the certificate is not trusted (${refusal.code})` }
      case 'timeout':
        return { ...none, reason: 'no answer in time' }
    }
  }
}
