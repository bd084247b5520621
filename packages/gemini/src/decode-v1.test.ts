import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ProtocolViolation, VenueProtocolError } from '@booktape/market'
import { decodeV1, type V1Message } from './decode-v1.ts'

const change = '{"type":"change","side":"bid","price":"3626.73","remaining":"1.60","delta":"0.8","reason":"place"}'
const trade = '{"type":"trade","tid":2840141029940425,"price":"83955.14","amount":"0.1362819142","makerSide":"ask"}'

for (const [name, text, expected] of [
  [
    'an update with a change',
    update(`[${change}]`),
    updateOf({
      changes: [{ side: 'bid', price: '3626.73', quantity: '1.6', reason: 'place', delta: '0.8' }],
    }),
  ],
  [
    'a trade, the side of the taker being the other one of makerSide',
    update(`[${trade}]`),
    updateOf({
      trades: [
        {
          tradeId: 2840141029940425n,
          eventTimeNs: 1547759967559000000n,
          price: '83955.14',
          quantity: '0.1362819142',
          takerSide: 'buy',
        },
      ],
    }),
  ],
  [
    'an initial message without time',
    '{"type":"update","eventId":9007199254740993,"socket_sequence":0,"events":[]}',
    updateOf({ eventId: 9007199254740993n, sequence: 0, eventTimeNs: null }),
  ],
  [
    'keys in alphabetical order and fields we do not know',
    '{"eventId":1764559146475721,"events":[],"socket_sequence":66,"timestamp":1547759967,"timestampms":1547759967559,"type":"update","x":{}}',
    updateOf({ eventId: 1764559146475721n }),
  ],
  [
    'an update of 2017, without a sequence',
    '{"eventId":371465341,"events":[{"amount":"1406","makerSide":"auction","price":"1048.75","tid":371469414,"type":"trade"},{"eid":371469414,"result":"success","type":"auction_result"}],"type":"update"}',
    updateOf({
      sequence: null,
      eventId: 371465341n,
      eventTimeNs: null,
      trades: [{ tradeId: 371469414n, eventTimeNs: null, price: '1048.75', quantity: '1406', takerSide: 'auction' }],
      others: [{ type: 'auction_result' }],
    }),
  ],
  [
    'events that touch neither book nor tape',
    update('[{"type":"auction_open"},{"type":"block_trade","price":"1","amount":"1"},{"type":"news"}]'),
    updateOf({ others: [{ type: 'auction_open' }, { type: 'block_trade' }, { type: 'news' }] }),
  ],
  [
    'the symbol of each event of multimarketdata',
    update(
      '[{"type":"change","side":"ask","price":"1","remaining":"0.0","reason":"top-of-book","symbol":"ETHUSD"},{"type":"trade","tid":5,"price":"2","amount":"3","makerSide":"bid","symbol":"BTCUSD"}]',
    ),
    updateOf({
      changes: [{ side: 'ask', price: '1', quantity: '0', reason: 'top-of-book', delta: null, symbol: 'ethusd' }],
      trades: [
        {
          tradeId: 5n,
          eventTimeNs: 1547759967559000000n,
          price: '2',
          quantity: '3',
          takerSide: 'sell',
          symbol: 'btcusd',
        },
      ],
    }),
  ],
  ['a heartbeat', '{"socket_sequence":2,"type":"heartbeat"}', { kind: 'heartbeat', sequence: 2 }],
  [
    'a heartbeat of v2, which has no sequence',
    '{"timestamp":1789456747150,"type":"heartbeat"}',
    { kind: 'heartbeat', sequence: null },
  ],
  [
    'a refusal',
    '{"result":"error","reason":"InvalidSymbol","message":"no such symbol"}',
    { kind: 'refusal', reason: 'InvalidSymbol', message: 'no such symbol' },
  ],
  ['a refusal without words', '{"result":"error"}', { kind: 'refusal', reason: 'no reason given', message: null }],
  [
    'a trade of v2',
    '{"type":"trade","symbol":"BTCUSD","event_id":1}',
    { kind: 'unknown', type: 'trade', sequence: null },
  ],
  [
    'a type we do not know',
    '{"type":"__proto__","socket_sequence":7}',
    { kind: 'unknown', type: '__proto__', sequence: 7 },
  ],
] as const) {
  test(`reads ${name}`, () => assert.deepEqual(decodeV1(text), expected))
}

for (const [makerSide, takerSide] of [
  ['"ask"', 'buy'],
  ['"bid"', 'sell'],
  ['"auction"', 'auction'],
  ['"block"', 'unknown'],
  ['"constructor"', 'unknown'],
  ['null', 'unknown'],
] as const) {
  test(`makerSide ${makerSide} is taker side ${takerSide}`, () => {
    const message = decodeV1(update(`[{"type":"trade","tid":1,"price":"1","amount":"1","makerSide":${makerSide}}]`))
    assert.equal(message.kind === 'update' && message.trades[0]?.takerSide, takerSide)
  })
}

for (const [reason, expected] of [
  ['initial', 'initial'],
  ['trade', 'trade'],
  ['cancel', 'cancel'],
  ['top-of-book', 'top-of-book'],
  ['moved', null],
] as const) {
  test(`a change for the reason ${reason} has the reason ${expected}`, () => {
    const message = decodeV1(update(`[${change.replace('place', reason)}]`))
    assert.equal(message.kind === 'update' && message.changes[0]?.reason, expected)
  })
}

test('a negative delta keeps its sign', () => {
  const message = decodeV1(update(`[${change.replace('"0.8"', '"-0.80"')}]`))
  assert.equal(message.kind === 'update' && message.changes[0]?.delta, '-0.8')
})

for (const [name, text, code] of [
  ['an array', '[]', 'WRONG_TYPE'],
  ['a scalar', '1', 'WRONG_TYPE'],
  ['no type', '{"socket_sequence":1}', 'MISSING_FIELD'],
  ['a type that is a number', '{"type":1}', 'WRONG_TYPE'],
  ['a sequence that is a string', '{"type":"heartbeat","socket_sequence":"2"}', 'WRONG_TYPE'],
  ['a sequence with a fraction', '{"type":"heartbeat","socket_sequence":2.0}', 'WRONG_TYPE'],
  ['a null sequence', '{"type":"heartbeat","socket_sequence":null}', 'WRONG_TYPE'],
  ['a negative sequence', '{"type":"heartbeat","socket_sequence":-1}', 'UNREADABLE_NUMBER'],
  ['a sequence beyond 2^53', '{"type":"heartbeat","socket_sequence":9007199254740993}', 'UNREADABLE_NUMBER'],
  ['an update without eventId', '{"type":"update","events":[]}', 'MISSING_FIELD'],
  ['an eventId beyond 64 bits', '{"type":"update","eventId":9223372036854775808,"events":[]}', 'UNREADABLE_NUMBER'],
  ['an update without events', '{"type":"update","eventId":1}', 'MISSING_FIELD'],
  ['events that are an object', '{"type":"update","eventId":1,"events":{}}', 'WRONG_TYPE'],
  ['an event that is a string', update('["change"]'), 'WRONG_TYPE'],
  ['an event without type', update('[{}]'), 'MISSING_FIELD'],
  [
    'a time beyond 64 bits',
    '{"type":"update","eventId":1,"timestampms":9223372036855,"events":[]}',
    'UNREADABLE_NUMBER',
  ],
  ['side buy', update(`[${change.replace('"bid"', '"buy"')}]`), 'WRONG_TYPE'],
  ['side block', update(`[${change.replace('"bid"', '"block"')}]`), 'WRONG_TYPE'],
  ['side BID', update(`[${change.replace('"bid"', '"BID"')}]`), 'WRONG_TYPE'],
  ['side __proto__', update(`[${change.replace('"bid"', '"__proto__"')}]`), 'WRONG_TYPE'],
  ['side constructor', update(`[${change.replace('"bid"', '"constructor"')}]`), 'WRONG_TYPE'],
  [
    'a change without side',
    update('[{"type":"change","price":"1","remaining":"1","reason":"place"}]'),
    'MISSING_FIELD',
  ],
  [
    'a change without remaining',
    update('[{"type":"change","side":"bid","price":"1","reason":"place"}]'),
    'MISSING_FIELD',
  ],
  ['a change without reason', update('[{"type":"change","side":"bid","price":"1","remaining":"1"}]'), 'MISSING_FIELD'],
  ['a price of zero', update(`[${change.replace('3626.73', '0.00')}]`), 'UNREADABLE_NUMBER'],
  ['a negative remaining', update(`[${change.replace('1.60', '-1.60')}]`), 'UNREADABLE_NUMBER'],
  ['a delta in words', update(`[${change.replace('0.8', 'little')}]`), 'UNREADABLE_NUMBER'],
  ['a trade without tid', update('[{"type":"trade","price":"1","amount":"1"}]'), 'MISSING_FIELD'],
  ['a tid in quotes', update('[{"type":"trade","tid":"1","price":"1","amount":"1"}]'), 'WRONG_TYPE'],
  [
    'a symbol that is none',
    update('[{"type":"trade","tid":1,"price":"1","amount":"1","symbol":"\';--"}]'),
    'WRONG_TYPE',
  ],
  ['200,001 events', update(`[${'{},'.repeat(200_000)}{}]`), 'TOO_LARGE'],
] as const) {
  test(`refuses ${name}: ${code}`, () => assert.throws(() => decodeV1(text), violation(code)))
}

function update(events: string): string {
  return `{"type":"update","eventId":5375504382,"timestamp":1547759967,"timestampms":1547759967559,"socket_sequence":66,"events":${events}}`
}

function updateOf(fields: object): object {
  return {
    kind: 'update',
    sequence: 66,
    eventId: 5375504382n,
    eventTimeNs: 1547759967559000000n,
    changes: [],
    trades: [],
    others: [],
    ...fields,
  } satisfies Partial<V1Message>
}

function violation(code: ProtocolViolation): (error: unknown) => boolean {
  return (error) => error instanceof VenueProtocolError && error.code === code
}
