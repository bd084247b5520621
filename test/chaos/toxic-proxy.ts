import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'

/**
 * Stands between a recorder and the venue or the database and does to the bytes what a bad network does. Toxics act on
 * every connection, those open and those to come, until `heal`; only `blackhole` and `cut` mean the ones open now.
 */
export class ToxicProxy {
  /** Both directions stand still. What is sent waits in the sockets, as behind a router that lost its way. */
  isStalled = false
  /** New connections are reset at once. */
  isRefusing = false
  latencyMs = 0
  /** Bytes to a write; null for as they come. */
  sliceBytes: number | null = null
  bytesPerSecond: number | null = null
  readonly #server: Server
  readonly #target: () => Address
  readonly #pairs = new Set<Pair>()
  #commitsToEat = 0
  #commitsEaten = 0

  private constructor(server: Server, target: () => Address) {
    this.#server = server
    this.#target = target
    server.on('connection', (near: Socket) => this.#accept(near))
  }

  static async listen(target: () => Address): Promise<ToxicProxy> {
    // Each side is closed for itself, so that a half-closed connection stays one.
    const server = createServer({ allowHalfOpen: true }).listen(0, HOST)
    await once(server, 'listening')
    return new ToxicProxy(server, target)
  }

  get address(): Address {
    const { port } = this.#server.address() as AddressInfo
    return { host: HOST, port }
  }

  get commitsEaten(): number {
    return this.#commitsEaten
  }

  /** Postgres gets the next `count` COMMITs and answers them; the answer and the connection are lost on the way back. */
  eatCommitReplies(count: number): void {
    this.#commitsToEat = count
  }

  /** Resets the connections that are open; `keep` may spare some. Gives their number. */
  cut(keep: (index: number) => boolean = () => false): number {
    const cut = [...this.#pairs].filter((_, index) => !keep(index))
    for (const pair of cut) reset(pair)
    return cut.length
  }

  /** The connections that are open now stay so, and nothing passes any more: half-open on both sides. */
  blackhole(): number {
    for (const pair of this.#pairs) pair.isBlack = true
    return this.#pairs.size
  }

  /** Connections through which nothing passes and on which nobody has hung up yet. */
  get unnoticed(): number {
    return [...this.#pairs].filter(({ isBlack }) => isBlack).length
  }

  /** Takes every toxic back. What a blackhole swallowed is gone, and its connections stay dead until someone hangs up. */
  heal(): void {
    this.isStalled = false
    this.isRefusing = false
    this.latencyMs = 0
    this.sliceBytes = null
    this.bytesPerSecond = null
    this.#commitsToEat = 0
  }

  async close(): Promise<void> {
    this.heal()
    this.cut()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #accept(near: Socket): void {
    if (this.isRefusing) {
      near.on('error', () => undefined).resetAndDestroy()
      return
    }
    const { host, port } = this.#target()
    const far = connect({ host, port, allowHalfOpen: true })
    const pair: Pair = { near, far, isBlack: false, awaitsCommit: false }
    this.#pairs.add(pair)
    for (const socket of [near, far]) {
      socket.setNoDelay(true)
      socket.on('error', () => reset(pair))
      socket.on('close', () => this.#pairs.delete(pair))
    }
    void this.#pump(pair, near, far)
    void this.#pump(pair, far, near)
  }

  async #pump(pair: Pair, from: Socket, to: Socket): Promise<void> {
    try {
      for await (const chunk of from as AsyncIterable<Buffer>) {
        if (pair.isBlack || this.#isEaten(pair, from, chunk)) continue
        await this.#pass(chunk, to)
      }
      if (pair.isBlack)
        reset(pair) // one side hung up; of that, too, nothing passes in good order
      else to.end()
    } catch {
      reset(pair) // the reason is the other side's to see: a connection that ended
    }
  }

  /** Through the toxics, piece by piece; waits while `to` has enough, so that a slow reader slows its writer. */
  async #pass(chunk: Buffer, to: Socket): Promise<void> {
    while (this.isStalled) await delay(STALL_LOOK_MS)
    if (this.latencyMs > 0) await delay(this.latencyMs)
    const step = this.sliceBytes ?? chunk.length
    for (let at = 0; at < chunk.length; at += step) {
      const piece = chunk.subarray(at, at + step)
      if (to.destroyed) return
      if (!to.write(piece)) await Promise.race([once(to, 'drain'), once(to, 'close')])
      if (this.bytesPerSecond !== null) await delay((piece.length * 1_000) / this.bytesPerSecond)
      else if (this.sliceBytes !== null) await nextTurn()
    }
  }

  #isEaten(pair: Pair, from: Socket, chunk: Buffer): boolean {
    if (from === pair.near) {
      if (this.#commitsToEat === 0 || !chunk.includes(COMMIT)) return false
      this.#commitsToEat--
      pair.awaitsCommit = true
      return false
    }
    if (!pair.awaitsCommit) return false
    this.#commitsEaten++
    reset(pair)
    return true
  }
}

export type Address = Readonly<{ host: string; port: number }>

type Pair = { readonly near: Socket; readonly far: Socket; isBlack: boolean; awaitsCommit: boolean }

const HOST = '127.0.0.1'
const STALL_LOOK_MS = 10
/** A simple query as Postgres's protocol writes it: the letter Q, the length, the text and a zero. */
const COMMIT = Buffer.from('Q\0\0\0\x0bcommit\0', 'latin1')

function reset({ near, far }: Pair): void {
  near.resetAndDestroy()
  far.resetAndDestroy()
}
