import type { Connection, Frame } from '@booktape/exchange'
import type { Refusal, Socket, SocketEvents } from '@booktape/transport'
import type { Gate, VirtualTime } from './virtual-time.ts'

/** What a connection asks of the network it is part of. */
type Surroundings = Readonly<{ latencyUs(): number; forget(cable: Cable): void }>

type Arrival = Readonly<
  { us: number; frame: Frame } | { us: number; close: Readonly<{ code: number; reason: string }> }
>

/** One connection: the socket the recorder holds, the exchange's end, and what is under way between them. */
export class Cable implements Socket {
  readonly bufferedBytes = 0
  readonly gate: Gate
  theirs: Connection | null = null
  idOffset = 0n
  /** When it fell silent for good without a word; null while it has not. */
  silentSinceUs: number | null = null
  /** Nothing arrives before this instant. */
  stalledUntilUs = 0
  readonly #time: VirtualTime
  readonly #network: Surroundings
  readonly #events: SocketEvents
  readonly #guard: (call: () => void) => void
  #arriving: Arrival[] = []
  #lastArrivalUs = 0
  #lastDepartureUs = 0
  #isScheduled = false
  #isPaused = false
  #isDead = false
  #phase: 'dialing' | 'open' | 'done' = 'dialing'

  constructor(
    time: VirtualTime,
    network: Surroundings,
    gate: Gate,
    events: SocketEvents,
    guard: (call: () => void) => void,
  ) {
    this.#time = time
    this.#network = network
    this.gate = gate
    this.#events = events
    this.#guard = guard
  }

  get isOpen(): boolean {
    return this.#phase === 'open' && !this.#isDead && this.theirs?.closed === null
  }

  get isDone(): boolean {
    return this.#phase === 'done'
  }

  connected(theirs: Connection): void {
    this.theirs = theirs
    this.#later(this.#network.latencyUs(), () => {
      if (this.#phase !== 'dialing') return
      this.#phase = 'open'
      this.#events.opened()
      this.#schedule()
    })
  }

  refuse(refusal: Refusal): void {
    this.#later(this.#network.latencyUs(), () => {
      if (this.#phase !== 'dialing') return
      this.#end()
      this.#events.refused(refusal)
    })
  }

  collect(latencyUs: number): void {
    const { theirs } = this
    if (theirs === null) return
    const us = Math.max(this.#lastArrivalUs, this.#time.nowUs + latencyUs)
    for (const frame of theirs.takeFrames()) {
      if (!this.#isDead) this.#arriving.push({ us, frame: withLowerIds(frame, this.idOffset) })
      this.#lastArrivalUs = us
    }
    if (theirs.closed !== null) {
      this.#network.forget(this)
      if (!this.#isDead) this.#arriving.push({ us, close: theirs.closed })
    }
    this.#schedule()
  }

  /** The line is cut: what was under way is lost, and both ends find out. */
  cut(): void {
    this.theirs?.close(1006, '')
    this.theirs?.takeFrames()
    this.#arriving = []
  }

  /** From here on nothing gets through in either direction, and nobody is told. */
  goDead(): void {
    this.silentSinceUs ??= this.#time.nowUs
    this.#isDead = true
    this.#arriving = []
  }

  /** The process at this end is no more. */
  abandon(): void {
    this.#phase = 'done'
    this.#arriving = []
    this.theirs?.close(1006, 'the client is gone')
    this.#network.forget(this)
  }

  send(text: string): boolean {
    if (this.#phase !== 'open') return false
    this.#lastDepartureUs = Math.max(this.#lastDepartureUs, this.#time.nowUs + this.#network.latencyUs())
    this.#time.after(this.#lastDepartureUs - this.#time.nowUs, null, () => {
      if (!this.#isDead) this.theirs?.receive(text)
    })
    return true
  }

  end(): void {
    this.terminate()
  }

  terminate(): void {
    if (this.#phase === 'done') return
    const wasOpen = this.#phase === 'open'
    this.abandon()
    this.#later(0, () => {
      if (wasOpen) this.#events.closed({ code: 1006, reason: 'TERMINATED' })
      else this.#events.refused({ kind: 'network', code: 'TERMINATED', message: 'the dial was given up by us' })
    })
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    this.#schedule()
  }

  #schedule(): void {
    const [next] = this.#arriving
    if (next === undefined || this.#isScheduled || this.#isPaused || this.#phase !== 'open') return
    this.#isScheduled = true
    this.#later(Math.max(next.us, this.stalledUntilUs) - this.#time.nowUs, () => {
      this.#isScheduled = false
      this.#deliver()
      this.#schedule()
    })
  }

  #deliver(): void {
    while (this.#phase === 'open' && !this.#isPaused && this.stalledUntilUs <= this.#time.nowUs) {
      const [next] = this.#arriving
      if (next === undefined || next.us > this.#time.nowUs) return
      this.#arriving.shift()
      if ('frame' in next) {
        const isBinary = typeof next.frame !== 'string'
        this.#events.frame(typeof next.frame === 'string' ? new TextEncoder().encode(next.frame) : next.frame, isBinary)
      } else {
        this.#end()
        this.#events.closed(next.close)
      }
    }
  }

  #end(): void {
    this.#phase = 'done'
    this.#network.forget(this)
  }

  #later(delayUs: number, run: () => void): void {
    this.#time.after(delayUs, this.gate, () => this.#guard(run))
  }
}

/** The frame as a venue would send it that had begun to count anew. */
function withLowerIds(frame: Frame, offset: bigint): Frame {
  if (offset === 0n) return frame
  if (typeof frame !== 'string') return new TextEncoder().encode(lowered(new TextDecoder().decode(frame), offset))
  return lowered(frame, offset)
}

const lowered = (text: string, offset: bigint): string =>
  text.replace(/"(U|u|eventId)":(\d+)/g, (_, key: string, id: string) => `"${key}":${BigInt(id) - offset}`)
