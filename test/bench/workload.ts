import { createHash } from 'node:crypto'
import type { Side } from '@booktape/market'
import { WorkDice } from './work-dice.ts'

/**
 * What every contestant is given: one symbol's snapshot and the depth frames after it, from a seed, in the shapes that the venue
 * sends. 40 % of the changes are new levels, 40 % removals (one in ten of a level that is not there), 20 % new quantities; they
 * cluster at the top (median rank 3 to 4, one in a hundred beyond rank 30); a frame has 6.6 changes on average.
 *
 * Bids stay below a fixed middle and asks above it, and quantities are absolute: so the frames may be sent again and again, and
 * after each whole round the book is `final`, without ever being crossed.
 */
export type Workload = Readonly<{
  symbol: string
  snapshotId: bigint
  opening: Levels
  frames: readonly WorkFrame[]
  changes: number // in all frames together
  final: Levels
  digest: string // of `final`, by the rule of docs/data.md
}>

export type WorkFrame = Readonly<{ firstUpdateId: bigint; lastUpdateId: bigint; changes: readonly WorkChange[] }>

/** Texts as the wire spells them: padded with zeros. */
export type WorkChange = Readonly<{ side: Side; price: string; quantity: string }>

/** Best level first, canonical texts. */
export type Levels = Readonly<{ bids: readonly Level[]; asks: readonly Level[] }>
export type Level = readonly [price: string, quantity: string]

export type Shape = Readonly<{ symbol?: string; levelsPerSide: number; frames: number; seed: number }>

/** btcusd: steps of a cent and of 10^-8; the new API pads to five and ten digits. */
const PRICE_DIGITS = 2
const QUANTITY_DIGITS = 8
const WIRE_PRICE_DIGITS = 5
const WIRE_QUANTITY_DIGITS = 10
const MIDDLE = 8_350_000
/** Levels lie 1 to 2 * MEAN_STEP - 1 cents apart: room for new ones between. */
const MEAN_STEP = 5
export const FIRST_ID = 100_000_000_000n

const CHANGES_PER_FRAME = { median: 5.5, spread: 0.6, most: 200 }
const RANK = { median: 3.6, spread: 0.95 }
const NEW_SHARE = 0.4
const REMOVAL_SHARE = 0.4
const ABSENT_SHARE = 0.1
/** How much likelier growth is while the book is smaller than it began, and the reverse: it keeps its size. */
const PULL = 0.02

export function makeWorkload({ symbol = 'btcusd', levelsPerSide, frames, seed }: Shape): Workload {
  const dice = new WorkDice(seed, `${symbol} of the benchmarks`)
  const bids = new Ladder(dice, -1, levelsPerSide)
  const asks = new Ladder(dice, 1, levelsPerSide)
  const opening = { bids: bids.levels(), asks: asks.levels() }
  const made: WorkFrame[] = []
  let id = FIRST_ID
  let changes = 0
  for (let i = 0; i < frames; i++) {
    const count = countOfChanges(dice)
    const touched = new Map<number, WorkChange>()
    for (let j = 0; j < count; j++) {
      const [side, ladder] = dice.chance(0.5) ? (['bid', bids] as const) : (['ask', asks] as const)
      const [price, quantity] = ladder.change(touched)
      touched.set(price, {
        side,
        price: wireText(price, PRICE_DIGITS, WIRE_PRICE_DIGITS),
        quantity: wireText(quantity, QUANTITY_DIGITS, WIRE_QUANTITY_DIGITS),
      })
    }
    const firstUpdateId = id
    id += BigInt(touched.size)
    changes += touched.size
    made.push({ firstUpdateId, lastUpdateId: id, changes: [...touched.values()] })
  }
  const final = { bids: bids.levels(), asks: asks.levels() }
  return { symbol, snapshotId: FIRST_ID, opening, frames: made, changes, final, digest: digestOf(final) }
}

/** One side, prices in cents and quantities in 10^-8, the best level last. `away`: the direction in which prices get worse. */
class Ladder {
  readonly #dice: WorkDice
  readonly #away: 1 | -1
  readonly #size: number
  readonly #prices: number[] = []
  readonly #quantities: number[] = []

  constructor(dice: WorkDice, away: 1 | -1, size: number) {
    this.#dice = dice
    this.#away = away
    this.#size = size
    let price = MIDDLE
    for (let i = 0; i < size; i++) {
      price += away * dice.between(1, 2 * MEAN_STEP - 1)
      this.#prices.push(price)
      this.#quantities.push(this.#quantity())
    }
    this.#prices.reverse()
    this.#quantities.reverse()
  }

  /** One change, made here too. A price is changed at most once in a frame, as the venue gathers them. */
  change(touched: ReadonlyMap<number, unknown>): [price: number, quantity: number] {
    for (;;) {
      const change = this.#draw()
      if (change === null || touched.has(change.price)) continue
      const { at, price, quantity, isThere } = change
      if (quantity === 0) {
        if (isThere) {
          this.#prices.splice(at, 1)
          this.#quantities.splice(at, 1)
        }
      } else if (isThere) this.#quantities[at] = quantity
      else {
        this.#prices.splice(at, 0, price)
        this.#quantities.splice(at, 0, quantity)
      }
      return [price, quantity]
    }
  }

  levels(): Level[] {
    return this.#prices
      .map(
        (price, i): Level => [
          canonicalText(price, PRICE_DIGITS),
          canonicalText(this.#quantities[i] ?? 0, QUANTITY_DIGITS),
        ],
      )
      .reverse()
  }

  #draw(): Readonly<{ at: number; price: number; quantity: number; isThere: boolean }> | null {
    const length = this.#prices.length
    const rank = Math.min(Math.floor(this.#dice.logNormal(RANK.median, RANK.spread)), length - 1)
    const at = length - 1 - rank
    const price = this.#prices[at] ?? MIDDLE
    const kind = this.#dice.unit()
    const pull = length < this.#size ? PULL : -PULL
    if (kind >= NEW_SHARE + REMOVAL_SHARE) return { at, price, quantity: this.#quantity(), isThere: true }
    const isNew = kind < NEW_SHARE + pull
    if (!isNew && !this.#dice.chance(ABSENT_SHARE)) {
      return length <= 1 ? null : { at, price, quantity: 0, isThere: true }
    }
    // A price that has no level, between this one and the next better one (or the middle).
    const better = this.#prices[at + 1] ?? MIDDLE
    const room = Math.abs(price - better) - 1
    if (room < 1) return null
    const free = price - this.#away * this.#dice.between(1, room)
    return { at: at + 1, price: free, quantity: isNew ? this.#quantity() : 0, isThere: false }
  }

  #quantity(): number {
    return Math.max(1, Math.round(this.#dice.logNormal(0.2, 1.5) * 10 ** QUANTITY_DIGITS))
  }
}

function countOfChanges(dice: WorkDice): number {
  const count = Math.round(dice.logNormal(CHANGES_PER_FRAME.median, CHANGES_PER_FRAME.spread))
  return Math.min(Math.max(count, 1), CHANGES_PER_FRAME.most)
}

/** The frame as the production wire spells it. Ids have twelve digits, which whoever sends a frame again may overwrite. */
export function frameText(symbol: string, frame: WorkFrame): string {
  return depthText(symbol, frame.firstUpdateId, frame.lastUpdateId, sideOf(frame, 'bid'), sideOf(frame, 'ask'))
}

export function snapshotText({
  symbol,
  snapshotId,
  opening,
}: Pick<Workload, 'symbol' | 'snapshotId' | 'opening'>): string {
  return depthText(symbol, snapshotId, snapshotId, opening.bids.map(onWire), opening.asks.map(onWire))
}

function depthText(
  symbol: string,
  firstId: bigint,
  lastId: bigint,
  bids: readonly Level[],
  asks: readonly Level[],
): string {
  const text = (levels: readonly Level[]): string =>
    levels.map(([price, quantity]) => `["${price}","${quantity}"]`).join()
  return `{"e":"depthUpdate","E":${EVENT_NS},"s":"${symbol}","U":${firstId},"u":${lastId},"b":[${text(bids)}],"a":[${text(asks)}]}`
}

const EVENT_NS = '1790732602268549219'

function sideOf(frame: WorkFrame, side: Side): Level[] {
  return frame.changes.flatMap((change): Level[] => (change.side === side ? [[change.price, change.quantity]] : []))
}

function onWire([price, quantity]: Level): Level {
  return [padded(price, WIRE_PRICE_DIGITS), padded(quantity, WIRE_QUANTITY_DIGITS)]
}

function padded(text: string, digits: number): string {
  const [whole = '0', fraction = ''] = text.split('.')
  return `${whole}.${fraction.padEnd(digits, '0')}`
}

/** SHA-256 over a line a level, as `market.book_snapshots.digest`; made here anew, so that nothing is compared with itself. */
export function digestOf({ bids, asks }: Levels): string {
  const hash = createHash('sha256')
  for (const [price, quantity] of bids) hash.update(`bid ${price} ${quantity}\n`)
  for (const [price, quantity] of asks) hash.update(`ask ${price} ${quantity}\n`)
  return hash.digest('hex')
}

const wireText = (scaled: number, digits: number, wireDigits: number): string =>
  padded(canonicalText(scaled, digits), wireDigits)

/** Digits without a zero too many. `scaled` stays below 2^53. */
function canonicalText(scaled: number, digits: number): string {
  const text = String(scaled).padStart(digits + 1, '0')
  return trimmed(`${text.slice(0, -digits)}.${text.slice(-digits)}`)
}

/** Without trailing zeros, and without a point that nothing follows. */
export function trimmed(text: string): string {
  return text.replace(/\.?0+$/, '')
}

/** The exact book after each frame, kept the plainest way there is: what stored books are held against. */
export class TrueBook {
  readonly #sides: Readonly<Record<Side, Map<string, string>>>

  constructor({ opening }: Pick<Workload, 'opening'>) {
    this.#sides = { bid: new Map(opening.bids), ask: new Map(opening.asks) }
  }

  apply({ changes }: WorkFrame): void {
    for (const { side, price, quantity } of changes) {
      if (trimmed(quantity) === '0') this.#sides[side].delete(trimmed(price))
      else this.#sides[side].set(trimmed(price), trimmed(quantity))
    }
  }

  digest(): string {
    const byPrice = (a: Level, b: Level): number => inSteps(a[0]) - inSteps(b[0])
    return digestOf({
      bids: [...this.#sides.bid].sort((a, b) => byPrice(b, a)),
      asks: [...this.#sides.ask].sort(byPrice),
    })
  }
}

/** A price of the workload in steps, a whole number. */
function inSteps(price: string): number {
  return Number(padded(price, PRICE_DIGITS).replace('.', ''))
}
