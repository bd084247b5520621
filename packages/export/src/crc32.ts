/** x^32 + … + 1 of zip and gzip, its bits reversed. */
const POLYNOMIAL = 0xedb88320

/** The CRC-32 of two byte strings one after the other, from the CRC of each and the length of the second. */
export function combineCrc32(first: number, second: number, secondBytes: bigint): number {
  return (multiply(powerOfX(secondBytes * 8n), first) ^ second) >>> 0
}

/** x to the power n modulo the polynomial; the highest bit is x^0. */
function powerOfX(n: bigint): number {
  let result = 0x80000000 // 1
  let square = 0x40000000 // x
  for (let rest = n; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) result = multiply(square, result)
    square = multiply(square, square)
  }
  return result
}

/** The product of two polynomials modulo the polynomial. */
function multiply(a: number, b: number): number {
  let product = 0
  let factor = b
  for (let bit = 31; bit >= 0; bit--) {
    if (((a >>> bit) & 1) === 1) product ^= factor
    factor = (factor & 1) === 1 ? (factor >>> 1) ^ POLYNOMIAL : factor >>> 1
  }
  return product >>> 0
}
