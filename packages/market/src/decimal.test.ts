import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compareDecimals, type DecimalText, Exact, readDecimal, readIncrement, readSignedDecimal } from './decimal.ts'

for (const [wire, canonical] of [
  ['83948.70000', '83948.7'],
  ['83948.7', '83948.7'],
  ['0', '0'],
  ['0.0', '0'],
  ['0.0000000000', '0'],
  ['9000000000000.00000', '9000000000000'],
  ['0.000000001', '0.000000001'],
  ['4105123935484.817624', '4105123935484.817624'],
  ['3466319.4815962300', '3466319.48159623'],
  ['100', '100'],
  ['100.0', '100'],
  ['1.50', '1.5'],
] as const) {
  test(`"${wire}" is read as ${canonical}`, () => assert.equal(readDecimal(wire), canonical))
}

for (const hostile of [
  '',
  ' ',
  ' 1',
  '1 ',
  '+1',
  '-1',
  '01.5',
  '00',
  '1.',
  '.5',
  '.',
  '1..2',
  '1.2.3',
  '1e5',
  '0x10',
  'NaN',
  'Infinity',
  '١٢',
  '1_000',
  '1,5',
  '1'.repeat(19),
  `0.${'1'.repeat(19)}`,
  '9'.repeat(400),
]) {
  test(`${JSON.stringify(hostile.slice(0, 24))} is not a number`, () => assert.equal(readDecimal(hostile), null))
}

for (const [wire, expected] of [
  ['-1.3210', '-1.321'],
  ['-0.00', '0'],
  ['0.8', '0.8'],
  ['--1', null],
  ['-', null],
] as const) {
  test(`as a delta, "${wire}" is ${expected}`, () => assert.equal(readSignedDecimal(wire), expected))
}

for (const [json, expected] of [
  ['1e-8', '0.00000001'],
  ['1e-08', '0.00000001'],
  ['0.00000001', '0.00000001'],
  ['1E-10', '0.0000000001'],
  ['0.5', '0.5'],
  ['1', '1'],
  ['0', null],
  ['-1', null],
  ['1e-99', null],
] as const) {
  test(`as an increment, ${json} is ${expected}`, () => assert.equal(readIncrement(json), expected))
}

const anyDecimal = fc
  .tuple(
    fc.bigInt({ min: 0n, max: 10n ** 18n - 1n }),
    fc.bigInt({ min: 0n, max: 10n ** 18n - 1n }),
    fc.integer({ min: 0, max: 18 }),
  )
  .map(
    ([integer, fraction, digits]) =>
      `${integer}${digits === 0 ? '' : `.${fraction.toString().padStart(18, '0').slice(0, digits)}`}`,
  )

test('reading keeps the value and is settled after one reading', () => {
  fc.assert(
    fc.property(anyDecimal, (wire) => {
      const canonical = readDecimal(wire)
      assert.ok(canonical !== null)
      assert.ok(new Exact(wire).eq(new Exact(canonical)))
      assert.equal(canonical, new Exact(wire).toFixed())
      assert.equal(readDecimal(canonical), canonical)
    }),
    { numRuns: 20_000 },
  )
})

test('texts compare as their values do', () => {
  fc.assert(
    fc.property(anyDecimal, anyDecimal, (left, right) => {
      const a = readDecimal(left) as DecimalText
      const b = readDecimal(right) as DecimalText
      assert.equal(Math.sign(compareDecimals(a, b)), new Exact(left).cmp(new Exact(right)))
    }),
    { numRuns: 20_000 },
  )
})
