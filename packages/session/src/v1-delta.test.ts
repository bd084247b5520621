import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bookFromLevels } from '@booktape/book'
import type { DecimalText } from '@booktape/market'
import { countDeltaMismatches } from './v1-delta.ts'

for (const [what, price, quantity, delta, mismatches] of [
  ['a new level', '101', '2', '2', 0],
  ['a new level that is said to have grown by more', '101', '2', '2.5', 1],
  ['a level that is taken away', '100', '0', '-1.5', 0],
  ['a level that is taken away, and held less', '100', '0', '-1', 1],
  ['a level that grows', '100', '1.75', '0.25', 0],
  ['a level that shrinks', '100', '0.1', '-1.4', 0],
  ['a level that shrinks by a hair too little', '100', '0.1', '-1.399999999999999999', 1],
  ['a level that stays', '100', '1.5', '0', 0],
  ['the removal of a level that is not there', '101', '0', '0', 0],
  ['the removal of a level that is not there, of something', '101', '0', '-3', 1],
  ['no delta', '100', '7', null, 0],
] as const) {
  test(`${what}: ${mismatches} mismatches`, () => {
    const book = bookFromLevels([level('100', '1.5')])
    assert.equal(countDeltaMismatches(book, [{ ...level(price, quantity), delta }]), mismatches)
  })
}

test('a price that one message names twice is compared once, with the book before the message', () => {
  const book = bookFromLevels([level('100', '1.5')])
  const changes = [
    { ...level('100', '1'), delta: '-0.5' },
    { ...level('100', '0'), delta: '-1' },
  ]
  assert.equal(countDeltaMismatches(book, changes), 0)
})

function level(price: string, quantity: string) {
  return { side: 'bid', price: price as DecimalText, quantity: quantity as DecimalText, reason: 'place' } as const
}
