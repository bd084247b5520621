import { Decimal } from 'decimal.js'

declare const canonical: unique symbol

/**
 * An exact, non-negative decimal in its one canonical spelling: no sign, no exponent, no leading zeros,
 * no trailing zeros after the point. Two values are equal exactly when their texts are equal, so the text
 * itself is the number: it is compared, keyed, hashed and sent to Postgres as it stands.
 *
 *   wire "83948.70000"  canonical "83948.7"
 *   wire "0.0000000000" canonical "0"
 */
export type DecimalText = string & { readonly [canonical]: true }

/** The widest number accepted: the largest seen on the wire has 13 + 6 digits (docs/gemini.md, claim 20). */
export const MAX_INTEGER_DIGITS = 18
export const MAX_FRACTION_DIGITS = 18

export const ZERO = '0' as DecimalText

const ZERO_CODE = 48
const NINE_CODE = 57
const POINT_CODE = 46

/**
 * Reads plain digits into the canonical form; `null` for anything else: a sign, an exponent, an empty text,
 * a leading zero, a bare point, more digits than the limits above. Never passes through a float.
 */
export function readDecimal(text: string): DecimalText | null {
  const length = text.length
  let point = -1
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i)
    if (code >= ZERO_CODE && code <= NINE_CODE) continue
    if (code !== POINT_CODE || point !== -1) return null
    point = i
  }
  const integerDigits = point === -1 ? length : point
  if (integerDigits === 0 || integerDigits > MAX_INTEGER_DIGITS) return null
  if (integerDigits > 1 && text.charCodeAt(0) === ZERO_CODE) return null
  if (point === -1) return text as DecimalText
  const fractionDigits = length - point - 1
  if (fractionDigits === 0 || fractionDigits > MAX_FRACTION_DIGITS) return null
  let end = length
  while (text.charCodeAt(end - 1) === ZERO_CODE) end--
  if (end - 1 === point) end = point
  return (end === length ? text : text.slice(0, end)) as DecimalText
}

/** Like `readDecimal`, for a value that may be negative (only v1's `delta` is). Returns canonical text with a sign. */
export function readSignedDecimal(text: string): string | null {
  if (!text.startsWith('-')) return readDecimal(text)
  const magnitude = readDecimal(text.slice(1))
  if (magnitude === null) return null
  return magnitude === ZERO ? ZERO : `-${magnitude}`
}

/**
 * The order of two canonical decimals: negative, zero or positive as a < b, a = b, a > b.
 *
 * With equally many integer digits, texts order as their values do: digits order by value, the point sorts
 * below every digit, and a prefix ("1.5" of "1.52") is the smaller number because trailing zeros are gone.
 */
export function compareDecimals(a: DecimalText, b: DecimalText): number {
  const digits = integerDigitsOf(a) - integerDigitsOf(b)
  if (digits !== 0) return digits
  return a < b ? -1 : a > b ? 1 : 0
}

export function isZero(value: DecimalText): boolean {
  return value === ZERO
}

function integerDigitsOf(text: string): number {
  const point = text.indexOf('.')
  return point === -1 ? text.length : point
}

/** For arithmetic at the edges only: 60 digits hold every sum and product of two accepted values exactly. */
export const Exact = Decimal.clone({ precision: 60, toExpNeg: -60, toExpPos: 60 })

/**
 * Reads an increment as JSON spells numbers, exponents included (`1e-08`, `0.00000001`), from its raw text.
 * `null` when it is not a positive decimal within the limits.
 */
export function readIncrement(text: string): DecimalText | null {
  if (!/^\d{1,18}(\.\d{1,18})?([eE][+-]?\d{1,2})?$/.test(text)) return null
  const value = readDecimal(new Exact(text).toFixed())
  return value === null || isZero(value) ? null : value
}
