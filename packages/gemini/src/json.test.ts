import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ProtocolViolation, VenueProtocolError } from '@booktape/market'
import fc from 'fast-check'
import { MAX_TEXT_LENGTH, readJson } from './json.ts'
import { JsonNumber, type JsonObject, type JsonValue } from './json-value.ts'

for (const [name, text, expected] of [
  [
    'an object',
    '{"a":1,"b":"x"}',
    new Map<string, JsonValue>([
      ['a', 1n],
      ['b', 'x'],
    ]),
  ],
  ['an empty object', '{}', new Map()],
  ['an array', '[true,false,null]', [true, false, null]],
  ['an empty array', ' [ ] ', []],
  ['a time in nanoseconds', '1790732601672464421', 1790732601672464421n],
  ['an id above 2^53', '9007199254740993', 9007199254740993n],
  ['a negative integer', '-12', -12n],
  ['zero', '0', 0n],
  ['a fraction, as it is spelt', '0.00000001', new JsonNumber('0.00000001')],
  ['trailing zeros, as they are spelt', '1.50', new JsonNumber('1.50')],
  ['an exponent, as it is spelt', '1e-08', new JsonNumber('1e-08')],
  ['a large exponent', '-1.5E+10', new JsonNumber('-1.5E+10')],
  ['white space everywhere', ' \t\r\n{ "a" : [ 1 , 2 ] } \n', new Map([['a', [1n, 2n]]])],
  ['every short escape', '"\\"\\\\\\/\\b\\f\\n\\r\\t"', '"\\/\b\f\n\r\t'],
  ['an escape between plain runs', '"ab\\u0041cd\\u00e9"', 'abAcdé'],
  ['a surrogate pair of escapes', '"\\ud83d\\ude00"', '😀'],
  ['characters beyond ASCII', '"é😀"', 'é😀'],
  ['eight levels of nesting', '[[[[[[[[]]]]]]]]', [[[[[[[[]]]]]]]]],
] as const) {
  test(`reads ${name}`, () => assert.deepEqual(readJson(text), expected))
}

for (const [name, text, code] of [
  ['an empty text', '', 'MALFORMED_JSON'],
  ['white space only', '  ', 'MALFORMED_JSON'],
  ['a byte order mark', '\ufeff{}', 'MALFORMED_JSON'],
  ['two values', '{}{}', 'MALFORMED_JSON'],
  ['a comma too many in an array', '[1,]', 'MALFORMED_JSON'],
  ['a comma too many in an object', '{"a":1,}', 'MALFORMED_JSON'],
  ['a missing colon', '{"a" 1}', 'MALFORMED_JSON'],
  ['a key without quotes', '{a:1}', 'MALFORMED_JSON'],
  ['single quotes', "{'a':1}", 'MALFORMED_JSON'],
  ['a comment', '[1/**/]', 'MALFORMED_JSON'],
  ['an open object', '{"a":1', 'MALFORMED_JSON'],
  ['an open array', '[1', 'MALFORMED_JSON'],
  ['the wrong closing bracket', '[1}', 'MALFORMED_JSON'],
  ['an open string', '"abc', 'MALFORMED_JSON'],
  ['a string that ends in a backslash', '"abc\\', 'MALFORMED_JSON'],
  ['a control character in a string', '"a\nb"', 'MALFORMED_JSON'],
  ['a control character after an escape', '"\\n\u0001"', 'MALFORMED_JSON'],
  ['an escape that JSON does not have', '"\\x41"', 'MALFORMED_JSON'],
  ['a short escape of four digits', '"\\u12"', 'MALFORMED_JSON'],
  ['an escape with a sign for a digit', '"\\u+123"', 'MALFORMED_JSON'],
  ['a lone high surrogate in an escape', '"\\ud800"', 'MALFORMED_JSON'],
  ['a lone low surrogate in an escape', '"\\udc00x"', 'MALFORMED_JSON'],
  ['a lone surrogate as it stands', '"\ud800"', 'MALFORMED_JSON'],
  ['a leading zero', '01', 'MALFORMED_JSON'],
  ['a plus sign', '+1', 'MALFORMED_JSON'],
  ['a bare minus', '-', 'MALFORMED_JSON'],
  ['a point without digits behind', '1.', 'MALFORMED_JSON'],
  ['a point without digits before', '.5', 'MALFORMED_JSON'],
  ['an exponent without digits', '1e', 'MALFORMED_JSON'],
  ['a signed exponent without digits', '1e+', 'MALFORMED_JSON'],
  ['hexadecimal', '0x10', 'MALFORMED_JSON'],
  ['NaN', 'NaN', 'MALFORMED_JSON'],
  ['Infinity', '-Infinity', 'MALFORMED_JSON'],
  ['half a word', 'tru', 'MALFORMED_JSON'],
  ['Arabic digits', '١٢', 'MALFORMED_JSON'],
  ['a key twice', '{"u":1,"u":2}', 'DUPLICATE_KEY'],
  ['a key twice in two spellings', '{"u":1,"\\u0075":2}', 'DUPLICATE_KEY'],
  ['__proto__ twice', '{"__proto__":1,"__proto__":2}', 'DUPLICATE_KEY'],
  ['nine levels of nesting', '[[[[[[[[[]]]]]]]]]', 'TOO_DEEP'],
  ['a million open arrays', '['.repeat(1_000_000), 'TOO_DEEP'],
  ['a million open objects', '{"a":'.repeat(1_000_000), 'TOO_DEEP'],
  ['a text over the limit', ' '.repeat(MAX_TEXT_LENGTH + 1), 'TOO_LARGE'],
  ['three million empty arrays', `[${'[],'.repeat(3_000_000)}[]]`, 'TOO_LARGE'],
  ['a string over the limit', `"${'a'.repeat(65_537)}"`, 'TOO_LARGE'],
  ['a string of escapes over the limit', `"${'\\n'.repeat(65_537)}"`, 'TOO_LARGE'],
  ['a number of 1001 digits', '1'.repeat(1_001), 'UNREADABLE_NUMBER'],
] as const) {
  test(`refuses ${name}: ${code}`, () => assert.throws(() => readJson(text), violation(code)))
}

test('says what it expected, where, and what it found', () => {
  assert.throws(() => readJson('{"a" 1}'), { message: 'expected ":" at character 5, found "1"' })
  assert.throws(() => readJson('[1'), { message: 'expected "," or "]" at character 2, found the end of the text' })
})

test('a key named __proto__ is a key like any other and changes no prototype', () => {
  const value = readJson('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}')
  assert.ok(value instanceof Map)
  assert.deepEqual([...value.keys()], ['__proto__', 'constructor'])
  assert.equal('polluted' in {}, false)
})

test('the limits can be set by the caller', () => {
  assert.throws(() => readJson('[[1]]', { maxDepth: 1, maxLength: 100 }), violation('TOO_DEEP'))
  assert.throws(() => readJson('[1,2]', { maxDepth: 1, maxLength: 4 }), violation('TOO_LARGE'))
})

test('integers of up to 300 digits keep every digit', () => {
  const integer = fc.bigInt({ min: -(10n ** 300n), max: 10n ** 300n })
  fc.assert(
    fc.property(integer, (value) => assert.equal(fieldOf(`{"E":${value}}`, 'E'), value)),
    { numRuns: 2_000 },
  )
})

test('reads what JSON.stringify writes, whatever the value, as JSON.parse does', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
      const text = JSON.stringify(value)
      assert.deepEqual(toPlain(readJson(text)), JSON.parse(text))
    }),
    { numRuns: 5_000 },
  )
})

test('accepts and refuses what JSON.parse accepts and refuses, in texts made of JSON pieces', () => {
  const pieces = [
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"a"',
    '"b"',
    '"',
    '\\',
    '1',
    '0',
    '-',
    '.',
    'e',
    'true',
    'null',
    ' ',
    '\n',
    '\\u00',
  ]
  let accepted = 0
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 9 }), (parts) => {
      const text = parts.join('')
      const ours = isAccepted(() => readJson(text))
      accepted += ours === true ? 1 : 0
      if (ours !== 'DUPLICATE_KEY') assert.equal(ours === true, isAccepted(() => JSON.parse(text)) === true, text)
    }),
    { numRuns: 50_000 },
  )
  assert.ok(accepted > 100, `only ${accepted} texts were JSON`)
})

function violation(code: ProtocolViolation): (error: unknown) => boolean {
  return (error) => error instanceof VenueProtocolError && error.code === code
}

function fieldOf(text: string, key: string): JsonValue | undefined {
  return fieldsOf(readJson(text)).get(key)
}

function isAccepted(read: () => unknown): true | string {
  try {
    read()
    return true
  } catch (error) {
    return error instanceof VenueProtocolError ? error.code : 'refused'
  }
}

/** As JSON.parse would give it, floats included: the other reader to compare with. */
function toPlain(value: JsonValue): unknown {
  if (typeof value === 'bigint') return Number(value)
  if (value instanceof JsonNumber) return Number(value.text)
  if (Array.isArray(value)) return value.map(toPlain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries([...fieldsOf(value)].map(([key, field]) => [key, toPlain(field)]))
}

function fieldsOf(value: JsonValue): JsonObject {
  assert.ok(typeof value === 'object' && value !== null && 'get' in value)
  return value
}
