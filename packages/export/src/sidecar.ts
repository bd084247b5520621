import type { DecimalText, LevelChange, TradeRecord } from '@booktape/market'
import type { Step } from './playback.ts'
import type { OpenSink, Sink } from './sink.ts'

/** Why a row stands in the sidecar instead of, or beside, the file. */
export type Treatment =
  | 'left_out' // the file lacks this level or trade
  | 'rounded' // the file has the nearest value it can hold
  | 'side_unknown' // an auction or block trade, which the file calls one of no known side
  | 'broken' // a trade that the venue withdrew: the file lacks it

/** What a format could not hold, exactly, in a CSV file of its own beside the export's: written only where there is any. */
export class Sidecar {
  readonly counts: Partial<Record<Treatment, number>> = {}
  readonly #open: OpenSink
  readonly #name: string
  #sink: Sink | null = null

  constructor(open: OpenSink, name: string) {
    this.#open = open
    this.#name = name
  }

  level(step: Step, change: Pick<LevelChange, 'side' | 'price' | 'quantity'>, treatment: Treatment): void {
    const { event } = step
    const ids =
      event.kind === 'book'
        ? [event.messageSeq, event.updateId]
        : event.kind === 'book_message'
          ? [event.messageSeq, event.lastUpdateId]
          : ['', '']
    this.#write(
      ['level', step.receivedNs, eventTimeOf(step), ...ids, '', change.side, change.price, change.quantity],
      treatment,
    )
  }

  trade(step: Step, trade: TradeRecord, treatment: Treatment): void {
    const { tradeId, takerSide, price, quantity, eventTimeNs } = trade
    this.#write(['trade', step.receivedNs, eventTimeNs, '', '', tradeId, takerSide, price, quantity], treatment)
  }

  #write(cells: readonly (string | number | bigint)[], treatment: Treatment): void {
    if (this.#sink === null) {
      this.#sink = this.#open(this.#name, 'plain')
      this.#sink.write(`${SIDECAR_COLUMNS.join(',')}\n`, 0)
    }
    this.#sink.write(`${cells.join(',')},${treatment}\n`, 1)
    this.counts[treatment] = (this.counts[treatment] ?? 0) + 1
  }
}

export const SIDECAR_COLUMNS = [
  'kind', // level or trade
  'received_time_ns',
  'event_time_ns',
  'message_seq',
  'update_id',
  'trade_id',
  'side', // of the book, or the taker's
  'price',
  'quantity', // of a level: 0 where it is gone, or stands in the file again
  'treatment',
] as const

/** The venue's time of a step, or ours where it gave none. */
export function eventTimeOf({ event, receivedNs }: Step): bigint {
  if (event.kind === 'gap') return receivedNs
  return event.eventTimeNs ?? receivedNs
}

/** Keeps levels out of a file that cannot hold their values: the file's book is the recorded one without them. */
export class LevelFilter {
  readonly #isHeld: (price: DecimalText, quantity: DecimalText) => boolean
  readonly #sidecar: Sidecar
  readonly #out = new Map<string, Pick<LevelChange, 'side' | 'price'>>()

  constructor(sidecar: Sidecar, isHeld: (price: DecimalText, quantity: DecimalText) => boolean) {
    this.#sidecar = sidecar
    this.#isHeld = isHeld
  }

  /** A new book replaces all. */
  clear(step: Step): void {
    for (const { side, price } of this.#out.values())
      this.#sidecar.level(step, { side, price, quantity: NOTHING }, 'left_out')
    this.#out.clear()
  }

  /** What the file does: set the level as given, remove it, or nothing. */
  pass(
    step: Step,
    { side, price, quantity }: Pick<LevelChange, 'side' | 'price' | 'quantity'>,
  ): 'set' | 'remove' | 'nothing' {
    const key = `${side} ${price}`
    const wasOut = this.#out.has(key)
    if (quantity === NOTHING || this.#isHeld(price, quantity)) {
      if (wasOut) {
        this.#out.delete(key)
        this.#sidecar.level(step, { side, price, quantity: NOTHING }, 'left_out')
      }
      if (quantity !== NOTHING) return 'set'
      return wasOut ? 'nothing' : 'remove'
    }
    this.#out.set(key, { side, price })
    this.#sidecar.level(step, { side, price, quantity }, 'left_out')
    return wasOut || !this.#isHeld(price, NOTHING) ? 'nothing' : 'remove'
  }
}

const NOTHING = '0' as DecimalText
