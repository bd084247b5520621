import assert from 'node:assert/strict'
import { test } from 'node:test'
import { arrayText, cleanText, quoted } from './array-text.ts'

for (const [name, element, expected] of [
  ['a word', 'btcusd', '"btcusd"'],
  ['nothing', '', '""'],
  ['a quote', 'say "no"', '"say \\"no\\""'],
  ['a backslash', 'a\\b', '"a\\\\b"'],
  ['a comma and braces', '{1,2}', '"{1,2}"'],
  ['the word NULL', 'NULL', '"NULL"'],
] as const) {
  test(`${name} as an array element is ${expected}`, () => assert.equal(quoted(element), expected))
}

test('an array is its elements between braces', () => assert.equal(arrayText(['1', 'NULL', '"a"']), '{1,NULL,"a"}'))
test('an array of nothing is empty', () => assert.equal(arrayText([]), '{}'))

for (const [name, text, expected] of [
  ['a NUL', 'a\0b', 'a\uFFFDb'],
  ['a lone high surrogate', 'a\uD800b', 'a\uFFFDb'],
  ['a lone low surrogate', '\uDC00', '\uFFFD'],
  ['a whole pair', '\u{1F600}', '\u{1F600}'],
  ['a long text', '123456789', '12345678'],
  ['a pair that the limit cuts in two', '1234567\u{1F600}', '1234567\uFFFD'],
] as const) {
  test(`${name} is cleaned to ${JSON.stringify(expected)}`, () => assert.equal(cleanText(text, 8), expected))
}
