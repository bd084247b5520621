import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { at, type TestRecording, testRecording } from './recording.fixture.ts'

describe('market.changes_between', () => {
  let recording: TestRecording
  /** `second line/seq.index change`, a snapshot's with `=`, a delta's with `:`. */
  const stream = async (from: string, to: string, feed: string | null = 'v1', symbol = 'btcusd') => {
    const rows = await recording.rows(
      `select concat(to_char(received_time, 'SS.US'), ' ', line, '/', message_seq, '.', change_index,
         case when is_snapshot then '=' else ':' end, ' ', side, ' ', price, ' ', quantity)
       from market.changes_between($1, $2, $3, $4)`,
      symbol,
      at(from),
      at(to),
      feed,
    )
    return rows.flat()
  }

  before(async () => {
    recording = await testRecording()
    const a = await recording.journal('a', 'a', '10:00:50')
    const b = await recording.journal('b', 'b', '10:00:50')
    //  second  0         10        20        30        40
    //  line a  |a1-------|    |a2--|              |a3---
    //  line b       |b1--------------|  hole
    const a1 = await recording.epoch('a1', { line: 'a', journal: a, from: '10:00:00', to: '10:00:10' })
    await recording.snapshot(a1, '10:00:00', 1, {
      bids: [['10', '1']],
      asks: [
        ['20', '1'],
        ['21', '1'],
      ],
    })
    await recording.message(a1, '10:00:02', 2, [
      ['p', '11', '5'],
      ['T', '20', '0'],
    ])
    await recording.message(a1, '10:00:09', 3, [['c', '10', '0']])
    await recording.gap('a1', { line: 'a', journal: a, from: '10:00:10', to: '10:00:15' })
    const b1 = await recording.epoch('b1', { line: 'b', journal: b, from: '10:00:05', to: '10:00:22' })
    await recording.snapshot(b1, '10:00:05', 1, { bids: [['11', '5']], asks: [['21', '1']] })
    await recording.message(b1, '10:00:09.5', 2, [['p', '12', '1']], {
      updateId: 77,
      eventTimeNs: '1772359209450000123',
    })
    await recording.message(b1, '10:00:12', 3, [['P', '19', '2']])
    await recording.message(b1, '10:00:21', 4, [['C', '19', '0']])
    await recording.gap('b1', { line: 'b', journal: b, from: '10:00:22' })
    const a2 = await recording.epoch('a2', { line: 'a', journal: a, from: '10:00:15', to: '10:00:20' })
    await recording.snapshot(a2, '10:00:15', 11, { bids: [['12', '1']], asks: [] })
    await recording.gap('a2', { line: 'a', journal: a, from: '10:00:20', to: '10:00:40' })
    const a3 = await recording.epoch('a3', { line: 'a', journal: a, from: '10:00:40' })
    await recording.snapshot(a3, '10:00:40', 21, { bids: [['13', '1']], asks: [] })
    await recording.message(a3, '10:00:41', 22, [['p', '14', '1']])
  })
  after(() => recording.close())

  const A1 = ['00.000000 a/1.0= bid 10 1', '00.000000 a/1.1= ask 20 1', '00.000000 a/1.2= ask 21 1']
  const A1_DELTAS = ['02.000000 a/2.0: bid 11 5', '02.000000 a/2.1: ask 20 0', '09.000000 a/3.0: bid 10 0']
  const B1_AT_10 = ['10.000000 b/2.0= bid 12 1', '10.000000 b/2.1= bid 11 5', '10.000000 b/2.2= ask 21 1']
  const B1_DELTAS = ['12.000000 b/3.0: ask 19 2', '21.000000 b/4.0: ask 19 0']
  const A3 = ['40.000000 a/21.0= bid 13 1', '41.000000 a/22.0: bid 14 1']

  for (const [what, from, to, expected] of [
    [
      'all of it: line b goes on where a has a gap and is kept until its own, then the next epoch after the hole',
      '10:00:00',
      '10:00:50',
      [...A1, ...A1_DELTAS, ...B1_AT_10, ...B1_DELTAS, ...A3],
    ],
    [
      'from within an epoch: the book, with changes of that very instant in it',
      '10:00:02',
      '10:00:10',
      [
        '02.000000 a/2.0= bid 11 5',
        '02.000000 a/2.1= bid 10 1',
        '02.000000 a/2.2= ask 21 1',
        '09.000000 a/3.0: bid 10 0',
      ],
    ],
    ['the end is not in it', '10:00:00', '10:00:02', A1],
    ['a microsecond more, and it is', '10:00:00', '10:00:02.000001', [...A1, ...A1_DELTAS.slice(0, 2)]],
    ['from within a hole: the next epoch', '10:00:30', '10:00:41', A3.slice(0, 1)],
    ['before recording: the first epoch', '09:00:00', '10:00:01', A1],
    ['nothing known within: no rows', '10:00:30', '10:00:40', []],
    ['an empty span: no rows', '10:00:02', '10:00:02', []],
    [
      'from the instant an epoch ends: its book, then the other line',
      '10:00:22',
      '10:00:40',
      ['22.000000 b/4.0= bid 12 1', '22.000000 b/4.1= bid 11 5', '22.000000 b/4.2= ask 21 1'],
    ],
  ] as const) {
    test(what, async () => assert.deepEqual(await stream(from, to), expected))
  }

  test('an epoch cut short by a recorder that ended is given as far as it is stored', async () => {
    const dead = await recording.journal('dead', 'a', '10:00:05')
    const other = await recording.journal('other', 'b', '10:01:00')
    const epoch = await recording.epoch('dead', { symbol: 'deadusd', journal: dead, from: '10:00:00' })
    await recording.snapshot(epoch, '10:00:00', 1, { bids: [['1', '1']], asks: [] })
    const going = await recording.epoch('going', {
      symbol: 'deadusd',
      line: 'b',
      journal: other,
      from: '10:00:02',
      to: '10:00:20',
    })
    await recording.snapshot(going, '10:00:02', 1, { bids: [['2', '1']], asks: [] })
    assert.deepEqual(await stream('10:00:00', '10:01:00', 'v1', 'deadusd'), [
      '00.000000 a/1.0= bid 1 1',
      '05.000000 b/1.0= bid 2 1',
    ])
  })

  test('without a feed, v1 is replayed where it is known at the start, else the feed known next', async () => {
    const journal = await recording.journal('feeds', 'a', '10:01:00')
    for (const [name, feed, from, to, price] of [
      ['feeds ws', 'ws', '10:00:05', '10:00:30', '2'],
      ['feeds v1', 'v1', '10:00:10', '10:00:20', '1'],
    ] as const) {
      const epoch = await recording.epoch(name, { symbol: 'feedusd', feed, journal, from, to })
      await recording.snapshot(epoch, from, 1, { bids: [[price, '1']], asks: [] })
    }
    assert.deepEqual(await stream('10:00:10', '10:00:40', null, 'feedusd'), ['10.000000 a/1.0= bid 1 1'])
    assert.deepEqual(await stream('10:00:06', '10:00:40', null, 'feedusd'), ['06.000000 a/1.0= bid 2 1'])
    assert.deepEqual(await stream('10:00:00', '10:00:40', null, 'feedusd'), ['05.000000 a/1.0= bid 2 1'])
    assert.deepEqual(await stream('10:00:30.1', '10:00:40', null, 'feedusd'), [])
  })

  test('every column: a snapshot within an epoch has the ids of its last message and the time it is given for', async () => {
    const rows = await recording.rows(
      `select symbol, feed, line, update_id, event_time, event_time_ns, received_time, received_time_ns, reason
       from market.changes_between('btcusd', $1, $2, 'v1') where is_snapshot and line = 'b' limit 1`,
      at('10:00:00'),
      at('10:00:50'),
    )
    assert.deepEqual(rows, [
      [
        'btcusd',
        'v1',
        'b',
        '77',
        '2026-03-01 10:00:09.45+00',
        '1772359209450000123',
        '2026-03-01 10:00:10+00',
        '1772359210000000000',
        'initial',
      ],
    ])
  })
})
