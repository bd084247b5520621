import type { DecimalText } from '@booktape/market'

/** Powers of ten that a double holds exactly. */
const POWERS_OF_TEN = Array.from({ length: 16 }, (_, exponent) => 10 ** exponent)
/** More digits after the point than this are kept as texts. */
export const MAX_SCALE = POWERS_OF_TEN.length - 1

const POINT = 46
const ZERO = 48

/** A value that does not fit: it has more digits after the point than the scale, or is too large for it. */
export const TOO_FINE = -1
export const TOO_LARGE = -2

/**
 * A decimal as a whole number of units of 10^-scale, exactly; below zero where it does not fit. Every sum and product here is a
 * whole number, and one beyond 2^53 rounds to no less than 2^53: so what is below is exact.
 *
 *   "83948.7" at scale 2   8394870
 */
export function toScaled(text: DecimalText, scale: number): number {
  const { length } = text
  let units = 0
  let point = length
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i)
    if (code === POINT) point = i
    else units = units * 10 + (code - ZERO)
  }
  const fraction = length - point - 1
  const missing = fraction > 0 ? scale - fraction : scale
  if (missing < 0) return TOO_FINE
  units *= POWERS_OF_TEN[missing] as number
  return units <= Number.MAX_SAFE_INTEGER ? units : TOO_LARGE
}

/** The digits after the point. */
export function scaleOf(text: DecimalText): number {
  const point = text.indexOf('.')
  return point === -1 ? 0 : text.length - point - 1
}

/** The canonical text of a scaled value: no trailing zeros after the point. */
export function toText(units: number, scale: number): DecimalText {
  const digits = String(units)
  if (scale === 0) return digits as DecimalText
  const padded = digits.length > scale ? digits : digits.padStart(scale + 1, '0')
  const point = padded.length - scale
  let end = padded.length
  while (end > point && padded.charCodeAt(end - 1) === ZERO) end--
  const integer = padded.slice(0, point)
  return (end === point ? integer : `${integer}.${padded.slice(point, end)}`) as DecimalText
}

/** `units` of `scale` in units of a finer one; beyond the safe integers where they do not fit. */
export function rescaled(units: number, by: number): number {
  return units * (POWERS_OF_TEN[by] ?? Number.POSITIVE_INFINITY)
}
