import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ProtocolViolation, VenueProtocolError } from '@booktape/market'
import { decodeRestBook, decodeRestError, decodeRestTrades } from './decode-rest.ts'

test('reads a book in wire order, without the dummy timestamps', () => {
  const text =
    '{"bids":[{"price":"3607.850","amount":"6.643373","timestamp":"1547147541"}],"asks":[{"price":"3607.86","amount":"14.68205084","timestamp":"1547147541"}]}'
  assert.deepEqual(decodeRestBook(text), { bids: [['3607.85', '6.643373']], asks: [['3607.86', '14.68205084']] })
})

for (const [name, text, code] of [
  ['no JSON', '<html>', 'MALFORMED_JSON'],
  ['no bids', '{"asks":[]}', 'MISSING_FIELD'],
  ['a level that is a pair', '{"bids":[["1","2"]],"asks":[]}', 'WRONG_TYPE'],
  ['a level without amount', '{"bids":[{"price":"1"}],"asks":[]}', 'MISSING_FIELD'],
  ['a price of zero', '{"bids":[{"price":"0","amount":"1"}],"asks":[]}', 'UNREADABLE_NUMBER'],
  ['200,001 levels a side', `{"bids":[${'{},'.repeat(200_000)}{}],"asks":[]}`, 'TOO_LARGE'],
] as const) {
  test(`refuses a book with ${name}: ${code}`, () => assert.throws(() => decodeRestBook(text), violation(code)))
}

for (const [name, fields, expected] of [
  ['a buy', '"type":"buy"', { takerSide: 'buy', broken: false }],
  ['a sell', '"type":"sell"', { takerSide: 'sell', broken: false }],
  ['an auction', '"type":"auction"', { takerSide: 'auction', broken: false }],
  ['a block', '"type":"block"', { takerSide: 'block', broken: false }],
  ['a type we do not know', '"type":"gift"', { takerSide: 'unknown', broken: false }],
  ['no type', '"exchange":"gemini"', { takerSide: 'unknown', broken: false }],
  ['a broken trade', '"type":"buy","broken":true', { takerSide: 'buy', broken: true }],
  ['a trade that is not broken', '"type":"buy","broken":false', { takerSide: 'buy', broken: false }],
] as const) {
  test(`reads ${name}`, () => {
    const item = `{"timestamp":1547146811,"timestampms":1547146811357,"tid":9007199254740993,"price":"3610.850","amount":"0.27413495",${fields}}`
    assert.deepEqual(decodeRestTrades(`[${item}]`), [
      {
        tradeId: 9007199254740993n,
        eventTimeNs: 1547146811357000000n,
        price: '3610.85',
        quantity: '0.27413495',
        ...expected,
      },
    ])
  })
}

test('keeps the wire order of trades', () => {
  const text = `[${['3', '1', '2'].map((id) => `{"timestampms":1,"tid":${id},"price":"1","amount":"1"}`).join(',')}]`
  assert.deepEqual(
    decodeRestTrades(text).map((trade) => trade.tradeId),
    [3n, 1n, 2n],
  )
})

for (const [name, text, code] of [
  ['an error in place of a list', '{"result":"error"}', 'WRONG_TYPE'],
  ['no time', '[{"tid":1,"price":"1","amount":"1","type":"buy"}]', 'MISSING_FIELD'],
  ['broken in words', '[{"timestampms":1,"tid":1,"price":"1","amount":"1","broken":"yes"}]', 'WRONG_TYPE'],
] as const) {
  test(`refuses trades with ${name}: ${code}`, () => assert.throws(() => decodeRestTrades(text), violation(code)))
}

for (const [name, status, body, expected] of [
  [
    'the venue’s error',
    400,
    '{"result":"error","reason":"InvalidSymbol","message":"no symbol x"}',
    { reason: 'InvalidSymbol', message: 'no symbol x' },
  ],
  ['an error without message', 429, '{"result":"error","reason":"RateLimit"}', { reason: 'RateLimit', message: null }],
  ['an empty body', 404, '', { reason: null, message: null }],
  ['plain text', 503, 'upstream connect error', { reason: null, message: null }],
  ['a page', 502, '<html><body>502</body></html>', { reason: null, message: null }],
  ['an array', 500, '[1]', { reason: null, message: null }],
  ['a reason that is a number', 500, '{"reason":7,"message":{}}', { reason: null, message: null }],
  ['a bomb', 500, '['.repeat(100_000), { reason: null, message: null }],
  ['a long message', 500, `{"message":"${'x'.repeat(600)}"}`, { reason: null, message: 'x'.repeat(500) }],
] as const) {
  test(`reads a refusal with ${name}`, () => assert.deepEqual(decodeRestError(status, body), { status, ...expected }))
}

function violation(code: ProtocolViolation): (error: unknown) => boolean {
  return (error) => error instanceof VenueProtocolError && error.code === code
}
