import { type AccountRows, type AccountValue, noAccountRows } from '@booktape/store'
import { type AccountState, advance, NEW_STATE } from './advance.ts'
import { type AccountEvent, type AccountFeed, type Damaged, readEntry, writeEntry } from './event.ts'
import { readState, writeState } from './state-text.ts'
import type { StreamObservation, StreamOrder } from './stream.ts'

const START_NS = 1_785_312_000_000_000_000n
const NS_PER_MS = 1_000_000n

type Without<E> = E extends unknown ? Omit<E, 'at'> : never

/** A run of the account's service without sockets and disk: events in, and what followed from them. Each goes through the journal's spelling. */
export class Run {
  state: AccountState = structuredClone(NEW_STATE)
  readonly rows: AccountRows = noAccountRows()
  readonly orders: StreamOrder[] = []
  readonly observations: StreamObservation[] = []
  #position = 0
  #nowMs = 0n
  #connection = 0

  constructor(feeds: readonly AccountFeed[] = ['v1', 'ws']) {
    this.start(feeds)
  }

  start(feeds: readonly AccountFeed[] = ['v1', 'ws']): void {
    const urls = Object.fromEntries(feeds.map((feed) => [feed, `wss://venue/${feed}`]))
    this.note({ kind: 'started', keyFingerprint: 'f', urls })
  }

  note(event: Without<AccountEvent | Damaged>): void {
    const at = { wallNs: START_NS + this.#nowMs * NS_PER_MS, monoNs: this.#nowMs * NS_PER_MS }
    const whole = { ...event, at } as AccountEvent | Damaged
    this.#position++
    const read = whole.kind === 'damaged' ? whole : readEntry({ ...writeEntry(whole), position: this.#position })
    if (read === null) throw new Error('an entry of ours is read again')
    const step = advance(this.state, this.#position, read)
    for (const [table, rows] of Object.entries(step.rows))
      this.rows[table as keyof AccountRows].push(...(rows as never[]))
    this.orders.push(...step.orders)
    this.observations.push(...step.observations)
    this.state = readState(JSON.parse(JSON.stringify(writeState(this.state)))) // as Postgres keeps it between two batches
  }

  /** Lets time pass, tick by tick. */
  pass(ms: number): void {
    for (let passed = 0; passed < ms; passed += 1_000) {
      this.#nowMs += 1_000n
      this.note({ kind: 'tick' })
    }
  }

  /** Time moves, and nothing notices. */
  skip(ms: number): void {
    this.#nowMs += BigInt(ms)
  }

  /** Obeys the order to dial; the number of the connection. */
  open(feed: AccountFeed): number {
    const connection = ++this.#connection
    this.note({ kind: 'dialing', connection, feed, url: `wss://venue/${feed}` })
    this.note({ kind: 'opened', connection })
    return connection
  }

  frame(connection: number, message: unknown): void {
    this.note({ kind: 'frame', connection, text: typeof message === 'string' ? message : JSON.stringify(message) })
  }

  /** A live connection of v1. */
  v1(): number {
    const connection = this.open('v1')
    this.frame(connection, ACK)
    return connection
  }

  /** A live connection of the new API. */
  ws(orders: readonly unknown[] = []): number {
    const connection = this.open('ws')
    this.frame(connection, { e: 'orderSnapshot', orders })
    this.frame(connection, '{"id":1,"status":200}')
    return connection
  }

  /** Every gap with its times in ms since the start. */
  gaps(): string[] {
    return this.rows.gaps.map(({ feed, cause, position, started_at, from_sequence, to_sequence }) => {
      const end = this.rows.gap_ends.find((each) => each.position === position && each.feed === feed)
      const ids = from_sequence === null ? '' : ` (${from_sequence},${to_sequence}]`
      return `${feed} ${cause}${ids} ${msOf(started_at)} to ${end === undefined ? 'now' : msOf(end.ended_at)}`
    })
  }
}

export const ACK = { type: 'subscription_ack', accountId: 5365, subscriptionId: 's', symbolFilter: [] }

export const heartbeat = (sequence: number) => ({
  type: 'heartbeat',
  timestampms: 1_785_312_000_000,
  sequence,
  socket_sequence: sequence,
})

/** An event of an order on v1, as the venue writes it. */
export function v1Event(type: string, orderId: number, sequence: number, more: Readonly<Record<string, unknown>> = {}) {
  return {
    type,
    socket_sequence: sequence,
    order_id: String(orderId),
    event_id: String(orderId * 100 + sequence),
    client_order_id: `c-${orderId}`,
    api_session: '[redacted]',
    symbol: 'btcusd',
    side: 'buy',
    order_type: 'exchange limit',
    timestamp: '1785312000',
    timestampms: 1_785_312_000_123,
    is_live: !['closed', 'cancelled', 'rejected'].includes(type),
    is_cancelled: type === 'cancelled',
    is_hidden: false,
    price: '83000.5',
    original_amount: '2',
    ...more,
  }
}

/** An update of an order on the new API. Ids and nanoseconds stand as digits in its text. */
export function wsUpdate(status: string, orderId: number, more: Readonly<Record<string, unknown>> = {}) {
  return {
    e: 'orderUpdate',
    E: 1_785_312_000_123_000_000,
    s: 'btcusd',
    i: orderId,
    c: `c-${orderId}`,
    S: 'BUY',
    o: 'LIMIT',
    X: status,
    p: '83000.50',
    q: '2',
    ...more,
  }
}

function msOf(time: AccountValue): string {
  return time === null ? '?' : String(Date.parse(time.toString()) - Number(START_NS / NS_PER_MS))
}
