import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { placePoint, UnitTexts } from './unit-texts.ts'

for (const [digits, scale, text] of [
  ['8394870', 2, '83948.7'],
  ['8394800', 2, '83948'],
  ['8394870', 0, '8394870'],
  ['5', 3, '0.005'],
  ['500', 3, '0.5'],
  ['1500', 3, '1.5'],
  ['0', 8, '0'],
  ['0', 0, '0'],
  ['0', 1, '0'],
  ['100', 2, '1'],
  ['10', 2, '0.1'],
  ['999999999999999999', 18, '0.999999999999999999'],
] as const) {
  test(`${digits} units of 10^-${scale} are ${text}`, () => assert.equal(placePoint(digits, scale), text))
}

test('remembered texts are those made anew, whatever was asked before', () => {
  const safe = fc.oneof(fc.nat(2_000), fc.integer({ min: 0, max: 2 ** 31 }), fc.maxSafeNat())
  fc.assert(
    fc.property(fc.array(safe, { maxLength: 200 }), fc.integer({ min: 0, max: 18 }), (units, scale) => {
      const texts = new UnitTexts(scale)
      for (const one of [...units, ...units]) assert.equal(texts.text(one), placePoint(String(one), scale))
    }),
  )
})
