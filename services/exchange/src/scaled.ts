import { type DecimalText, invariant, readDecimal } from '@booktape/market'

/**
 * An exact decimal as a whole number of units of 10^-digits. The exchange counts in units and writes text only on the wire.
 *
 *   "83361.25" with 5 digits   8336125000n
 *   padded     "83361.25000"   canonical "83361.25"
 */
export function toUnits(text: string, digits: number): bigint {
  const canonical = readDecimal(text)
  invariant(canonical !== null, `${text} is a plain decimal`)
  const point = canonical.indexOf('.')
  const fraction = point === -1 ? '' : canonical.slice(point + 1)
  invariant(fraction.length <= digits, `${text} has at most ${digits} digits after the point`)
  const integer = point === -1 ? canonical : canonical.slice(0, point)
  return BigInt(integer + fraction.padEnd(digits, '0'))
}

/** With every digit after the point, as the new WebSocket API writes. */
export function paddedText(units: bigint, digits: number): string {
  const text = units.toString()
  if (digits === 0) return text
  const full = text.length > digits ? text : text.padStart(digits + 1, '0')
  return `${full.slice(0, -digits)}.${full.slice(-digits)}`
}

/** Without trailing zeros, as v1 and REST write. */
export function canonicalText(units: bigint, digits: number): DecimalText {
  const padded = paddedText(units, digits)
  if (digits === 0) return padded as DecimalText
  let end = padded.length
  while (padded.charCodeAt(end - 1) === 48) end--
  if (padded.charCodeAt(end - 1) === 46) end--
  return padded.slice(0, end) as DecimalText
}

/** Canonical, with a minus sign where it is due: v1's `delta`. */
export function signedText(units: bigint, digits: number): string {
  return units < 0n ? `-${canonicalText(-units, digits)}` : canonicalText(units, digits)
}
