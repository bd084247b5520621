import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ProtocolViolation, VenueProtocolError } from '@booktape/market'
import { readWs } from './frames.fixture.ts'

for (const [name, text, expected] of [
  [
    'a delta: bids in wire order, then asks in wire order',
    depth('"U":100,"u":104,"b":[["5.00","1.50"],["6.00","0.0000000000"]],"a":[["9.10","2"]]'),
    {
      kind: 'depth',
      symbol: 'btcusd',
      update: {
        firstUpdateId: 100n,
        lastUpdateId: 104n,
        eventTimeNs: 1790732601672464421n,
        changes: [
          { side: 'bid', price: '5', quantity: '1.5', reason: null },
          { side: 'bid', price: '6', quantity: '0', reason: null },
          { side: 'ask', price: '9.1', quantity: '2', reason: null },
        ],
      },
    },
  ],
  ['a delta without levels', depth('"U":100,"u":104,"b":[],"a":[]'), depthOf(100n, 104n)],
  [
    'ids above 2^53',
    depth('"U":9007199254740993,"u":9007199254740994,"b":[],"a":[]'),
    depthOf(9007199254740993n, 9007199254740994n),
  ],
  ['a snapshot that lacks a side', depth('"U":104,"u":104,"b":[]'), depthOf(104n, 104n)],
  ['a snapshot whose sides are null', depth('"U":104,"u":104,"b":null,"a":null'), depthOf(104n, 104n)],
  [
    'a book ticker',
    ticker('"b":"83361.25000","B":"0.0102979000","a":"83361.26000","A":"0.5"'),
    tickerOf({ bidPrice: '83361.25', bidQuantity: '0.0102979', askPrice: '83361.26', askQuantity: '0.5' }),
  ],
  ['a book ticker without asks', ticker('"b":"5.0","B":"1"'), tickerOf({ bidPrice: '5', bidQuantity: '1' })],
  [
    'a book ticker with empty bids',
    ticker('"b":"","B":"","a":"6","A":"2"'),
    tickerOf({ askPrice: '6', askQuantity: '2' }),
  ],
  [
    'a book ticker with zero bids',
    ticker('"b":"5","B":"0.00","a":"6","A":"2"'),
    tickerOf({ askPrice: '6', askQuantity: '2' }),
  ],
  ['a book ticker with zero prices', ticker('"b":"0.00","B":"0","a":"0","A":"1"'), tickerOf({})],
  ['a book ticker with a price and no quantity', ticker('"b":"5","a":null,"A":null'), tickerOf({})],
  ['a trade whose buyer rested', trade('"m":true'), tradeOf('sell')],
  ['a trade whose seller rested', trade('"m":false'), tradeOf('buy')],
  ['a trade that names itself', trade('"m":false,"e":"trade"'), tradeOf('buy')],
  [
    'a partial depth with its symbol',
    '{"lastUpdateId":12,"symbol":"TRUMPGUSDPERP","bids":[["0.260","5000"]],"asks":[]}',
    { kind: 'partial_depth', symbol: 'trumpgusdperp', lastUpdateId: 12n, bids: [['0.26', '5000']], asks: [] },
  ],
  [
    'a partial depth without symbol',
    '{"lastUpdateId":12,"bids":[],"asks":[["1","2.0"]]}',
    { kind: 'partial_depth', symbol: null, lastUpdateId: 12n, bids: [], asks: [['1', '2']] },
  ],
  ['an acknowledgement', '{"id":"md","status":200}', response({ id: 'md' })],
  ['an acknowledgement with an integer id', '{"id":7,"status":200}', response({ id: 7n })],
  ['an acknowledgement with a null id', '{"id":null,"status":200}', response({ id: null })],
  ['a result', '{"id":"s","status":200,"result":["btcusd@trade"]}', response({ id: 's', result: ['btcusd@trade'] })],
  ['rate limits beside the result', '{"id":"c","status":200,"rateLimits":[]}', response({ id: 'c', rateLimits: [] })],
  [
    'an error',
    '{"id":4,"status":400,"error":{"code":-1013,"msg":"Invalid stream name: x@depth"}}',
    response({ id: 4n, status: 400, error: { code: -1013, message: 'Invalid stream name: x@depth' } }),
  ],
  [
    'an error that names no request and gives no message',
    '{"status":429,"error":{"code":-1003}}',
    response({ id: null, status: 429, error: { code: -1003, message: '' } }),
  ],
  [
    'a mark price',
    '{"e":"markPrice","E":1,"s":"BTCGUSDPERP","p":"1"}',
    { kind: 'other', event: 'markPrice', symbol: 'btcgusdperp' },
  ],
  ['a status without symbol', '{"e":"contractStatus","E":1}', { kind: 'other', event: 'contractStatus', symbol: null }],
  ['an order snapshot', '{"e":"orderSnapshot","orders":[]}', { kind: 'other', event: 'orderSnapshot', symbol: null }],
  ['an event we do not know', '{"e":"__proto__","s":"btcusd"}', { kind: 'unknown', event: '__proto__' }],
  ['a frame we do not know', '{"x":1}', { kind: 'unknown', event: null }],
  ['a request, which no server sends', '{"id":1,"method":"ping"}', { kind: 'unknown', event: null }],
  ['depth without a name', '{"E":1,"s":"btcusd","U":1,"u":2,"b":[],"a":[]}', { kind: 'unknown', event: null }],
] as const) {
  test(`reads ${name}`, () => assert.deepEqual(readWs(text), expected))
}

for (const [name, text, code] of [
  ['an array', '[]', 'WRONG_TYPE'],
  ['a scalar', '"btcusd"', 'WRONG_TYPE'],
  ['an event that is a number', '{"e":1}', 'WRONG_TYPE'],
  ['a range that runs backward', depth('"U":105,"u":104,"b":[],"a":[]'), 'BACKWARD_RANGE'],
  ['a negative id', depth('"U":-1,"u":104,"b":[],"a":[]'), 'UNREADABLE_NUMBER'],
  ['an id with a fraction', depth('"U":1.5,"u":104,"b":[],"a":[]'), 'WRONG_TYPE'],
  ['an id with an exponent', depth('"U":1,"u":1e3,"b":[],"a":[]'), 'WRONG_TYPE'],
  ['an id in quotes', depth('"U":"100","u":104,"b":[],"a":[]'), 'WRONG_TYPE'],
  ['an id beyond 64 bits', depth('"U":1,"u":9223372036854775808,"b":[],"a":[]'), 'UNREADABLE_NUMBER'],
  ['an id twice', depth('"U":1,"U":2,"u":3,"b":[],"a":[]'), 'DUPLICATE_KEY'],
  ['bids twice', depth('"U":1,"u":3,"b":[],"b":[["1","1"]],"a":[]'), 'DUPLICATE_KEY'],
  ['no last id', depth('"U":1,"b":[],"a":[]'), 'MISSING_FIELD'],
  ['no time', '{"e":"depthUpdate","s":"btcusd","U":1,"u":2,"b":[],"a":[]}', 'MISSING_FIELD'],
  ['no symbol', '{"e":"depthUpdate","E":1,"U":1,"u":2,"b":[],"a":[]}', 'MISSING_FIELD'],
  ['a symbol that is none', depth('"U":1,"u":2,"b":[],"a":[]').replace('btcusd', "x'; DROP TABLE"), 'WRONG_TYPE'],
  ['a delta that lacks a side', depth('"U":100,"u":104,"b":[]'), 'MISSING_FIELD'],
  ['a delta with a null side', depth('"U":100,"u":104,"b":[],"a":null'), 'MISSING_FIELD'],
  ['a side that is a string', depth('"U":104,"u":104,"b":"5","a":[]'), 'WRONG_TYPE'],
  ['a level that is an object', depth('"U":1,"u":2,"b":[{}],"a":[]'), 'WRONG_TYPE'],
  ['a level of one', depth('"U":1,"u":2,"b":[["1"]],"a":[]'), 'WRONG_TYPE'],
  ['a level of three', depth('"U":1,"u":2,"b":[["1","2","3"]],"a":[]'), 'WRONG_TYPE'],
  ['a price that is a number', depth('"U":1,"u":2,"b":[[1,"2"]],"a":[]'), 'WRONG_TYPE'],
  ['a price of zero', depth('"U":1,"u":2,"b":[["0.00","2"]],"a":[]'), 'UNREADABLE_NUMBER'],
  ['a negative quantity', depth('"U":1,"u":2,"b":[],"a":[["1","-2"]]'), 'UNREADABLE_NUMBER'],
  ['200,001 levels on both sides', depth(`"U":1,"u":1,"b":${levels(100_000)},"a":${levels(100_001)}`), 'TOO_LARGE'],
  ['a trade whose m is a string', trade('"m":"true"'), 'WRONG_TYPE'],
  ['a trade without time', '{"s":"btcusd","t":1,"p":"1","q":"1","m":true}', 'MISSING_FIELD'],
  ['a book ticker without time', '{"u":1,"s":"btcusd","b":"1","B":"1"}', 'MISSING_FIELD'],
  ['a book ticker with a number for a price', ticker('"b":1,"B":"1"'), 'WRONG_TYPE'],
  ['a response whose id is an object', '{"id":{},"status":200}', 'WRONG_TYPE'],
  ['a response whose status is a string', '{"id":1,"status":"200"}', 'WRONG_TYPE'],
  ['an error without code', '{"id":1,"status":400,"error":{}}', 'MISSING_FIELD'],
] as const) {
  test(`refuses ${name}: ${code}`, () => assert.throws(() => readWs(text), violation(code)))
}

for (const [name, price] of [
  ['NaN', 'NaN'],
  ['Infinity', 'Infinity'],
  ['an exponent', '1e5'],
  ['a capital exponent', '1E5'],
  ['hexadecimal', '0x10'],
  ['nothing', ''],
  ['a space before', ' 1'],
  ['a space behind', '1 '],
  ['a line end behind', '1\\n'],
  ['a bare point behind', '1.'],
  ['a bare point before', '.5'],
  ['a point alone', '.'],
  ['two points', '1.2.3'],
  ['a comma', '1,5'],
  ['a leading zero', '01.5'],
  ['a plus sign', '+1'],
  ['a minus sign', '-1'],
  ['minus zero', '-0'],
  ['Arabic digits', '١٢'],
  ['full-width digits', '１２'],
  ['an underscore', '1_000'],
  ['a bigint suffix', '1n'],
  ['19 digits before the point', '1'.repeat(19)],
  ['19 digits behind the point', `0.${'1'.repeat(19)}`],
  ['400 digits', '1'.repeat(400)],
] as const) {
  test(`refuses ${name} for a price and for a quantity`, () => {
    assert.throws(() => readWs(depth(`"U":1,"u":2,"b":[["${price}","1"]],"a":[]`)), violation('UNREADABLE_NUMBER'))
    assert.throws(() => readWs(depth(`"U":1,"u":2,"b":[["1","${price}"]],"a":[]`)), violation('UNREADABLE_NUMBER'))
  })
}

for (const [wire, canonical] of [
  ['9000000000000.00000', '9000000000000'],
  ['0.000000001', '0.000000001'],
  ['4105123935484.817624', '4105123935484.817624'],
  ['3466319.4815962300', '3466319.48159623'],
  ['83948.70000', '83948.7'],
  ['83948.7', '83948.7'],
  ['999999999999999999.999999999999999999', '999999999999999999.999999999999999999'],
] as const) {
  test(`the price ${wire} is ${canonical}`, () => {
    const message = readWs(depth(`"U":1,"u":2,"b":[["${wire}","1"]],"a":[]`))
    assert.equal(message.kind === 'depth' && message.update.changes[0]?.price, canonical)
  })
}

test('an event named __proto__ and a key named __proto__ change no prototype', () => {
  readWs('{"e":"__proto__","__proto__":{"polluted":true},"s":"__proto__"}')
  assert.equal('polluted' in {}, false)
})

function depth(fields: string): string {
  return `{"e":"depthUpdate","E":1790732601672464421,"s":"btcusd",${fields}}`
}

function depthOf(firstUpdateId: bigint, lastUpdateId: bigint): object {
  return {
    kind: 'depth',
    symbol: 'btcusd',
    update: { firstUpdateId, lastUpdateId, eventTimeNs: 1790732601672464421n, changes: [] },
  }
}

function levels(count: number): string {
  return `[${'["1","1"],'.repeat(count - 1)}["1","1"]]`
}

function ticker(fields: string): string {
  return `{"u":1764559652998071,"E":1790732601868263079,"s":"btcusd",${fields}}`
}

function tickerOf(top: object): object {
  return {
    kind: 'book_ticker',
    symbol: 'btcusd',
    updateId: 1764559652998071n,
    eventTimeNs: 1790732601868263079n,
    top: { bidPrice: null, bidQuantity: null, askPrice: null, askQuantity: null, ...top },
  }
}

function trade(fields: string): string {
  return `{"E":1790732616897030070,"s":"btcusd","t":2840141030659933,"p":"83371.08000","q":"0.0000593800",${fields}}`
}

function tradeOf(takerSide: 'buy' | 'sell'): object {
  return {
    kind: 'trade',
    symbol: 'btcusd',
    trade: {
      tradeId: 2840141030659933n,
      eventTimeNs: 1790732616897030070n,
      price: '83371.08',
      quantity: '0.00005938',
      takerSide,
    },
  }
}

function response(fields: object): object {
  return { kind: 'response', status: 200, error: null, result: null, rateLimits: null, ...fields }
}

function violation(code: ProtocolViolation): (error: unknown) => boolean {
  return (error) => error instanceof VenueProtocolError && error.code === code
}
