import { type DecimalText, Exact } from '@booktape/market'

/** A double holds every decimal of up to this many digits: it prints as that decimal again (IEEE 754, DBL_DIG). */
const SAFE_DIGITS = 15

/**
 * The double nearest to a decimal, for formats that have nothing better. The one place where a price becomes a float; whoever takes
 * one asks `isHeldByDouble` too.
 */
export function nearestDouble(text: DecimalText): number {
  return Number(text)
}

/** Whether the nearest double still tells the decimal: its shortest spelling is the text. */
export function isHeldByDouble(text: DecimalText): boolean {
  if (significantDigits(text) <= SAFE_DIGITS) return true
  return new Exact(nearestDouble(text)).toFixed() === text
}

function significantDigits(text: DecimalText): number {
  const digits = text.includes('.') ? text.length - 1 : text.length
  if (!text.startsWith('0.')) return digits
  let at = 2
  while (text.charAt(at) === '0') at++
  return text.length - at
}
