import type { Exchange } from '@booktape/exchange'
import type { RestClient, RestReply, Socket, SocketOptions } from '@booktape/transport'
import { Cable } from './cable.ts'
import type { Dice } from './dice.ts'
import { type Gate, US_PER_MS, type VirtualTime } from './virtual-time.ts'

/** What becomes of the next dials. */
export type DialFault = 'unreachable' | 'dial_timeout' | 'accept_then_close'

export type NetworkFaults = {
  dials: DialFault[]
  lostReplies: number // of REST
  slowUntilUs: number
  idOffset: bigint // what new connections' ids are lower by than the exchange's own
}

const USUAL_LATENCY_US = [200, 8_000] as const
const SLOW_LATENCY_US = [50 * US_PER_MS, 2_000 * US_PER_MS] as const
const DIAL_DEADLINE_US = 10_000 * US_PER_MS
const SHORT_LIFE_US = [0, 500 * US_PER_MS] as const

/** Every connection between the recorder and the exchange, with all that may happen to it on the way. */
export class SimulatedNetwork {
  readonly faults: NetworkFaults = { dials: [], lostReplies: 0, slowUntilUs: 0, idOffset: 0n }
  /** Told of each fault that took effect. */
  onFault: (kind: string) => void = () => undefined
  readonly #time: VirtualTime
  readonly #dice: Dice
  readonly #exchange: Exchange
  readonly #cables = new Set<Cable>()
  #dialed: Cable[] = [] // of the newest process, in the order of its dials

  constructor(time: VirtualTime, dice: Dice, exchange: Exchange) {
    this.#time = time
    this.#dice = dice
    this.#exchange = exchange
  }

  /** The connections that are open, in the order in which they were. */
  get open(): readonly Cable[] {
    return [...this.#cables].filter((cable) => cable.isOpen)
  }

  /** Takes what the exchange has sent. */
  collect(): void {
    for (const cable of this.#cables) cable.collect(this.latencyUs())
  }

  /** The connection of this number of the newest process. */
  lastDialed(connection: number): Cable | undefined {
    return this.#dialed[connection - 1]
  }

  /** What a process reaches of it. `guard` runs whatever calls back into the process. */
  openSocketFor(gate: Gate, guard: (call: () => void) => void): (options: SocketOptions) => Socket {
    this.#dialed = []
    return (options) => {
      const cable = new Cable(this.#time, this, gate, options.events, guard)
      this.#dialed.push(cable)
      this.#time.after(this.latencyUs(), null, () => this.#connect(cable, new URL(options.url)))
      return cable
    }
  }

  restFor(gate: Gate): RestClient {
    return {
      get: (path, signal) =>
        new Promise((resolve) => {
          const reply = this.#ask(path)
          this.#time.after(2 * this.latencyUs(), gate, () => {
            resolve(signal.aborted ? { kind: 'failed', reason: 'simulated: given up' } : reply)
          })
        }),
    }
  }

  /** Every connection of a process that is no more. */
  dropAll(gate: Gate): void {
    for (const cable of this.#cables) if (cable.gate === gate) cable.abandon()
  }

  latencyUs(): number {
    const [least, most] = this.#time.nowUs < this.faults.slowUntilUs ? SLOW_LATENCY_US : USUAL_LATENCY_US
    return this.#dice.between(least, most)
  }

  #ask(path: string): RestReply {
    if (this.faults.lostReplies > 0) {
      this.faults.lostReplies--
      this.onFault('rest_lost')
      return { kind: 'failed', reason: 'simulated: no answer' }
    }
    const url = new URL(path, 'http://127.0.0.1')
    const { status, body } = this.#exchange.rest('GET', url.pathname, url.searchParams)
    if (status !== 200) this.onFault('rest_refused')
    return { kind: 'reply', status, body, retryAfterMs: null }
  }

  forget(cable: Cable): void {
    this.#cables.delete(cable)
  }

  #connect(cable: Cable, url: URL): void {
    if (cable.isDone) return
    const fault = this.faults.dials.shift()
    if (fault !== undefined) this.onFault(fault)
    if (fault === 'unreachable') return cable.refuse({ kind: 'network', code: 'ECONNREFUSED', message: 'simulated' })
    if (fault === 'dial_timeout') {
      this.#time.after(DIAL_DEADLINE_US, null, () => cable.refuse({ kind: 'timeout' }))
      return
    }
    const symbol = url.pathname.split('/').at(-1) ?? ''
    const theirs = url.pathname.includes('/marketdata/')
      ? this.#exchange.connectV1(symbol, url.searchParams)
      : this.#exchange.connectWs(url.searchParams)
    if ('status' in theirs) {
      const seconds = theirs.headers['retry-after']
      const retryAfterMs = seconds === undefined ? null : Number(seconds) * 1000
      this.onFault(`refused_${theirs.status}`)
      return cable.refuse({ kind: 'http', status: theirs.status, retryAfterMs, body: theirs.body })
    }
    this.#cables.add(cable)
    cable.idOffset = this.faults.idOffset
    cable.connected(theirs)
    if (fault === 'accept_then_close') {
      this.#time.after(this.#dice.between(...SHORT_LIFE_US), null, () => theirs.close(1008, 'too many connections'))
    }
  }
}
