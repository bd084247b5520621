import type { Side } from '@booktape/market'
import type { BookLevels } from './levels.ts'

// v1's wire (docs/gemini.md, claims 13 to 16): keys in the order of the alphabet, as since 2023.

const NS_PER_MS = 1_000_000n

/** Which elements a v1 connection asked for. */
export type V1Filter = Readonly<{ bids: boolean; offers: boolean; trades: boolean; topOfBook: boolean }>

/** A level set to an absolute quantity; decimals as they are to be sent. */
export type V1Change = Readonly<{
  kind: 'change'
  side: Side
  price: string
  remaining: string
  delta: string // may be negative
  reason: string
}>

export type V1Trade = Readonly<{
  kind: 'trade'
  tradeId: bigint
  price: string
  amount: string
  makerSide: string // the resting side; `auction` where nobody took
}>

/** What one message tells, its elements in their order: each trade before the change that it made. */
export type V1Event = Readonly<{
  eventId: bigint
  timeNs: bigint | null
  elements: readonly (V1Change | V1Trade)[]
}>

/** The whole book, bids from the lowest price up: the order of levels is not to be trusted. Without any time. */
export function v1Initial(book: BookLevels, filter: V1Filter, sequence: number): string {
  const events: string[] = []
  const limit = filter.topOfBook ? 1 : Number.POSITIVE_INFINITY
  if (filter.bids) {
    for (const [price, quantity] of book.bids(limit)) events.push(initialElement('bid', price, quantity))
    events.reverse()
  }
  if (filter.offers) {
    for (const [price, quantity] of book.asks(limit)) events.push(initialElement('ask', price, quantity))
  }
  return `{"eventId":${book.lastUpdateId},"events":[${events.join(',')}],"socket_sequence":${sequence},"type":"update"}`
}

/** One message, its elements as texts. */
export function v1Update(
  { eventId, timeNs }: Pick<V1Event, 'eventId' | 'timeNs'>,
  elements: readonly string[],
  sequence: number,
): string {
  const head = `{"eventId":${eventId},"events":[${elements.join(',')}],"socket_sequence":${sequence},`
  if (timeNs === null) return `${head}"type":"update"}`
  const timestampMs = timeNs / NS_PER_MS
  return `${head}"timestamp":${timestampMs / 1000n},"timestampms":${timestampMs},"type":"update"}`
}

export function v1Heartbeat(sequence: number): string {
  return `{"socket_sequence":${sequence},"type":"heartbeat"}`
}

/** The elements that a connection asked for; in top-of-book mode the trades alone. */
export function v1Elements({ elements }: V1Event, filter: V1Filter): string[] {
  const texts: string[] = []
  for (const element of elements) {
    if (element.kind === 'trade') {
      if (filter.trades) texts.push(tradeElement(element))
    } else if (!filter.topOfBook && (element.side === 'bid' ? filter.bids : filter.offers)) {
      texts.push(changeElement(element))
    }
  }
  return texts
}

/** The new best level of a side, in top-of-book mode: without `delta`, and the old best is not named. */
export function v1TopElement(side: Side, price: string, remaining: string): string {
  return `{"price":"${price}","reason":"top-of-book","remaining":"${remaining}","side":"${side}","type":"change"}`
}

function tradeElement({ amount, makerSide, price, tradeId }: V1Trade): string {
  return `{"amount":"${amount}","makerSide":"${makerSide}","price":"${price}","tid":${tradeId},"type":"trade"}`
}

function changeElement({ delta, price, reason, remaining, side }: V1Change): string {
  return `{"delta":"${delta}","price":"${price}","reason":"${reason}","remaining":"${remaining}","side":"${side}","type":"change"}`
}

function initialElement(side: Side, price: string, remaining: string): string {
  return changeElement({ kind: 'change', side, price, remaining, delta: remaining, reason: 'initial' })
}
