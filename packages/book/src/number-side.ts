import type { DecimalText } from '@booktape/market'
import type { Applied } from './order-book.ts'
import { MAX_SCALE, rescaled, scaleOf, TOO_FINE, TOO_LARGE, toScaled, toText } from './scaled.ts'
import type { TextSide } from './text-side.ts'

/**
 * One side of a book as two arrays of whole numbers: prices and quantities in units of a power of ten that is fine enough for all
 * of them. Sixteen bytes a level, and no object. The best level is last, because changes cluster there: half of them within the
 * best five levels, so the search gallops from the end and an insert moves few elements.
 *
 * Exact below 2^53; a side that meets a value beyond is turned into a `TextSide`.
 */
export type NumberSide = {
  readonly kind: 'numbers'
  length: number
  keys: Float64Array // prices of bids, negated prices of asks: ascending on both sides
  quantities: Float64Array
  priceScale: number
  quantityScale: number
  /** The best level in words, as long as it stays what it was: it is asked for after every message. */
  top: { key: number; amount: number; price: DecimalText; quantity: DecimalText } | null
}

const FIRST_CAPACITY = 16
/** Room for a book to grow by a quarter before it is copied. */
const GROWTH = 1.25

export function emptyNumbers(capacity = FIRST_CAPACITY): NumberSide {
  return {
    kind: 'numbers',
    length: 0,
    keys: new Float64Array(capacity),
    quantities: new Float64Array(capacity),
    priceScale: 0,
    quantityScale: 0,
    top: null,
  }
}

/** Sets one level; null where a value does not fit, and then nothing has changed. `direction`: 1 for bids, -1 for asks. */
export function setNumber(
  side: NumberSide,
  direction: 1 | -1,
  price: DecimalText,
  quantity: DecimalText,
): Applied | null {
  let units = toScaled(price, side.priceScale)
  if (units < 0) {
    units = refine(side, 'price', price, units)
    if (units < 0) return null
  }
  let amount = toScaled(quantity, side.quantityScale)
  if (amount < 0) {
    amount = refine(side, 'quantity', quantity, amount)
    if (amount < 0) return null
  }
  const key = direction * units
  const at = search(side, key)
  const { keys, quantities, length } = side
  const present = at < length && keys[at] === key
  if (amount === 0) {
    if (!present) return 'absent'
    closeAt(keys, at, length)
    closeAt(quantities, at, length)
    side.length--
    return 'removed'
  }
  if (present) {
    if (quantities[at] === amount) return 'unchanged'
    quantities[at] = amount
    return 'set'
  }
  insert(side, at, key, amount)
  return 'set'
}

/** The index of a price, -1 where the side has no such level. */
export function indexOfPrice(side: NumberSide, direction: 1 | -1, price: DecimalText): number {
  const units = toScaled(price, side.priceScale)
  if (units < 0) return -1
  const at = search(side, direction * units)
  return at < side.length && side.keys[at] === direction * units ? at : -1
}

/** The best level; null where there is none. */
export function bestOf(side: NumberSide): Readonly<{ price: DecimalText; quantity: DecimalText }> | null {
  const at = side.length - 1
  if (at === -1) return null
  const key = side.keys[at] as number
  const amount = side.quantities[at] as number
  const { top } = side
  if (top === null || top.key !== key || top.amount !== amount) {
    side.top = { key, amount, price: priceAt(side, at), quantity: quantityTextAt(side, at) }
  }
  return side.top
}

export function priceAt({ keys, priceScale }: NumberSide, at: number): DecimalText {
  return toText(Math.abs(keys[at] as number), priceScale)
}

export function quantityTextAt({ quantities, quantityScale }: NumberSide, at: number): DecimalText {
  return toText(quantities[at] as number, quantityScale)
}

export function toTexts(side: NumberSide): TextSide {
  const texts: TextSide = { kind: 'texts', prices: [], quantities: [] }
  for (let at = 0; at < side.length; at++) {
    texts.prices.push(priceAt(side, at))
    texts.quantities.push(quantityTextAt(side, at))
  }
  return texts
}

/** The first index whose key is not below: gallops from the end, doubling the step until it has passed the key, then halves. */
function search({ keys, length }: NumberSide, key: number): number {
  let high = length
  let step = 1
  let low = high - 1
  while (low >= 0 && (keys[low] as number) > key) {
    high = low
    step *= 2
    low = high - step
  }
  if (low < 0) low = 0
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((keys[middle] as number) < key) low = middle + 1
    else high = middle
  }
  return low
}

function insert(side: NumberSide, at: number, key: number, amount: number): void {
  const { length } = side
  if (length === side.keys.length) {
    const capacity = Math.ceil(length * GROWTH) + FIRST_CAPACITY
    side.keys = grown(side.keys, capacity)
    side.quantities = grown(side.quantities, capacity)
  }
  const { keys, quantities } = side
  openAt(keys, at, length)
  openAt(quantities, at, length)
  keys[at] = key
  quantities[at] = amount
  side.length++
}

/** Up to here a loop is faster than the call of `copyWithin`; nine changes in ten are nearer to the best level. */
const NEAR = 24

/** Moves what stands from `at` on one further; there is room. */
function openAt(values: Float64Array, at: number, length: number): void {
  if (length - at > NEAR) values.copyWithin(at + 1, at, length)
  else for (let i = length; i > at; i--) values[i] = values[i - 1] as number
}

/** Moves what stands after `at` one back. */
function closeAt(values: Float64Array, at: number, length: number): void {
  if (length - at > NEAR) values.copyWithin(at, at + 1, length)
  else for (let i = at + 1; i < length; i++) values[i - 1] = values[i] as number
}

function grown(values: Float64Array, capacity: number): Float64Array {
  const larger = new Float64Array(capacity)
  larger.set(values)
  return larger
}

/** Makes the units fine enough for a value, where all that is there still fits; its scaled value, or below zero. */
function refine(side: NumberSide, what: 'price' | 'quantity', text: DecimalText, problem: number): number {
  const scale = scaleOf(text)
  if (problem !== TOO_FINE || scale > MAX_SCALE) return TOO_LARGE
  const units = toScaled(text, scale)
  if (units < 0) return units
  const by = scale - (what === 'price' ? side.priceScale : side.quantityScale)
  const values = what === 'price' ? side.keys : side.quantities
  for (let at = 0; at < side.length; at++) {
    if (Math.abs(rescaled(values[at] as number, by)) > Number.MAX_SAFE_INTEGER) return TOO_LARGE
  }
  for (let at = 0; at < side.length; at++) values[at] = rescaled(values[at] as number, by)
  side.top = null
  if (what === 'price') side.priceScale = scale
  else side.quantityScale = scale
  return units
}
