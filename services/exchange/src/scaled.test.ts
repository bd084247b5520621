import assert from 'node:assert/strict'
import { test } from 'node:test'
import { canonicalText, paddedText, signedText, toUnits } from './scaled.ts'

for (const [text, digits, units, padded] of [
  ['83361.25', 5, 8_336_125_000n, '83361.25000'],
  ['0.01', 5, 1_000n, '0.01000'],
  ['9000000000000', 5, 900_000_000_000_000_000n, '9000000000000.00000'],
  ['3466319.48159623', 10, 34_663_194_815_962_300n, '3466319.4815962300'],
  ['0.000000001', 12, 1_000n, '0.000000001000'],
  ['4105123935484.817624', 6, 4_105_123_935_484_817_624n, '4105123935484.817624'],
  ['0', 10, 0n, '0.0000000000'],
  ['120', 0, 120n, '120'],
] as const) {
  test(`${text} with ${digits} digits`, () => {
    assert.equal(toUnits(text, digits), units)
    assert.equal(paddedText(units, digits), padded)
    assert.equal(canonicalText(units, digits), text)
  })
}

test('a delta has a sign where it is due', () => {
  assert.deepEqual([signedText(-1_321n, 3), signedText(104n, 3), signedText(0n, 3)], ['-1.321', '0.104', '0'])
})

test('a decimal finer than the units is a broken belief', () => {
  assert.throws(() => toUnits('0.001', 2), { name: 'InvariantError' })
})
