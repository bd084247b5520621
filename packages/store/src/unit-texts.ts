import type { DecimalText } from '@booktape/market'

/**
 * The canonical text of an integer that counts units of 10^-digits:
 *
 *   '8394870', 2   83948.7
 *   '5', 3         0.005
 */
export function placePoint(digits: string, scale: number): string {
  if (scale === 0) return digits
  let end = digits.length
  const point = end - scale
  while (end > point && end > 0 && digits.charCodeAt(end - 1) === ZERO) end--
  if (end === 0) return '0'
  if (end <= point) return digits.slice(0, point)
  if (point > 0) return `${digits.slice(0, point)}.${digits.slice(point, end)}`
  return `0.${'0'.repeat(-point)}${digits.slice(0, end)}`
}

const ZERO = 48

/** Changes cluster where prices are, so most texts were made a moment ago. A power of two: places are the high bits of a hash. */
const REMEMBERED_BITS = 13
const GOLDEN = 0x9e3779b1

/** Texts of whole numbers of one unit, remembered. */
export class UnitTexts {
  readonly #scale: number
  readonly #units = new Float64Array(2 ** REMEMBERED_BITS).fill(-1)
  readonly #texts: DecimalText[] = []

  constructor(scale: number) {
    this.#scale = scale
  }

  /** `units`: a whole number, exact. */
  text(units: number): DecimalText {
    const place = Math.imul(units | 0, GOLDEN) >>> (32 - REMEMBERED_BITS)
    if (this.#units[place] === units) return this.#texts[place] as DecimalText
    const text = placePoint(String(units), this.#scale) as DecimalText
    this.#units[place] = units
    this.#texts[place] = text
    return text
  }

  largeText(units: bigint): DecimalText {
    return placePoint(units.toString(), this.#scale) as DecimalText
  }
}
