import type { DecimalText } from '@booktape/market'

/**
 * DECIMAL(38, 10): one type for all symbols, because readers give a column the type that it has in the first file and round what
 * the others hold. The widest numbers of the venue have 13 digits before the point, the finest 10 after it (docs/gemini.md,
 * claim 20). What is finer goes to a column of texts.
 */
export const DECIMAL_PRECISION = 38
export const DECIMAL_SCALE = 10
/** Enough for 38 digits and the sign. */
export const DECIMAL_BYTES = 16

const ZERO = 48
/** Canonical, and with room for it: anything else would not come back as it is. */
const FITS = /^(?:0|[1-9]\d{0,27})(?:\.\d{0,9}[1-9])?$/
const CHUNK_BITS = 64n
const SIGN_BIT = 0x80

/** The units of 10^-10 that a decimal counts, big-endian in 16 bytes as Parquet wants it; null for what does not fit. */
export function decimalBytes(text: DecimalText): Uint8Array | null {
  if (!FITS.test(text)) return null
  const point = text.indexOf('.')
  const integer = point === -1 ? text : text.slice(0, point)
  const fraction = point === -1 ? '' : text.slice(point + 1)
  const units = BigInt(integer + fraction.padEnd(DECIMAL_SCALE, '0'))
  const bytes = new Uint8Array(DECIMAL_BYTES)
  const view = new DataView(bytes.buffer)
  view.setBigUint64(0, units >> CHUNK_BITS)
  view.setBigUint64(8, BigInt.asUintN(64, units))
  return bytes
}

/** The other way round, canonical; null for bytes that `decimalBytes` never makes. */
export function decimalOfBytes(bytes: Uint8Array): DecimalText | null {
  if (bytes.length !== DECIMAL_BYTES || ((bytes[0] ?? 0) & SIGN_BIT) !== 0) return null
  const view = new DataView(bytes.buffer, bytes.byteOffset, DECIMAL_BYTES)
  const digits = ((view.getBigUint64(0) << CHUNK_BITS) | view.getBigUint64(8))
    .toString()
    .padStart(DECIMAL_SCALE + 1, '0')
  const point = digits.length - DECIMAL_SCALE
  let end = digits.length
  while (end > point && digits.charCodeAt(end - 1) === ZERO) end--
  return (
    end === point ? digits.slice(0, point) : `${digits.slice(0, point)}.${digits.slice(point, end)}`
  ) as DecimalText
}
