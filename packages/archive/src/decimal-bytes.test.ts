import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DecimalText } from '@booktape/market'
import { decimalBytes, decimalOfBytes } from './decimal-bytes.ts'

for (const [text, hex] of [
  ['0', '00000000000000000000000000000000'],
  ['0.0000000001', '00000000000000000000000000000001'],
  ['1', '000000000000000000000002540be400'],
  ['83362.29', '00000000000000000002f62cf4d4c500'],
] as const) {
  test(`${text} is ${hex}`, () =>
    assert.equal(Buffer.from(decimalBytes(text as DecimalText) ?? []).toString('hex'), hex))
}

for (const text of [
  '0',
  '1',
  '10',
  '0.1',
  '0.0000000001',
  '4105123935484.817624',
  '9000000000000',
  '999999999999999999.9999999999',
]) {
  test(`${text} comes back as it was`, () => {
    const bytes = decimalBytes(text as DecimalText)
    assert.ok(bytes !== null)
    assert.equal(decimalOfBytes(bytes), text)
  })
}

for (const [what, text] of [
  ['finer than ten digits', '0.00000000001'],
  ['with a zero at its end', '1.50'],
  ['with a bare point', '1.'],
  ['with a leading zero', '01'],
  ['negative', '-1'],
  ['without a number', 'NaN'],
  ['with 29 digits before the point', '1'.repeat(29)],
] as const) {
  test(`a number ${what} does not fit`, () => assert.equal(decimalBytes(text as DecimalText), null))
}

test('bytes of a negative number are none of ours', () =>
  assert.equal(decimalOfBytes(new Uint8Array(16).fill(255)), null))
