import type { DecimalText } from '@booktape/market'

/** nautilus_trader's high-precision build, its default: 128-bit integers of 10^-16. */
export const FIXED_DIGITS = 16
export const PRICE_MAX = 17_014_118_346_046n
export const QUANTITY_MAX = 34_028_236_692_093n

const SCALE = 10n ** BigInt(FIXED_DIGITS)
const LOW_64_BITS = (1n << 64n) - 1n

/** In units of 10^-16, exactly; null where it is too fine or above `max`. */
export function toFixedPoint(text: DecimalText, max: bigint): bigint | null {
  const fraction = fractionDigits(text)
  if (fraction > FIXED_DIGITS) return null
  const digits = fraction === 0 ? text : text.slice(0, -fraction - 1) + text.slice(-fraction)
  const raw = BigInt(digits) * 10n ** BigInt(FIXED_DIGITS - fraction)
  return raw > max * SCALE ? null : raw
}

export function fractionDigits(text: DecimalText): number {
  const point = text.indexOf('.')
  return point === -1 ? 0 : text.length - point - 1
}

/** 16 bytes, little-endian. */
export function fixedBytes(raw: bigint): Uint8Array {
  const bytes = new Uint8Array(16)
  const view = new DataView(bytes.buffer)
  view.setBigUint64(0, raw & LOW_64_BITS, true)
  view.setBigUint64(8, raw >> 64n, true)
  return bytes
}
