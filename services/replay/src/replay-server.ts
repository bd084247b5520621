import type { Tape } from '@booktape/client'
import type { Clock } from '@booktape/runtime'
import { FEW_UNSENT_BYTES, startVenueServer, type VenueServer } from '@booktape/venue'
import { type Pace, Pacer } from './pacer.ts'
import { instantOfReplay, type ReplaySpan, recordedBooks, replayEvents } from './replay-events.ts'
import { type BookName, ReplayVenue } from './replay-venue.ts'

export type ReplayServerOptions = Readonly<{
  tape: Tape
  span: ReplaySpan
  port: number // 0: a free one
  host?: string // 127.0.0.1 unless told
  pace: Pace
  /** Time stands still while a known book has no client; else it runs from the first client on. */
  waitsForClients: boolean
  clock: Clock
  /** Told when time stands still for clients, and for which. */
  onWaiting?: (books: readonly BookName[]) => void
  /** Told how far the replay has come, now and then. */
  onPassed?: (nowNs: bigint, events: number) => void
}>

export type ReplayServer = Readonly<{
  url: string // http://host:port
  v1Url: string // the base of each API, as a client is told
  wsUrl: string
  restUrl: string
  books: readonly BookName[]
  /** Resolves with the number of events when all of them have been sent; rejects when the recording could not be read. */
  over: Promise<number>
  stop(): Promise<void>
}>

/** v1's beat, in the time of whoever listens (docs/gemini.md, claim 13). */
const BEAT_MS = 5_000
/** A book lost by its ids alone: clients that skip subscribe anew within this, or do not mind. */
export const RESUBSCRIBE_MS = 10_000n
/** Whoever waits for longer is told why. */
const TELL_AFTER_MS = 1_000n
const NS_PER_MS = 1_000_000n
/** How often is looked whether clients have come, or have read what was sent. */
const LOOK_MS = 5
/** At full pace sockets are served between so many instants. */
const INSTANTS_AT_ONCE = 250

/** There is nothing to replay. */
export class ReplayError extends Error {
  override name = 'ReplayError'
}

/** Serves a part of a recording as the venue would have served it. @throws ReplayError where no book of it is known. */
export async function startReplayServer(options: ReplayServerOptions): Promise<ReplayServer> {
  const { tape, span, port, host } = options
  const books = await recordedBooks(tape, span)
  if (books.length === 0) {
    throw new ReplayError(
      `No book of ${span.symbols.join(', ')} is known in this span: look with booktape status what is recorded, or name another span.`,
    )
  }
  const venue = new ReplayVenue(books, await tape.instruments(span.symbols, span.fromNs), span)
  const server = await startVenueServer(
    {
      moveToPresent: () => undefined, // time passes by events alone
      connectV1: (symbol, query) => venue.connectV1(symbol, query),
      connectWs: (query) => venue.connectWs(query),
      answer: (request, path, query) => venue.rest(request.method ?? 'GET', path, query),
    },
    { port, ...(host === undefined ? {} : { host }) },
  )
  const beat = setInterval(() => {
    venue.beat()
    server.flush()
  }, BEAT_MS)
  const stopping = new AbortController()
  const over = new Replaying(options, venue, server, books, stopping.signal).run()
  over.catch(() => undefined) // thrown where it is awaited
  const { url, v1Url, wsUrl, restUrl } = server
  return {
    url,
    v1Url,
    wsUrl,
    restUrl,
    books,
    over,
    stop: async () => {
      stopping.abort()
      clearInterval(beat)
      venue.closeAll(1000, 'the replay is over')
      server.flush()
      await over.catch(() => undefined)
      await server.stop()
    },
  }
}

/** The loop that lets the past happen. */
class Replaying {
  readonly #options: ReplayServerOptions
  readonly #venue: ReplayVenue
  readonly #server: VenueServer
  readonly #books: readonly BookName[]
  readonly #stopping: AbortSignal
  readonly #pacer: Pacer
  #events = 0
  #instants = 0
  #hasBegun = false

  constructor(
    options: ReplayServerOptions,
    venue: ReplayVenue,
    server: VenueServer,
    books: readonly BookName[],
    stopping: AbortSignal,
  ) {
    this.#options = options
    this.#venue = venue
    this.#server = server
    this.#books = books
    this.#stopping = stopping
    this.#pacer = new Pacer(options.pace, options.clock, options.span.fromNs)
  }

  async run(): Promise<number> {
    const { tape, span, onPassed } = this.#options
    const venue = this.#venue
    for await (const page of replayEvents(tape, span, this.#books, (symbol) => venue.poolOf(symbol))) {
      for (const event of page) {
        const instantNs = instantOfReplay(event, span.clock)
        if (instantNs > venue.nowNs) await this.#passTo(instantNs)
        if (this.#stopping.aborted) return this.#events
        venue.take(event)
        this.#events++
      }
      onPassed?.(venue.nowNs, this.#events)
    }
    await this.#passTo(span.toNs)
    this.#server.flush()
    await this.#until(() => this.#server.unsentBytes() === 0)
    return this.#events
  }

  /** What happens at one instant happens at once; between two, clients are waited for and time passes. */
  async #passTo(instantNs: bigint): Promise<void> {
    if (!this.#canPass()) await this.#standStill()
    if (!this.#pacer.isFull || ++this.#instants % INSTANTS_AT_ONCE === 0) {
      this.#server.flush()
      await new Promise((resolve) => setImmediate(resolve)) // sockets want to be read, too
      await this.#until(() => this.#server.unsentBytes() <= FEW_UNSENT_BYTES)
    }
    await this.#pacer.passTo(instantNs, this.#stopping)
    this.#venue.passTo(instantNs)
  }

  #canPass(): boolean {
    const venue = this.#venue
    if (this.#options.waitsForClients) return !venue.isUnattended
    this.#hasBegun ||= venue.hasClient
    return this.#hasBegun
  }

  async #standStill(): Promise<void> {
    const { clock, onWaiting } = this.#options
    const venue = this.#venue
    const sinceNs = clock.monoNs()
    let isTold = false
    this.#server.flush()
    await this.#until(() => {
      const stoodMs = (clock.monoNs() - sinceNs) / NS_PER_MS
      if (stoodMs >= TELL_AFTER_MS && !isTold) {
        isTold = true
        onWaiting?.(this.#options.waitsForClients ? venue.unattended : this.#books)
      }
      if (stoodMs >= RESUBSCRIBE_MS) venue.followAll()
      return this.#canPass()
    })
    this.#pacer.standStill(clock.monoNs() - sinceNs)
  }

  /** Returns when the condition is true, or when the replay is to stop. */
  async #until(condition: () => boolean): Promise<void> {
    while (!this.#stopping.aborted && !condition()) await this.#options.clock.sleep(LOOK_MS)
  }
}
