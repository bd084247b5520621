import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ACK, heartbeat, Run, v1Event, wsUpdate } from './stream.fixture.ts'

const FILL = { trade_id: '7001', price: '83000.5', amount: '0.5', liquidity: 'Maker', fee: '1.25', fee_currency: 'USD' }

test('both feeds are dialed at the first tick, and the new API is asked for both streams', () => {
  const run = new Run()
  run.pass(1_000)
  assert.deepEqual(run.orders, [
    { kind: 'dial', feed: 'v1', url: 'wss://venue/v1' },
    { kind: 'dial', feed: 'ws', url: 'wss://venue/ws' },
  ])
  const connection = run.open('ws')
  assert.deepEqual(run.orders.at(-1), {
    kind: 'send',
    connection,
    text: '{"id":1,"method":"subscribe","params":["orders@account","balances@account"]}',
  })
})

test('before the first subscription everything is a gap, from a time that nobody knows', () => {
  const run = new Run()
  assert.deepEqual(run.gaps(), ['v1 first_start ? to now', 'ws first_start ? to now'])
  run.pass(1_000)
  run.v1()
  run.ws()
  assert.deepEqual(run.gaps(), ['v1 first_start ? to 1000', 'ws first_start ? to 1000'])
})

test('the life of an order on v1 is a row an event, and a fill', () => {
  const run = new Run(['v1'])
  const connection = run.v1()
  run.frame(connection, [v1Event('accepted', 1, 0, { executed_amount: '0' }), v1Event('booked', 1, 1)])
  run.frame(connection, [v1Event('fill', 1, 2, { executed_amount: '0.5', remaining_amount: '1.5', fill: FILL })])
  run.frame(connection, [v1Event('cancelled', 1, 3), v1Event('closed', 1, 4)])
  assert.deepEqual(
    run.rows.order_events.map((row) => [row.event_type, row.event_index, row.socket_sequence, row.executed_quantity]),
    [
      ['accepted', 0, '0', '0'],
      ['booked', 1, '1', null],
      ['fill', 0, '2', '0.5'],
      ['cancelled', 0, '3', null],
      ['closed', 1, '4', null],
    ],
  )
  const [fill] = run.rows.fills
  assert.deepEqual(
    [fill?.order_id, fill?.trade_id, fill?.price, fill?.quantity, fill?.fee_currency, fill?.liquidity, fill?.source],
    ['1', '7001', '83000.5', '0.5', 'USD', 'maker', 'v1'],
  )
  assert.deepEqual(run.state.streams.v1?.active, [])
})

test('of a fill on the new API, Z is that fill alone', () => {
  const run = new Run(['ws'])
  const connection = run.ws()
  run.frame(connection, wsUpdate('NEW', 1, { z: '2' }))
  run.frame(
    connection,
    wsUpdate('PARTIALLY_FILLED', 1, { z: '1.5', Z: '0.5', L: '83000.5', t: 7001, n: '1.25', m: true }),
  )
  assert.deepEqual(
    run.rows.order_events.map((row) => [row.event_type, row.executed_quantity, row.trade_id]),
    [
      ['new', null, null],
      ['partially_filled', null, '7001'],
    ],
  )
  const [fill] = run.rows.fills
  assert.deepEqual([fill?.quantity, fill?.price, fill?.fee, fill?.liquidity], ['0.5', '83000.5', '1.25', 'maker'])
})

test('balances are rows, each asset one', () => {
  const run = new Run(['ws'])
  run.frame(
    run.ws(),
    '{"e":"balanceUpdate","E":1785312000123456789,"u":1785312000123456788,"B":[{"a":"USD","f":"99966.89","c":"100000.00"},{"a":"BTC","f":"1","c":"2"}]}',
  )
  assert.deepEqual(
    run.rows.balances.map((row) => [row.asset, row.available, row.current, row.venue_time_ns, row.updated_time_ns]),
    [
      ['USD', '99966.89', '100000', '1785312000123456789', '1785312000123456788'],
      ['BTC', '1', '2', '1785312000123456789', '1785312000123456788'],
    ],
  )
})

test('a message told twice is taken once', () => {
  const run = new Run(['v1'])
  const connection = run.v1()
  const accepted = [v1Event('accepted', 1, 0)]
  run.frame(connection, accepted)
  run.frame(connection, accepted)
  run.frame(connection, [v1Event('booked', 1, 1)])
  assert.deepEqual(
    run.rows.order_events.map((row) => row.event_type),
    ['accepted', 'booked'],
  )
  assert.equal(run.observations.filter(({ kind }) => kind === 'anomaly').length, 1)
  assert.deepEqual(run.gaps(), ['v1 first_start ? to 0'])
})

test('a number that is missing is a gap with its numbers, from the last message heard, and ends the connection', () => {
  const run = new Run(['v1'])
  const connection = run.v1()
  run.frame(connection, heartbeat(0))
  run.skip(400)
  run.frame(connection, [v1Event('accepted', 1, 3)])
  assert.deepEqual(run.orders.at(-1), { kind: 'hang_up', connection })
  assert.deepEqual(run.rows.order_events, [])
  run.pass(2_000)
  assert.deepEqual(run.orders.at(-1), { kind: 'dial', feed: 'v1', url: 'wss://venue/v1' })
  run.v1()
  assert.deepEqual(run.gaps(), ['v1 first_start ? to 0', 'v1 sequence (0,2] 0 to 2400'])
})

test('heartbeats use up numbers', () => {
  const run = new Run(['v1'])
  const connection = run.v1()
  for (const sequence of [0, 1, 2]) run.frame(connection, heartbeat(sequence))
  run.frame(connection, [v1Event('accepted', 1, 3)])
  assert.equal(run.rows.order_events.length, 1)
})

test('a venue that begins to count elsewhere is believed when it does so again, and never loses what begins earlier', () => {
  const run = new Run(['v1'])
  run.frame(run.v1(), heartbeat(1))
  assert.deepEqual(run.gaps().at(-1), 'v1 sequence (-1,0] 0 to now')
  run.pass(2_000)
  const again = run.v1()
  run.frame(again, heartbeat(1))
  run.frame(again, [v1Event('accepted', 1, 2)])
  run.note({ kind: 'closed', connection: again, code: 1006, reason: '' })
  run.pass(2_000)
  run.frame(run.v1(), [v1Event('initial', 1, 0), v1Event('booked', 1, 1)])
  assert.deepEqual(
    run.rows.order_events.map((row) => row.event_type),
    ['accepted', 'initial', 'booked'],
  )
})

for (const [name, act, cause] of [
  [
    'an end',
    (run: Run, connection: number) => run.note({ kind: 'closed', connection, code: 1006, reason: '' }),
    'disconnected',
  ],
  ['silence', (run: Run) => run.pass(16_000), 'silence'],
  ['what cannot be read', (run: Run, connection: number) => run.frame(connection, '<html>'), 'unreadable'],
  ['a full journal', (run: Run) => run.note({ kind: 'suspended' }), 'journal_full'],
  ['a journal that lost entries', (run: Run) => run.note({ kind: 'damaged' }), 'journal_damaged'],
  ['a crash', (run: Run) => run.start(['v1']), 'restart'],
] as const) {
  test(`${name} is a gap of v1 from the last that was heard until the next subscription`, () => {
    const run = new Run(['v1'])
    const connection = run.v1()
    run.skip(500)
    run.frame(connection, heartbeat(0))
    run.skip(500)
    act(run, connection)
    run.note({ kind: 'resumed' })
    run.pass(5_000)
    run.v1()
    const gaps = run.gaps()
    assert.equal(gaps.length, 2)
    assert.match(gaps[1] ?? '', new RegExp(`^v1 ${cause} 500 to \\d+$`))
    assert.equal(run.state.streams.v1?.gap, null)
  })
}

test('a stop is a gap from the stop on, which the next run ends', () => {
  const run = new Run(['v1'])
  run.v1()
  run.skip(3_000)
  run.note({ kind: 'stopped' })
  run.skip(60_000)
  run.start(['v1'])
  run.pass(1_000)
  run.v1()
  assert.deepEqual(run.gaps(), ['v1 first_start ? to 0', 'v1 stop 3000 to 64000'])
})

test('a feed that is no longer asked for stays a gap, and is not dialed', () => {
  const run = new Run()
  run.v1()
  run.ws()
  run.start(['v1'])
  run.pass(3_000)
  assert.deepEqual(
    run.orders.flatMap((order) => (order.kind === 'dial' ? [order.feed] : [])),
    ['v1'],
  )
  assert.equal(run.gaps().at(-1), 'ws restart 0 to now')
})

test('what cannot be read on the new API is a gap of no length, in quarantine, and ends nothing', () => {
  const run = new Run(['ws'])
  const connection = run.ws()
  run.skip(700)
  run.frame(connection, '{"e":"orderUpdate","i":1}')
  assert.deepEqual(run.gaps(), ['ws first_start ? to 0', 'ws unreadable 0 to 700'])
  assert.equal(run.rows.quarantine.length, 1)
  run.frame(connection, wsUpdate('NEW', 2, { z: '2' }))
  assert.equal(run.rows.order_events.length, 1)
})

test('an account where nothing happens is asked for a sign of life, and given up without one', () => {
  const run = new Run(['ws'])
  const connection = run.ws()
  run.pass(16_000)
  assert.deepEqual(run.orders.at(-1), { kind: 'send', connection, text: '{"id":2,"method":"ping"}' })
  run.frame(connection, '{"id":2,"status":200}')
  run.pass(29_000)
  assert.equal(run.gaps().length, 1)
  assert.equal(
    run.orders.some(({ kind }) => kind === 'hang_up'),
    false,
  )
  run.pass(3_000)
  assert.equal(
    run.orders.some(({ kind }) => kind === 'hang_up'),
    true,
  )
})

test('a subscription that is refused, or never told, ends the connection', () => {
  const refused = new Run(['ws'])
  refused.frame(refused.open('ws'), '{"id":1,"status":401,"error":{"code":-1002,"msg":"Authentication required"}}')
  assert.equal(refused.orders.at(-1)?.kind, 'hang_up')
  const silent = new Run(['v1'])
  const connection = silent.open('v1')
  for (let second = 0; second < 12; second++) {
    silent.pass(1_000)
    silent.frame(connection, heartbeat(second))
  }
  assert.equal(
    silent.orders.some(({ kind }) => kind === 'hang_up'),
    true,
  )
  assert.deepEqual(silent.gaps(), ['v1 first_start ? to now'])
})

test('a refusal waits for what the venue asks', () => {
  const run = new Run(['v1'])
  run.pass(1_000)
  run.note({ kind: 'dialing', connection: 1, feed: 'v1', url: 'u' })
  run.note({ kind: 'refused', connection: 1, refusal: { status: 429, retryAfterMs: 20_000, reason: 'too fast' } })
  run.pass(19_000)
  assert.equal(run.orders.length, 1)
  run.pass(1_000)
  assert.equal(run.orders.length, 2)
})

test('an order that ended in a gap is told as that, on v1 when the list of active ones is over', () => {
  const run = new Run(['v1'])
  const first = run.v1()
  run.frame(first, [v1Event('accepted', 1, 0), v1Event('accepted', 2, 1)])
  run.note({ kind: 'closed', connection: first, code: 1006, reason: '' })
  run.pass(2_000)
  const second = run.v1()
  run.frame(second, [v1Event('initial', 2, 0)])
  assert.equal(run.rows.order_events.length, 3)
  run.frame(second, heartbeat(1))
  const { order_id, event_type, symbol, side } = run.rows.order_events.at(-1) ?? {}
  assert.deepEqual([order_id, event_type, symbol, side], ['1', 'ended_unseen', 'btcusd', 'buy'])
  assert.deepEqual(
    run.state.streams.v1?.active.map(({ orderId }) => orderId),
    ['2'],
  )
})

test('an order that ended in a gap of the new API is told as that by the snapshot', () => {
  const run = new Run(['ws'])
  const first = run.ws()
  run.frame(first, wsUpdate('OPEN', 1, { z: '2' }))
  run.frame(first, wsUpdate('OPEN', 2, { z: '2' }))
  run.note({ kind: 'closed', connection: first, code: 1006, reason: '' })
  run.ws([wsUpdate('OPEN', 2, { z: '2' })])
  assert.deepEqual(
    run.rows.order_events.map((row) => [row.order_id, row.event_type]),
    [
      ['1', 'open'],
      ['2', 'open'],
      ['2', 'snapshot'],
      ['1', 'ended_unseen'],
    ],
  )
})

test('the last words of a connection that was given up are not heard', () => {
  const run = new Run(['v1'])
  const first = run.v1()
  run.frame(first, heartbeat(5))
  run.frame(first, ACK)
  run.frame(first, [v1Event('accepted', 1, 6)])
  run.note({ kind: 'closed', connection: first, code: 1000, reason: '' })
  assert.deepEqual(run.rows.order_events, [])
  assert.equal(run.gaps().at(-1), 'v1 sequence (-1,4] 0 to now')
})
