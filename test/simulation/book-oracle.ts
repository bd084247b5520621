import type { Exchange } from '@booktape/exchange'
import type { Feed, LevelChange, MarketRecord, TopOfBook } from '@booktape/market'
import type { TruthIndex } from './truth-index.ts'

type Of<Kind extends MarketRecord['kind']> = Extract<MarketRecord, { kind: Kind }>

/**
 * Walks what is stored of one symbol on one feed, in its order, beside what the exchange really did. At every step the stream
 * is in an epoch, in a gap, or not yet begun (G1); an epoch holds each update of the exchange, exactly (G2, G5, G7); and a gap
 * reaches from the last id that is stored to the first that is stored again, no further (G3, G4).
 *
 * `isRobbed`: the disk took back what it had confirmed. What is stored must be right all the same; where gaps begin and end is then
 * told as well as it is still known, and not judged here.
 *
 * Ids are as stored; `offsetOf` a session is what the venue's own were higher by.
 */
export class BookOracle {
  readonly #feed: Feed
  readonly #symbol: string
  readonly #exchange: Exchange
  readonly #truth: TruthIndex
  readonly #offsetOf: (sessionId: string) => bigint
  readonly #violate: (text: string) => void
  readonly #violateBounds: (text: string) => void
  readonly #epochs = new Set<string>()
  #epoch: Of<'epoch_started'> | null = null
  #offset = 0n
  #lastId: bigint | null = null // of the newest epoch, as stored
  #gap: Of<'gap_opened'> | null = null
  #disclosed: 'yes' | 'withdrawn' | 'no' = 'yes' // of what lies between the last epoch and the next
  #isPassedOn = false // the last epoch ended for the next one
  #closedTo: bigint | null = null
  #messageSeq = 0

  constructor(
    feed: Feed,
    symbol: string,
    exchange: Exchange,
    truth: TruthIndex,
    offsetOf: (sessionId: string) => bigint,
    isRobbed: boolean,
    violate: (text: string) => void,
  ) {
    this.#feed = feed
    this.#symbol = symbol
    this.#exchange = exchange
    this.#truth = truth
    this.#offsetOf = offsetOf
    this.#violate = (text) => violate(`${text} (${feed} ${symbol})`)
    this.#violateBounds = isRobbed ? () => undefined : this.#violate
  }

  take(record: MarketRecord): void {
    switch (record.kind) {
      case 'epoch_started':
        return this.#onStarted(record)
      case 'epoch_ended':
        return this.#onEnded(record)
      case 'gap_opened':
        return this.#onGap(record)
      case 'gap_closed':
      case 'gap_withdrawn':
        return this.#onGapEnd(record)
      case 'book_message':
        return this.#onMessage(record)
      case 'book_snapshot':
        return this.#onSnapshot(record)
      case 'quote':
        return this.#onQuote(record)
      default:
        return
    }
  }

  /** What must hold after the last record of a recorder that was stopped. */
  finish(): void {
    if (this.#epoch !== null) this.#violateBounds('G1: an epoch was never ended')
    if (this.#lastId === null) this.#violate('G12: nothing was ever recorded')
  }

  #onStarted(record: Of<'epoch_started'>): void {
    if (this.#epoch !== null)
      this.#violateBounds(`G7: an epoch began at ${record.firstUpdateId} while another was not ended`)
    if (this.#gap !== null) this.#violateBounds(`G4: an epoch began at ${record.firstUpdateId} while a gap was open`)
    if (this.#isPassedOn) this.#onPassedOn(record)
    else if (this.#lastId !== null) {
      const missing = `what lies between ${this.#lastId} and ${record.firstUpdateId}`
      if (this.#disclosed === 'no') this.#violateBounds(`G1: ${missing} is neither stored nor in a gap`)
      if (this.#disclosed === 'withdrawn' && this.#lastId !== record.firstUpdateId) {
        this.#violateBounds(`G1: the gap of ${missing} was withdrawn`)
      }
      // Where the venue began to count anew, a gap has no last id.
      const closedTo = record.firstUpdateId < this.#lastId ? null : record.firstUpdateId
      if (this.#disclosed === 'yes' && this.#closedTo !== closedTo) {
        this.#violateBounds(`G1: the gap before ${record.firstUpdateId} was closed at ${this.#closedTo}`)
      }
    }
    this.#epoch = record
    this.#epochs.add(record.epochId)
    this.#offset = this.#offsetOf(record.sessionId)
    this.#lastId = record.firstUpdateId
    this.#messageSeq = 0
    this.#isPassedOn = false
    this.#disclosed = 'no'
    if (!this.#truth.has(this.#trueId(record.firstUpdateId))) {
      this.#violate(`G5: an epoch began at ${record.firstUpdateId}, which the exchange never gave`)
    }
  }

  #onEnded(record: Of<'epoch_ended'>): void {
    if (!this.#epochs.has(record.epochId)) return // of another symbol or feed
    if (this.#epoch?.epochId !== record.epochId)
      this.#violateBounds(`G7: an epoch ended that was not live, at ${record.lastUpdateId}`)
    if (record.lastUpdateId !== this.#lastId) {
      this.#violateBounds(`G3: an epoch ended at ${record.lastUpdateId}, and its last row is of ${this.#lastId}`)
    }
    this.#epoch = null
    this.#isPassedOn = record.reason === 'rotation'
  }

  /** From one connection to another: the new epoch may tell again what the old one has, and leaves nothing out. */
  #onPassedOn(record: Of<'epoch_started'>): void {
    const last = this.#trueId(this.#lastId ?? 0n)
    const next = this.#truth.next(last)
    const first = record.firstUpdateId + this.#offsetOf(record.sessionId)
    if (next !== null && next <= first)
      this.#violateBounds(`G1: a rotation left out ${next} between ${last} and ${first}`)
  }

  #onGap(record: Of<'gap_opened'>): void {
    if (record.stream !== 'book') return
    if (this.#isPassedOn) this.#violateBounds(`G1: a rotation left a gap after ${this.#lastId}`)
    if (this.#epoch !== null) this.#violateBounds(`G7: a gap opened at ${record.fromId} while the epoch was not ended`)
    if (this.#gap !== null) this.#violateBounds(`G1: a gap opened at ${record.fromId} inside another`)
    if (record.fromId !== this.#lastId) {
      this.#violateBounds(`G3: a gap opened at ${record.fromId}, and ${this.#lastId} is the last id that is stored`)
    }
    this.#gap = record
  }

  #onGapEnd(record: Of<'gap_closed'> | Of<'gap_withdrawn'>): void {
    if (this.#gap?.gapId !== record.gapId) return // of the trades
    this.#gap = null
    this.#disclosed = record.kind === 'gap_withdrawn' ? 'withdrawn' : 'yes'
    this.#closedTo = record.kind === 'gap_closed' ? record.toId : null
  }

  #onMessage(record: Of<'book_message'>): void {
    const { firstUpdateId, lastUpdateId } = record
    if (this.#epoch?.epochId !== record.epochId)
      return this.#violateBounds(`G7: update ${lastUpdateId} stands outside its epoch`)
    if (record.messageSeq <= this.#messageSeq) this.#violate(`G8: update ${lastUpdateId} is out of order`)
    this.#messageSeq = record.messageSeq
    const last = this.#lastId ?? 0n
    this.#lastId = lastUpdateId
    const trueLast = this.#trueId(lastUpdateId)
    if (!this.#truth.has(trueLast)) return this.#violate(`G5: the exchange never gave update ${lastUpdateId}`)
    if (this.#feed === 'v1') {
      if (this.#truth.next(this.#trueId(last)) !== trueLast) {
        return this.#violate(`G1: update ${lastUpdateId} was stored next to ${last}, and there is one between`)
      }
      if (!isSame(record.changes, this.#truth.between(this.#trueId(last), trueLast))) {
        this.#violate(`G5: update ${lastUpdateId} is stored with other changes than it had`)
      }
      return
    }
    if (firstUpdateId > last)
      return this.#violate(`G1: update ${firstUpdateId}..${lastUpdateId} was stored after ${last}`)
    if (lastUpdateId <= last) return this.#violate(`G2: update ${firstUpdateId}..${lastUpdateId} was stored again`)
    if (!isSame(merged(record.changes), merged(this.#truth.between(this.#trueId(firstUpdateId), trueLast)))) {
      this.#violate(`G5: update ${firstUpdateId}..${lastUpdateId} is stored with other changes than it had`)
    }
  }

  #onSnapshot(record: Of<'book_snapshot'>): void {
    if (record.updateId !== this.#lastId)
      this.#violateBounds(`G6: a snapshot of ${record.updateId} stands after ${this.#lastId}`)
    if (!this.#truth.has(this.#trueId(record.updateId))) return
    const { bids, asks } = this.#exchange.truth.bookAfter(this.#symbol, this.#trueId(record.updateId))
    const isEqual =
      pairs(record.bidPrices, record.bidQuantities) === bids.join(';') &&
      pairs(record.askPrices, record.askQuantities) === asks.join(';')
    if (!isEqual) this.#violate(`G6: the snapshot of ${record.updateId} is not the exchange's book`)
  }

  #onQuote(record: Of<'quote'>): void {
    const id = record.updateId + this.#offsetOf(record.sessionId)
    if (!this.#truth.has(id)) return this.#violate(`G5: a quote of ${record.updateId}, which the exchange never gave`)
    const { bids, asks } = this.#exchange.truth.bookAfter(this.#symbol, id)
    const { top } = record
    if (side(top, 'bid') !== String(bids[0] ?? ',') || side(top, 'ask') !== String(asks[0] ?? ',')) {
      this.#violate(`G5: the quote of ${record.updateId} is not the exchange's`)
    }
  }

  #trueId(id: bigint): bigint {
    return id + this.#offset
  }
}

type Change = Pick<LevelChange, 'side' | 'price' | 'quantity'>

const pairs = (prices: readonly string[], quantities: readonly string[]): string =>
  prices.map((price, i) => `${price},${quantities[i]}`).join(';')

const side = (top: TopOfBook, of: 'bid' | 'ask'): string =>
  of === 'bid' ? `${top.bidPrice ?? ''},${top.bidQuantity ?? ''}` : `${top.askPrice ?? ''},${top.askQuantity ?? ''}`

function isSame(a: readonly Change[], b: readonly Change[]): boolean {
  return (
    a.length === b.length &&
    a.every((change, i) => {
      const other = b[i]
      return change.side === other?.side && change.price === other.price && change.quantity === other.quantity
    })
  )
}

/** The last quantity of each level, in a fixed order. */
function merged(changes: readonly Change[]): readonly Change[] {
  const levels = new Map<string, Change>()
  for (const change of changes) levels.set(`${change.side} ${change.price}`, change)
  return [...levels].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, change]) => change)
}
