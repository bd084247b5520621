import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import { type DecimalText, readDecimal } from '@booktape/market'
import fc from 'fast-check'
import { combineCrc32 } from './crc32.ts'
import { isHeldByDouble, nearestDouble } from './double.ts'
import { fixedBytes, PRICE_MAX, toFixedPoint } from './fixed-point.ts'

const decimal = (text: string): DecimalText => readDecimal(text) ?? assert.fail(text)

for (const [text, held] of [
  ['0', true],
  ['83948.7', true],
  ['0.0000000001', true],
  ['123456789012.345', true], // 15 digits
  ['0.1234567890123456', true], // 16, and this double prints as it
  ['0.12345678901234567', false], // 17: it prints as …68
  ['123456789012345678', false],
  ['999999999999999999.999999999999999999', false],
  ['9007199254740993', false], // 2^53 + 1
  ['100000000000000000', true],
  ['0.123456789012345678', false],
] as const) {
  test(`a double ${held ? 'tells' : 'does not tell'} ${text}`, () => assert.equal(isHeldByDouble(decimal(text)), held))
}

test('whatever a double tells is read back from it to the last digit', () => {
  const digits = fc.stringMatching(/^(0|[1-9]\d{0,9})(\.\d{0,9}[1-9])?$/)
  fc.assert(
    fc.property(digits, (text) => {
      const value = decimal(text)
      if (isHeldByDouble(value)) assert.equal(plain(nearestDouble(value)), value)
    }),
  )
})

for (const [text, raw] of [
  ['0', 0n],
  ['1', 10_000_000_000_000_000n],
  ['0.0000000000000001', 1n],
  ['83948.7', 839_487_000_000_000_000_000n],
  ['17014118346046', 170_141_183_460_460_000_000_000_000_000n],
  ['17014118346046.1', null],
  ['0.00000000000000001', null],
] as const) {
  test(`${text} in units of 10^-16 is ${raw === null ? 'not held' : raw}`, () => {
    assert.equal(toFixedPoint(decimal(text), PRICE_MAX), raw)
  })
}

test('the 16 bytes are little-endian', () => {
  assert.equal(Buffer.from(fixedBytes((1n << 64n) + 0x0102n)).toString('hex'), '02010000000000000100000000000000')
})

test('the checksums of two parts make that of both, whatever their lengths', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ maxLength: 300 }), (first, second) => {
      const both = Buffer.concat([first, second])
      assert.equal(combineCrc32(crc32(first), crc32(second), BigInt(second.length)), crc32(both))
    }),
  )
})

/** Without an exponent. */
function plain(value: number): string {
  const text = String(value)
  const [, digits = '', exponent = ''] = /^([\d.]+)e-(\d+)$/.exec(text) ?? []
  if (digits === '') return text
  return `0.${digits.replace('.', '').padStart(digits.replace('.', '').length + Number(exponent) - 1, '0')}`
}
