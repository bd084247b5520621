import type { Feed } from '@booktape/market'
import type { Closing, Frame, FrameFilter, FrameKind } from './frames.ts'

/** What a client may leave unread before the venue gives up on it: minutes of btcusd, some 100 MB. */
export const MAX_WAITING_FRAMES = 200_000

/** What every connection hands in: where its frames pass through, and how to wait. */
export type Surroundings = Readonly<{
  faults: FrameFilter
  isMuted(symbol: string): boolean
  /** Calls back when the venue has come to this much later. */
  after(delayNs: bigint, run: () => void): void
}>

/** The server's end of one WebSocket: frames gather here until they are taken. */
export abstract class Connection {
  readonly id: number
  readonly feed: Feed
  readonly #surroundings: Surroundings
  #waiting: Frame[] = []
  #closed: Closing | null = null
  #isSilent = false

  constructor(id: number, feed: Feed, surroundings: Surroundings) {
    this.id = id
    this.feed = feed
    this.#surroundings = surroundings
  }

  /** Whether this connection is about the symbol. */
  abstract concerns(symbol: string): boolean

  protected abstract onText(text: string): void

  /** Why the connection is over, or null. 1006 means: without a closing frame. */
  get closed(): Closing | null {
    return this.#closed
  }

  /** A half-open connection: not even a ping is answered any more. */
  get isSilent(): boolean {
    return this.#isSilent
  }

  /** A text message of the client. */
  receive(text: string): void {
    if (this.#closed === null && !this.#isSilent) this.onText(text)
  }

  /** The frames since the last call, in order. */
  takeFrames(): Frame[] {
    const frames = this.#waiting
    this.#waiting = []
    return frames
  }

  /** The client, or by a fault the server, ends the connection. Frames already waiting may still be taken. */
  close(code = 1000, reason = ''): void {
    this.#closed ??= { code, reason }
  }

  silence(): void {
    this.#isSilent = true
  }

  /** The one place where frames leave, and where faults act on them. */
  protected send(kind: FrameKind, symbol: string | null, text: string): void {
    if (this.#closed !== null || this.#isSilent) return
    const { faults, isMuted, after } = this.#surroundings
    if (symbol !== null && isMuted(symbol)) return
    if (!faults.isArmed) return this.#deliver(text)
    for (const delivery of faults.pass({ connectionId: this.id, feed: this.feed, symbol, kind, text })) {
      if (delivery.delayNs === 0n) this.#deliver(delivery.frame)
      else after(delivery.delayNs, () => this.#deliver(delivery.frame))
    }
  }

  #deliver(frame: Frame): void {
    if (this.#closed !== null || this.#isSilent) return
    if (this.#waiting.length >= MAX_WAITING_FRAMES) return this.close(1008, 'slow consumer')
    this.#waiting.push(frame)
  }
}
