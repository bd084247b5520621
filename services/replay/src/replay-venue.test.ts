import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DecimalText, Instrument } from '@booktape/market'
import type { Connection } from '@booktape/venue'
import { type ReplayEvent, ReplayVenue } from './replay-venue.ts'
import { at, book, gap, message, quote, START_NS, trade } from './tape.fixture.ts'

const BTCUSD: Instrument = {
  symbol: 'btcusd',
  baseCurrency: 'BTC',
  quoteCurrency: 'USD',
  priceIncrement: '0.01' as DecimalText,
  quantityIncrement: '0.00000001' as DecimalText,
  minOrderSize: '0.00001' as DecimalText,
  status: 'open',
  productType: 'spot',
  contractType: 'vanilla',
}

function venueOf(...events: ReplayEvent[]): ReplayVenue {
  const books = [
    { feed: 'v1', symbol: 'btcusd' },
    { feed: 'ws', symbol: 'btcusd' },
  ] as const
  const venue = new ReplayVenue(books, [BTCUSD], { fromNs: START_NS, toNs: at(1_000) })
  take(venue, ...events)
  return venue
}

function take(venue: ReplayVenue, ...events: ReplayEvent[]): void {
  for (const event of events) venue.take(event)
}

function v1(venue: ReplayVenue, query = 'heartbeat=true'): Connection {
  const connection = venue.connectV1('BTCUSD', new URLSearchParams(query))
  assert.ok('takeFrames' in connection)
  return connection
}

function ws(venue: ReplayVenue, ...streams: string[]): Connection {
  const connection = venue.connectWs(new URLSearchParams('snapshot=-1'))
  assert.ok('takeFrames' in connection)
  if (streams.length > 0) subscribe(connection, ...streams)
  return connection
}

function subscribe(connection: Connection, ...streams: string[]): void {
  connection.receive(JSON.stringify({ id: 1, method: 'subscribe', params: streams }))
}

const opening = book('v1', 100, 0, [['10', '1']], [['11', '2']])
const wsOpening = book('ws', 100, 0, [['10', '1']], [['11', '2']])
const SNAPSHOT =
  '{"e":"depthUpdate","E":1790732602000000000,"s":"btcusd","U":100,"u":100,"b":[["10","1"]],"a":[["11","2"]]}'
const OK = '{"id":1,"status":200}'

test('v1: the whole book first, then each message with the quantity before it', () => {
  const venue = venueOf(opening)
  const connection = v1(venue)
  take(
    venue,
    message('v1', [101, 101], 1, [
      ['bid', '10', '0.25', 'cancel'],
      ['bid', '9.5', '3', 'place'],
    ]),
  )
  assert.deepEqual(connection.takeFrames(), [
    '{"eventId":100,"events":[{"delta":"1","price":"10","reason":"initial","remaining":"1","side":"bid","type":"change"},' +
      '{"delta":"2","price":"11","reason":"initial","remaining":"2","side":"ask","type":"change"}],"socket_sequence":0,"type":"update"}',
    '{"eventId":101,"events":[{"delta":"-0.75","price":"10","reason":"cancel","remaining":"0.25","side":"bid","type":"change"},' +
      '{"delta":"3","price":"9.5","reason":"place","remaining":"3","side":"bid","type":"change"}],"socket_sequence":1,' +
      '"timestamp":1790732603,"timestampms":1790732603000,"type":"update"}',
  ])
})

test('v1: a trade stands before the change that it made, whichever feed told it first', () => {
  const venue = venueOf(opening)
  const connection = v1(venue)
  connection.takeFrames()
  const pool = venue.poolOf('btcusd')
  pool?.add(trade(7, 1, 'buy', '11', '0.5', { eventTimeNs: at(1) + 999_999n }))
  pool?.add(trade(8, 1, 'sell', '11', '0.5'))
  take(venue, message('v1', [101, 101], 1, [['ask', '11', '1.5', 'trade']]))
  assert.deepEqual(connection.takeFrames(), [
    '{"eventId":101,"events":[{"amount":"0.5","makerSide":"ask","price":"11","tid":7,"type":"trade"},' +
      '{"delta":"-0.5","price":"11","reason":"trade","remaining":"1.5","side":"ask","type":"change"}],"socket_sequence":1,' +
      '"timestamp":1790732603,"timestampms":1790732603000,"type":"update"}',
  ])
})

test('v1: a book that was lost with its connection closes it, and whoever comes within the gap gets the next one', () => {
  const venue = venueOf(opening)
  const before = v1(venue)
  take(venue, gap('v1', 1, 5, 'disconnect'))
  assert.deepEqual(before.closed, { code: 1001, reason: 'the book was lost' })
  const after = v1(venue)
  assert.deepEqual(after.takeFrames(), [])
  assert.equal(venue.isUnattended, false)
  take(venue, book('v1', 200, 5, [['9', '1']], []))
  assert.match(after.takeFrames().join(), /^\{"eventId":200,.*"socket_sequence":0,"type":"update"\}$/)
})

test('v1: a message that was missed is a number that is missed', () => {
  const venue = venueOf(opening)
  const connection = v1(venue)
  connection.takeFrames()
  take(venue, gap('v1', 1, 5, 'sequence'))
  assert.deepEqual(connection.takeFrames(), ['{"socket_sequence":2,"type":"heartbeat"}'])
  assert.equal(connection.closed, null)
  take(venue, book('v1', 200, 5, [['9', '1']], []))
  assert.notEqual(connection.closed, null) // whoever has not hung up by now will not
})

test('ws: a snapshot before the answer, then the frames, trades and tickers as they were', () => {
  const venue = venueOf(wsOpening)
  const connection = ws(venue, 'btcusd@depth@100ms', 'btcusd@trade', 'btcusd@bookTicker')
  take(
    venue,
    message('ws', [100, 104], 1, [
      ['ask', '11', '0'],
      ['bid', '10', '4'],
    ]),
    trade(7, 1, 'sell', '10', '0.5'),
    trade(8, 1, 'sell', '10', '0.5', { source: 'rest' }),
    quote(104, 1, ['10', '4'], null),
  )
  assert.deepEqual(connection.takeFrames(), [
    SNAPSHOT,
    OK,
    '{"e":"depthUpdate","E":1790732603000000000,"s":"btcusd","U":100,"u":104,"b":[["10","4"]],"a":[["11","0"]]}',
    '{"E":1790732603000000000,"s":"btcusd","t":7,"p":"10","q":"0.5","m":true}',
    '{"u":104,"E":1790732603000000000,"s":"btcusd","b":"10","B":"4"}',
  ])
})

test('ws: ids that were missed are skipped, and nothing follows until the client has subscribed anew', () => {
  const venue = venueOf(wsOpening)
  const connection = ws(venue, 'btcusd@depth@100ms', 'btcusd@trade')
  connection.takeFrames()
  take(venue, gap('ws', 1, 5, 'sequence'), book('ws', 200, 5, [['9', '1']], []))
  assert.deepEqual(connection.takeFrames(), [
    '{"e":"depthUpdate","E":1790732607000000000,"s":"btcusd","U":200,"u":200,"b":[],"a":[]}',
  ])
  assert.equal(venue.isUnattended, true)
  connection.receive('{"id":2,"method":"unsubscribe","params":["btcusd@depth@100ms"]}')
  assert.equal(venue.isUnattended, true)
  subscribe(connection, 'btcusd@depth@100ms')
  assert.equal(venue.isUnattended, false)
  assert.deepEqual(connection.takeFrames(), [
    '{"id":2,"status":200}',
    OK,
    '{"e":"depthUpdate","E":1790732607000000000,"s":"btcusd","U":200,"u":200,"b":[["9","1"]],"a":[]}',
  ])
})

test('ws: who does not mind missing ids is given what follows in the end', () => {
  const venue = venueOf(wsOpening)
  const connection = ws(venue, 'btcusd@depth@100ms')
  take(venue, gap('ws', 1, 5, 'sequence'), book('ws', 200, 5, [['9', '1']], []))
  venue.followAll()
  assert.equal(venue.isUnattended, false)
  connection.takeFrames()
  take(venue, message('ws', [200, 201], 6, [['bid', '9', '2']]))
  assert.equal(connection.takeFrames().length, 1)
})

test('ws: whoever subscribes within a gap gets the book that ends it', () => {
  const venue = venueOf(wsOpening, gap('ws', 1, 5, 'disconnect'))
  const connection = ws(venue, 'btcusd@depth@100ms')
  assert.deepEqual(connection.takeFrames(), [OK])
  connection.receive('{"id":3,"method":"depth","params":{"symbol":"btcusd"}}')
  assert.deepEqual(connection.takeFrames(), [
    '{"id":3,"status":500,"error":{"code":-1000,"msg":"The book is not known"}}',
  ])
  take(venue, book('ws', 200, 5, [['9', '1']], []))
  assert.match(connection.takeFrames().join(), /"U":200,"u":200,"b":\[\["9","1"\]\]/)
})

for (const [what, next, expected] of [
  ['at the same id', book('ws', 100, 1, [['10', '1']], [['11', '2']]), []],
  [
    'that is ahead is brought up to it by one update',
    book(
      'ws',
      103,
      1,
      [
        ['10', '3'],
        ['8', '1'],
      ],
      [],
    ),
    [
      '{"e":"depthUpdate","E":1790732603000000000,"s":"btcusd","U":100,"u":103,"b":[["10","3"],["8","1"]],"a":[["11","0"]]}',
    ],
  ],
  ['that is behind is waited for', book('ws', 98, 1, [['10', '9']], []), []],
] as const) {
  test(`another line's book ${what}`, () => {
    const venue = venueOf(wsOpening)
    const connection = ws(venue, 'btcusd@depth@100ms')
    connection.takeFrames()
    take(venue, next)
    assert.deepEqual(connection.takeFrames(), expected)
    const last = Number(next.updateId)
    take(venue, message('ws', [last - 1, last], 2, [['bid', '1', '1']]))
    const told = connection.takeFrames().length
    assert.equal(told, last < 100 ? 0 : 1)
    take(venue, message('ws', [last, last + 10], 3, [['bid', '1', '2']]))
    assert.match(connection.takeFrames().join(), /"b":\[\["1","2"\]\]/)
  })
}

test('what ends with the recording is not lost', () => {
  const venue = venueOf(opening)
  const connection = v1(venue)
  take(venue, gap('v1', 900, 1_000, 'stopped'))
  assert.equal(connection.closed, null)
})

test('REST knows the details, the book and the trades so far', () => {
  const venue = venueOf(opening, trade(9, 2, 'sell', '10', '1'), trade(7, 1, 'buy', '11', '0.5', { source: 'rest' }))
  const get = (path: string, query = ''): unknown =>
    JSON.parse(venue.rest('GET', path, new URLSearchParams(query)).body) as unknown
  assert.deepEqual(get('/v1/symbols'), ['btcusd'])
  assert.deepEqual(
    (get('/v1/trades/btcusd', 'since_tid=1') as { tid: number; type: string }[]).map(({ tid, type }) => [tid, type]),
    [
      [9, 'sell'],
      [7, 'buy'],
    ],
  )
  assert.equal((get('/v1/symbols/details/BTCUSD') as { tick_size: number }).tick_size, 1e-8)
  assert.deepEqual(get('/v1/book/btcusd'), {
    bids: [{ price: '10', amount: '1', timestamp: '1790732602' }],
    asks: [{ price: '11', amount: '2', timestamp: '1790732602' }],
  })
})

test('what was not recorded is refused', () => {
  const venue = new ReplayVenue([{ feed: 'ws', symbol: 'btcusd' }], [], { fromNs: START_NS, toNs: at(1_000) })
  assert.equal((venue.connectV1('btcusd', new URLSearchParams()) as { status: number }).status, 400)
  const connection = ws(venue)
  for (const stream of ['ethusd@trade', 'btcusd@depth', 'btcusd@depth5']) {
    subscribe(connection, stream)
    assert.deepEqual(connection.takeFrames(), [
      `{"id":1,"status":400,"error":{"code":-1013,"msg":"Invalid stream name: ${stream}"}}`,
    ])
  }
  assert.equal(venue.rest('GET', '/v1/symbols/details/btcusd', new URLSearchParams()).status, 503)
  assert.equal(venue.rest('GET', '/v1/book/btcusd', new URLSearchParams()).status, 503)
})
