import type { Clock } from '@booktape/runtime'
import type { ConnectionEvent, Instant, SocketOrder } from '@booktape/session'
import type { Budget, Refusal, Socket, SocketOptions } from '@booktape/transport'

type NewEvent = ConnectionEvent extends infer E ? (E extends ConnectionEvent ? Omit<E, 'at'> : never) : never

/**
 * The sockets: obeys orders, writes down what happens, has no opinion. Numbers its connections from 1 in each run and counts
 * their messages.
 */
export class Fleet {
  readonly #clock: Clock
  readonly #budget: Pick<Budget, 'acquire' | 'waiting'>
  readonly #openSocket: (options: SocketOptions) => Socket
  readonly #newSessionId: () => string
  readonly #note: (event: ConnectionEvent) => void
  readonly #onRefusedSend: (connection: number) => void
  readonly #sockets = new Map<number, Socket>()
  readonly #dialing = new Set<string>()
  readonly #stopping = new AbortController()
  #lastConnection = 0
  #isPaused = false
  #isHeld = false

  constructor(parts: {
    clock: Clock
    budget: Pick<Budget, 'acquire' | 'waiting'>
    openSocket: (options: SocketOptions) => Socket
    newSessionId: () => string // a UUID, never given twice
    note: (event: ConnectionEvent) => void
    onRefusedSend: (connection: number) => void
  }) {
    this.#clock = parts.clock
    this.#budget = parts.budget
    this.#openSocket = parts.openSocket
    this.#newSessionId = parts.newSessionId
    this.#note = parts.note
    this.#onRefusedSend = parts.onRefusedSend
  }

  obey(orders: readonly SocketOrder[]): void {
    for (const order of orders) {
      switch (order.kind) {
        case 'dial':
          void this.#dial(order)
          break
        case 'hang_up':
          this.#sockets.get(order.connection)?.terminate()
          this.#sockets.delete(order.connection)
          break
        case 'send':
          this.#send(order)
          break
      }
    }
  }

  /** The journal cannot keep up: nothing more is read until `resume`. The venue may close on us; that is disclosed. */
  pause(): void {
    if (this.#isPaused) return
    this.#isPaused = true
    for (const socket of this.#sockets.values()) socket.pause()
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    for (const socket of this.#sockets.values()) socket.resume()
  }

  /** Ends every connection without a word to the journal, which has none to spare, until `release`. */
  hold(): void {
    this.#isHeld = true
    for (const socket of this.#sockets.values()) socket.terminate()
    this.#sockets.clear()
  }

  release(): void {
    this.#isHeld = false
  }

  get connections(): number {
    return this.#sockets.size
  }

  get waitingDials(): number {
    return this.#budget.waiting
  }

  /** Closes every connection; nothing is written down any more. */
  close(): void {
    this.#stopping.abort()
    for (const socket of this.#sockets.values()) socket.end()
    this.#sockets.clear()
  }

  #now(): Instant {
    return { wallNs: this.#clock.wallNs(), monoNs: this.#clock.monoNs() }
  }

  #write(event: NewEvent): void {
    if (!this.#stopping.signal.aborted && !this.#isHeld) this.#note({ ...event, at: this.#now() })
  }

  async #dial({ session, url }: Extract<SocketOrder, { kind: 'dial' }>): Promise<void> {
    const { signal } = this.#stopping
    if (this.#dialing.has(session)) return
    this.#dialing.add(session)
    try {
      await this.#budget.acquire(signal)
    } catch (error) {
      if (!signal.aborted) throw error
      return
    } finally {
      this.#dialing.delete(session)
    }
    if (this.#isHeld) return // dialed again when time goes on
    const connection = ++this.#lastConnection
    let messageSeq = 0
    this.#write({ kind: 'dialing', connection, session, sessionId: this.#newSessionId(), url })
    const socket = this.#openSocket({
      url,
      clock: this.#clock,
      events: {
        opened: () => this.#write({ kind: 'opened', connection }),
        frame: (payload, isBinary) =>
          this.#write({ kind: 'frame', connection, messageSeq: ++messageSeq, isBinary, payload }),
        refused: (refusal) => {
          this.#sockets.delete(connection)
          this.#write({ kind: 'refused', connection, refusal: describe(refusal) })
        },
        closed: ({ code, reason }) => {
          this.#sockets.delete(connection)
          this.#write({ kind: 'closed', connection, code, reason })
        },
      },
    })
    this.#sockets.set(connection, socket)
    if (this.#isPaused) socket.pause()
  }

  #send({ connection, text }: Extract<SocketOrder, { kind: 'send' }>): void {
    const socket = this.#sockets.get(connection)
    if (socket === undefined || socket.send(text)) return
    // A request that cannot leave would be waited for in vain; the connection is of no use.
    this.#onRefusedSend(connection)
    socket.terminate()
  }
}

/** One sentence for logs and the ledger; the status decides how long to wait. */
function describe(refusal: Refusal): Extract<ConnectionEvent, { kind: 'refused' }>['refusal'] {
  switch (refusal.kind) {
    case 'http': {
      const { status, retryAfterMs, body } = refusal
      const after = retryAfterMs === null ? '' : `, to be asked again after ${Math.ceil(retryAfterMs / 1000)} s`
      const said = body.trim() === '' ? '' : `: ${body.trim().slice(0, 200)}`
      return { status, retryAfterMs, reason: `the venue answered ${status}${after}${said}` }
    }
    case 'network':
      return { status: null, retryAfterMs: null, reason: `no connection (${refusal.code}): ${refusal.message}` }
    case 'tls':
      return { status: null, retryAfterMs: null, reason: `the certificate is not trusted (${refusal.code})` }
    case 'timeout':
      return { status: null, retryAfterMs: null, reason: 'no answer in time' }
  }
}
