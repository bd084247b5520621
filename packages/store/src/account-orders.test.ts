import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { deriveId } from '@booktape/market'
import { unfilledGaps } from './account-gaps.ts'
import { type AccountRow, type AccountRows, noAccountRows } from './account-tables.ts'
import { AccountWriter } from './account-writer.ts'
import type { Database } from './database.ts'
import { timestampText } from './timestamp.ts'
import { AT, openStore } from './writer.fixture.ts'

// What Postgres makes of the rows of private feeds: one row a fill, an order as all its events tell it, one gap where two journals meet.

type Journal = Readonly<{ write(rows: Partial<AccountRows>): Promise<Readonly<Record<string, number>>> }>

async function open(t: TestContext): Promise<{ database: Database; journal: (name: string) => Promise<Journal> }> {
  const { database } = await openStore(t)
  return { database, journal: async (name) => await newJournal(database, name) }
}

async function newJournal(database: Database, name: string): Promise<Journal> {
  const writer = new AccountWriter(database, deriveId('journal', name))
  await writer.readPosition({})
  let position = 0
  return {
    write: async (rows) => {
      const batch = {
        fromPosition: position,
        toPosition: ++position,
        recordedUntilNs: AT + BigInt(position) * MINUTE_NS,
      }
      const result = await writer.write({ ...batch, state: {}, rows: { ...noAccountRows(), ...rows } })
      assert.equal(result.outcome, 'committed')
      return result.rows
    },
  }
}

const MINUTE_NS = 60_000_000_000n

const times = (seconds: number) => ({
  received_time: timestampText(AT + BigInt(seconds) * 1_000_000_000n),
  received_time_ns: String(AT + BigInt(seconds) * 1_000_000_000n),
  venue_time: timestampText(AT),
  venue_time_ns: String(AT),
})

let positions = 0
function event(
  orderId: number,
  eventType: string,
  second: number,
  more: Partial<AccountRow<'order_events'>> = {},
): AccountRow<'order_events'> {
  return {
    position: ++positions,
    event_index: 0,
    key_fingerprint: 'f',
    feed: 'v1',
    socket_sequence: '1',
    event_type: eventType,
    order_id: String(orderId),
    event_id: null,
    client_order_id: `c-${orderId}`,
    symbol: 'btcusd',
    side: 'buy',
    order_type: 'exchange limit',
    ...times(second),
    price: '100.5',
    stop_price: null,
    original_quantity: '2',
    remaining_quantity: null,
    executed_quantity: null,
    reason: null,
    trade_id: null,
    ...more,
  }
}

function fill(orderId: number, tradeId: number, more: Partial<AccountRow<'fills'>> = {}): AccountRow<'fills'> {
  return {
    order_id: String(orderId),
    trade_id: String(tradeId),
    position: 1,
    key_fingerprint: 'f',
    source: 'v1',
    client_order_id: null,
    symbol: 'btcusd',
    side: 'buy',
    price: '100.5',
    quantity: '0.5',
    fee: '0.1',
    fee_currency: null,
    liquidity: null,
    ...times(1),
    ...more,
  }
}

async function read(database: Database, query: string): Promise<object[]> {
  return (await database.pool.query<object>(query)).rows
}

for (const [name, events, fills, expected] of [
  ['accepted', [event(1, 'accepted', 1)], [], ['accepted', '0']],
  ['open', [event(1, 'accepted', 1), event(1, 'booked', 2)], [], ['open', '0']],
  ['open, of a snapshot', [event(1, 'snapshot', 1)], [], ['open', '0']],
  ['partially filled', [event(1, 'booked', 1), event(1, 'fill', 2)], [fill(1, 7)], ['partially_filled', '0.5']],
  [
    'filled by the sum of its fills',
    [event(1, 'fill', 2)],
    [fill(1, 7), fill(1, 8, { quantity: '1.5' })],
    ['filled', '2.0'],
  ],
  ['filled by what v1 says of it', [event(1, 'fill', 2, { executed_quantity: '2' })], [fill(1, 7)], ['filled', '2']],
  [
    'cancelled, with what was executed',
    [event(1, 'cancelled', 3, { reason: 'Requested' }), event(1, 'closed', 4)],
    [fill(1, 7)],
    ['cancelled', '0.5'],
  ],
  ['rejected', [event(1, 'rejected', 1, { reason: 'InvalidQuantity' })], [], ['rejected', '0']],
  ['over, nobody knows how', [event(1, 'booked', 1), event(1, 'ended_unseen', 5)], [], ['ended_unseen', '0']],
  [
    'over by one feed, unseen by the other',
    [event(1, 'ended_unseen', 5), event(1, 'canceled', 2, { feed: 'ws' })],
    [],
    ['cancelled', '0'],
  ],
] as const) {
  test(`an order is ${name}, in whatever order it was told`, async (t) => {
    const { database, journal } = await open(t)
    const query = 'select state, executed_quantity from account.orders'
    await (await journal('a')).write({ order_events: [...events], fills: [...fills] })
    const [row] = (await read(database, query)) as [{ state: string; executed_quantity: string }]
    assert.deepEqual([row.state, row.executed_quantity], expected)
    await database.pool.query('truncate account.order_events, account.fills, account.orders')
    const backwards = await journal('b')
    for (const each of fills.toReversed()) await backwards.write({ fills: [each] })
    for (const each of events.toReversed()) await backwards.write({ order_events: [each] })
    assert.deepEqual(await read(database, query), [row])
  })
}

test('what was told last of a modified order stands', async (t) => {
  const { database, journal } = await open(t)
  const { write } = await journal('a')
  await write({ order_events: [event(1, 'modified', 5, { price: '99', original_quantity: '3', feed: 'ws' })] })
  await write({ order_events: [event(1, 'booked', 2)] })
  assert.deepEqual(await read(database, 'select price, original_quantity, state from account.orders'), [
    { price: '99', original_quantity: '3', state: 'open' },
  ])
})

test('a fill that both feeds tell is one row with what each knows, whichever comes first', async (t) => {
  const { database, journal } = await open(t)
  const v1 = fill(1, 7, { fee_currency: 'USD', liquidity: 'maker' })
  const ws = fill(1, 7, { source: 'ws', liquidity: 'maker', venue_time_ns: String(AT + 456n) })
  const query = 'select fee_currency, liquidity, venue_time_ns from account.fills'
  const expected = [{ fee_currency: 'USD', liquidity: 'maker', venue_time_ns: AT + 456n }]
  for (const [name, batches] of [
    ['v1 first', [[v1], [ws]]],
    ['the new API first', [[ws], [v1]]],
    ['both at once', [[ws, v1]]],
    ['again and again', [[ws, ws], [v1], [ws]]],
  ] as const) {
    await database.pool.query('truncate account.fills')
    const { write } = await journal(name)
    const counts = []
    for (const fills of batches) counts.push((await write({ fills: [...fills] }))['fills'])
    assert.deepEqual(await read(database, query), expected, name)
    assert.equal(
      counts.reduce((sum, count) => (sum ?? 0) + (count ?? 0), 0),
      1,
      'it is counted once',
    )
  }
})

test('an update of the new API that is told twice is one row', async (t) => {
  const { database, journal } = await open(t)
  const { write } = await journal('a')
  const update = (second: number) => event(1, 'open', second, { feed: 'ws', remaining_quantity: '2' })
  await write({ order_events: [update(1), update(2)] })
  await write({ order_events: [update(3)] })
  assert.deepEqual(await read(database, 'select count(*) from account.order_events'), [{ count: 1n }])
})

test('a fill stands beside the trade of its number, and says where there is none', async (t) => {
  const { database, journal } = await open(t)
  await database.pool.query(
    `insert into booktape.trades (symbol, trade_id, event_time, event_time_ns, received_time, received_time_ns, price, quantity, taker_side, source, line, broken, checksum)
     values ('btcusd', 7, now(), $1, now(), $1, 100.5, 0.5, 'sell', 'v1', 'a', false, 0)`,
    [AT],
  )
  const { write } = await journal('a')
  await write({ fills: [fill(1, 7), fill(1, 8)] })
  assert.deepEqual(
    await read(
      database,
      'select trade_id, is_joined, trade_price, taker_side from account.fill_trades order by trade_id',
    ),
    [
      { trade_id: 7n, is_joined: true, trade_price: '100.5', taker_side: 'sell' },
      { trade_id: 8n, is_joined: false, trade_price: null, taker_side: null },
    ],
  )
})

test('client order ids that are not as the venue asks are named', async (t) => {
  const { database, journal } = await open(t)
  const { write } = await journal('a')
  const ids = ['fine_1.2:3-4#5', 'with blank', 'x'.repeat(36), 'y'.repeat(37), 'twice', 'twice', null]
  await write({
    order_events: ids.map((id, index) => event(index + 1, 'accepted', 1, { client_order_id: id })),
  })
  assert.deepEqual(await read(database, 'select order_id, finding from account.client_order_id_findings order by 1'), [
    { order_id: 2n, finding: 'characters' },
    { order_id: 4n, finding: 'too_long' },
    { order_id: 5n, finding: 'not_unique' },
    { order_id: 6n, finding: 'not_unique' },
  ])
})

function gap(position: number, startedAt: string | null, second: number): AccountRow<'gaps'> {
  return {
    position,
    key_fingerprint: 'f',
    feed: 'v1',
    from_sequence: null,
    to_sequence: null,
    started_at: startedAt,
    told_at: timestampText(AT + BigInt(second) * 1_000_000_000n),
    cause: 'test',
  }
}

const end = (position: number, second: number): AccountRow<'gap_ends'> => ({
  position,
  feed: 'v1',
  ended_at: timestampText(AT + BigInt(second) * 1_000_000_000n),
})

test('a gap is open until its end, in one batch or in two', async (t) => {
  const { database, journal } = await open(t)
  const { write } = await journal('a')
  await write({ gaps: [gap(1, null, 0)], gap_ends: [end(1, 5)] })
  await write({ gaps: [gap(9, timestampText(AT), 0)] })
  const query = `select position, started_at::text, extract(epoch from ended_at - $$${timestampText(AT)}$$)::int as ended, state
    from account.gaps order by position`
  assert.deepEqual(await read(database, query), [
    { position: 1n, started_at: '-infinity', ended: 5, state: 'closed' },
    { position: 9n, started_at: '2026-07-29 08:00:00.123456+00', ended: null, state: 'open' },
  ])
  await write({ gap_ends: [end(9, 7)] })
  assert.deepEqual(
    ((await read(database, query)) as { state: string }[]).map(({ state }) => state),
    ['closed', 'closed'],
  )
})

test('a journal that follows a lost one begins its gap where that one ended', async (t) => {
  const { database, journal } = await open(t)
  const first = await journal('first')
  await first.write({ gaps: [gap(1, null, 0)], gap_ends: [end(1, 5)] }) // stored up to a minute after AT
  const second = await journal('second')
  await second.write({ gaps: [gap(1, null, 300)] })
  const query = `select extract(epoch from nullif(started_at, '-infinity') - $$${timestampText(AT)}$$)::int as started,
    extract(epoch from ended_at - $$${timestampText(AT)}$$)::int as ended from account.gaps order by started_at`
  assert.deepEqual(await read(database, query), [
    { started: null, ended: 5 },
    { started: 60, ended: null },
  ])
})

test('the gap that a lost journal left open ends where that of the next begins', async (t) => {
  const { database, journal } = await open(t)
  const first = await journal('first')
  await first.write({ gaps: [gap(1, timestampText(AT), 0)] })
  const other = await journal('of another key')
  await other.write({ gaps: [{ ...gap(1, null, 100), key_fingerprint: 'g' }] })
  const second = await journal('second')
  await second.write({ gaps: [gap(1, null, 300)] })
  const query = `select extract(epoch from nullif(started_at, '-infinity') - $$${timestampText(AT)}$$)::int as started,
    extract(epoch from ended_at - $$${timestampText(AT)}$$)::int as ended from account.gaps where key_fingerprint = 'f' order by started_at`
  assert.deepEqual(await read(database, query), [
    { started: 0, ended: 300 },
    { started: 300, ended: null },
  ])
})

test('what REST lists of the past is an order and a fill of its own, and stored once', async (t) => {
  const { database, journal } = await open(t)
  const { write } = await journal('a')
  const listed = event(1, 'cancelled', 9, { feed: 'rest', executed_quantity: '0.5', remaining_quantity: '1.5' })
  const past = fill(1, 7, { source: 'rest', fee_currency: 'USD', liquidity: 'maker' })
  for (let round = 0; round < 2; round++) {
    await write({ order_events: [event(1, 'ended_unseen', 5)], fills: [past] })
    await write({ order_events: [{ ...listed, position: ++positions }], fills: [past] })
  }
  assert.deepEqual(await read(database, 'select state, executed_quantity from account.orders'), [
    { state: 'cancelled', executed_quantity: '0.5' },
  ])
  assert.deepEqual(await read(database, `select count(*) from account.order_events where feed = 'rest'`), [
    { count: 1n },
  ])
  assert.deepEqual(await read(database, 'select count(*), max(source) as source from account.fills'), [
    { count: 1n, source: 'rest' },
  ])
})

test('gaps that are over are asked about, orders from the oldest that may have ended in one, until they are filled', async (t) => {
  const { database, journal } = await open(t)
  const { write } = await journal('a')
  const ask = async () => await unfilledGaps(database, 'f', 3_600_000_000_000n)
  assert.equal(await ask(), null)
  await write({
    gaps: [gap(1, null, 0), gap(2, timestampText(AT), 0), gap(3, timestampText(AT + MINUTE_NS), 60)],
    gap_ends: [end(1, 1), end(2, 5)],
    order_events: [
      event(1, 'accepted', -100),
      event(2, 'closed', -200),
      event(2, 'fill', -200, { executed_quantity: '2' }),
    ],
  })
  const journalId = deriveId('journal', 'a')
  const micros = (ns: bigint): bigint => ns - (ns % 1_000n)
  assert.deepEqual(await ask(), {
    gaps: [{ journalId, position: '2', feed: 'v1' }],
    fromNs: micros(AT),
    ordersFromNs: micros(AT - 100_000_000_000n),
  })
  assert.equal(await unfilledGaps(database, 'another key', 0n), null)
  assert.equal((await unfilledGaps(database, 'f', 1_000_000_000n))?.ordersFromNs, micros(AT) - 1_000_000_000n)
  const other = await journal('b') // a later journal fills the gaps of an earlier one
  await other.write({ gap_fills: [{ gap_journal_id: journalId, position: '2', feed: 'v1' }] })
  assert.equal(await ask(), null)
  assert.deepEqual(await read(database, 'select position, state from account.gaps order by 1'), [
    { position: 1n, state: 'closed' },
    { position: 2n, state: 'filled' },
    { position: 3n, state: 'open' },
  ])
})
