import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { storeQuote, storeTrade } from './analytics.fixture.ts'
import { at, type TestRecording, testRecording } from './recording.fixture.ts'

/*
 * The recording that most tests here ask:
 *
 *   minute  0         1         2         3         4
 *   line a  |a1------------|  gap    |a2--------------|
 *   line b            |b1-|                                (from 1:10 to 1:40, beside the end of a1)
 */
describe('quotes and what is made of them', () => {
  let recording: TestRecording

  before(async () => {
    recording = await testRecording()
    const a = await recording.journal('a', 'a', '10:04:00')
    const b = await recording.journal('b', 'b', '10:04:00')
    const a1 = await recording.epoch('a1', { journal: a, from: '10:00:00', to: '10:01:30' })
    await recording.snapshot(a1, '10:00:00', 1, { bids: [['10', '4']], asks: [['12', '4']] })
    await storeQuote(recording, a1, '10:00:00', 1, '10 x 4 / 12 x 4', null) // v1's first message has no time
    await storeQuote(recording, a1, '10:00:10', 2, '10 x 6 / 12 x 4') // +2
    await storeQuote(recording, a1, '10:00:20', 3, '11 x 0.5 / 12 x 4') // +0.5
    await storeQuote(recording, a1, '10:00:50', 4, '9 x 3 / 13 x 7') // -0.5 +4
    await storeQuote(recording, a1, '10:01:15', 5, '9 x 3 / 12 x 2') // -2
    await recording.gap('a1', { journal: a, from: '10:01:30', to: '10:02:30' })
    const b1 = await recording.epoch('b1', { line: 'b', journal: b, from: '10:01:10', to: '10:01:40' })
    await recording.snapshot(b1, '10:01:10', 1, { bids: [['9', '3']], asks: [['13', '7']] })
    await storeQuote(recording, b1, '10:01:10', 1, '9 x 3 / 13 x 7', null)
    await storeQuote(recording, b1, '10:01:16', 2, '9 x 3 / 12 x 2')
    await storeQuote(recording, b1, '10:01:35', 3, '9 x 3 / 12 x 1') // +1
    await recording.gap('b1', { line: 'b', journal: b, from: '10:01:40' })
    const a2 = await recording.epoch('a2', { journal: a, from: '10:02:30', to: '10:04:00' })
    await recording.snapshot(a2, '10:02:30', 11, { bids: [], asks: [['20', '1']] })
    await storeQuote(recording, a2, '10:02:30', 11, '- / 20 x 1', null)
    await storeQuote(recording, a2, '10:03:00', 12, '15 x 2 / 20 x 1') // +2
    await storeQuote(recording, a2, '10:03:30', 13, '15 x 2 / 20 x 3') // -2
    await recording.gap('a2', { journal: a, from: '10:04:00', cause: 'stopped' })
  })
  after(() => recording.close())

  describe('market.quotes_between', () => {
    const quotes = async (from: string, to: string, feed: string | null = 'v1') =>
      (
        await recording.rows(
          `select concat_ws(' ', line, to_char(known_from, 'MI:SS.US'), to_char(known_until, 'MI:SS.US'), bid_price, ask_price, mid, spread)
           from market.quotes_between('btcusd', $1, $2, $3)`,
          at(from),
          at(to),
          feed,
        )
      ).flat()
    const ALL = [
      'a 00:00.000000 00:10.000000 10 12 11 2',
      'a 00:10.000000 00:20.000000 10 12 11 2',
      'a 00:20.000000 00:50.000000 11 12 11.5 1',
      'a 00:50.000000 01:15.000000 9 13 11 4',
      'a 01:15.000000 01:30.000000 9 12 10.5 3',
      'b 01:30.000000 01:35.000000 9 12 10.5 3',
      'b 01:35.000000 01:40.000000 9 12 10.5 3',
      'a 02:30.000000 03:00.000000 20',
      'a 03:00.000000 03:30.000000 15 20 17.5 5',
      'a 03:30.000000 04:00.000000 15 20 17.5 5',
    ]

    for (const [what, from, to, expected] of [
      ['each holds until the next, or until its book is not known any more', '10:00:00', '10:05:00', ALL],
      [
        'the first is the one that stood, and the last is cut at the end',
        '10:00:30',
        '10:01:00',
        ['a 00:30.000000 00:50.000000 11 12 11.5 1', 'a 00:50.000000 01:00.000000 9 13 11 4'],
      ],
      ['one of the very end is not in it', '10:00:05', '10:00:10', ['a 00:05.000000 00:10.000000 10 12 11 2']],
      ['within a gap there are none', '10:01:41', '10:02:29', []],
      ['nor where nothing was recorded', '09:00:00', '09:30:00', []],
      ['nor in no time at all', '10:00:05', '10:00:05', []],
    ] as const) {
      test(what, async () => assert.deepEqual(await quotes(from, to), expected))
    }

    test('no instant has two, and none of a gap has one', async () => {
      const rows = await recording.rows(
        `select to_char(t, 'MI:SS'), count(q.bid_price), count(q)
         from generate_series($1::timestamptz, $2::timestamptz, '1 second') t
         left join market.quotes_between('btcusd', $1, $2) q on t >= q.known_from and t < q.known_until
         group by t having count(q) <> 1 order by t`,
        at('10:00:00'),
        at('10:03:00'),
      )
      const gap = Array.from({ length: 50 }, (_, i) => 100 + i) // from 1:40 until before 2:30
      const clock = (second: number): string => `0${Math.floor(second / 60)}:${String(second % 60).padStart(2, '0')}`
      assert.deepEqual(rows, [...gap.map((second) => [clock(second), '0', '0']), ['03:00', '0', '0']])
    })

    test('a feed that was not recorded has none', async () => {
      assert.deepEqual(await quotes('10:00:00', '10:05:00', 'ws'), [])
    })

    test('every column', async () => {
      const [row] = await recording.rows(
        `select symbol, feed, line, epoch_id, update_id, event_time, event_time_ns, received_time, received_time_ns,
           bid_price, bid_quantity, ask_price, ask_quantity
         from market.quotes_between('btcusd', $1, $2)`,
        at('10:00:15'),
        at('10:00:16'),
      )
      assert.deepEqual(row?.toSpliced(3, 1), [
        'btcusd',
        'v1',
        'a',
        '2',
        '2026-03-01 10:00:10+00',
        '1772359210000000000',
        '2026-03-01 10:00:10+00',
        '1772359210000000000',
        '10',
        '6',
        '12',
        '4',
      ])
    })

    test('of a live recorder, a quote is known until what is stored and no further', async () => {
      const journal = await recording.journal('alive', 'a', 'now()')
      const epoch = await recording.epoch('alive', { symbol: 'aliveusd', journal, from: '10:00:00' })
      await recording.snapshot(epoch, '10:00:00', 1, { bids: [['1', '1']], asks: [['2', '1']] })
      await storeQuote(recording, epoch, '10:00:00', 1, '1 x 1 / 2 x 1')
      assert.deepEqual(
        await recording.rows(
          `select q.known_until = j.recorded_until, q.known_until <= now()
           from market.quotes_between('aliveusd', $1, now() + interval '1 hour') q
           join booktape.journals j on j.journal_id = $2`,
          at('10:00:00'),
          journal,
        ),
        [['t', 't']],
      )
    })

    test('where our clock was set back, order is that of the messages', async () => {
      const journal = await recording.journal('back', 'a', '10:05:00')
      const epoch = await recording.epoch('back', { symbol: 'backusd', journal, from: '10:00:00', to: '10:01:00' })
      await recording.snapshot(epoch, '10:00:00', 1, { bids: [['1', '1']], asks: [['9', '1']] })
      await storeQuote(recording, epoch, '10:00:00', 1, '1 x 1 / 9 x 1')
      await storeQuote(recording, epoch, '10:00:30', 2, '2 x 1 / 9 x 1')
      await storeQuote(recording, epoch, '10:00:20', 3, '3 x 1 / 9 x 1')
      const rows = await recording.rows(
        `select bid_price, known_until >= known_from from market.quotes_between('backusd', $1, $2)`,
        at('10:00:00'),
        at('10:01:00'),
      )
      assert.deepEqual(rows, [
        ['1', 't'],
        ['2', 't'],
        ['3', 't'],
      ])
    })
  })

  describe('market.order_flow_imbalance', () => {
    const flows = async (from: string, to: string, width = '1 minute', symbol = 'btcusd') =>
      (
        await recording.rows(
          `select concat_ws(' ', to_char(bucket, 'MI:SS'), coalesce(order_flow_imbalance::text, 'unknown'), quote_count, complete)
           from market.order_flow_imbalance($1, $2, $3, $4, 'v1')`,
          symbol,
          width,
          at(from),
          at(to),
        )
      ).flat()

    for (const [what, from, to, width, expected] of [
      [
        'what came to the bid less what came to the ask; no pair across a switch of lines or a gap',
        '10:00:00',
        '10:05:00',
        '1 minute',
        ['00:00 6.0 3 t', '01:00 -1 2 f', '02:00 0 0 f', '03:00 0 2 t', '04:00 0 0 f'],
      ],
      ['a bucket touched in part is whole', '10:00:59', '10:01:00', '1 minute', ['00:00 6.0 3 t']],
      [
        'a bucket without a quote in it is known all the same, one in a gap is not',
        '10:01:20',
        '10:02:00',
        '10 seconds',
        ['01:20 0 0 t', '01:30 1 1 t', '01:40 0 0 f', '01:50 unknown 0 f'],
      ],
      ['an empty span has no buckets', '10:00:00', '10:00:00', '1 minute', []],
    ] as const) {
      test(what, async () => assert.deepEqual(await flows(from, to, width), expected))
    }

    test('a symbol never recorded is never known', async () => {
      assert.deepEqual(await flows('10:00:00', '10:01:00', '1 minute', 'xxx'), ['00:00 unknown 0 f'])
    })
  })

  describe('market.quoted_spread', () => {
    const spreads = async (from: string, to: string, width = '1 minute') =>
      (
        await recording.rows(
          `select concat_ws(' ', to_char(bucket, 'MI:SS'), time_weighted_spread, min_spread, max_spread, time_weighted_mid, known_seconds, complete)
           from market.quoted_spread('btcusd', $1, $2, $3, 'v1')`,
          width,
          at(from),
          at(to),
        )
      ).flat()

    test('each spread weighs as long as it stood in the bucket, and a gap weighs nothing', async () => {
      assert.deepEqual(await spreads('10:00:00', '10:05:00'), [
        // (20 s of 2, 30 s of 1, 10 s of 4) / 60 and (20 s of 11, 30 s of 11.5, 10 s of 11) / 60
        '00:00 1.833333333333333333333333333333333333 1 4 11.25 60 t',
        '01:00 3.375 3 4 10.6875 40 f',
        '02:00 0 f', // no bid
        '03:00 5 5 5 17.5 60 t',
        '04:00 0 f',
      ])
    })

    test('a quote longer than a bucket is in each that it covers', async () => {
      assert.deepEqual(await spreads('10:00:20', '10:00:50', '10 seconds'), [
        '00:20 1 1 1 11.5 10 t',
        '00:30 1 1 1 11.5 10 t',
        '00:40 1 1 1 11.5 10 t',
      ])
    })
  })

  for (const [call, message] of [
    [`quotes_between('btcusd', $1, $2, 'rest')`, 'feed must be v1 or ws, not rest'],
    [`quotes_between(null, $1, $2)`, 'symbol and time must be given, not null'],
    [`quotes_between('btcusd', $2, $1)`, 'to_time must not lie before from_time, 2026-03-01 11:00:00+00'],
    [`order_flow_imbalance('btcusd', null, $1, $2)`, 'width, from_time and to_time must be given, not null'],
    [
      `order_flow_imbalance('btcusd', '1 month', $1, $2)`,
      'width must be above 0 and have no months or years, not 1 mon',
    ],
    [
      `order_flow_imbalance('btcusd', '1 minute', $2, $1)`,
      'from_time and to_time must be finite, and to_time not before from_time',
    ],
    [
      `quoted_spread('btcusd', '1 microsecond', $1, $2)`,
      'more than 1000000 of width: choose a wider one or a shorter span',
    ],
    [`quoted_spread('btcusd', '-1 s', $1, $2)`, 'width must be above 0 and have no months or years, not -00:00:01'],
    [`realised_spread('btcusd', $1, $2, '0')`, 'horizon must be above 0 and have no months or years, not 00:00:00'],
    [`realised_spread('btcusd', $1, $2, null)`, 'horizon must be above 0 and have no months or years, not null'],
    [`depth_within('btcusd', $1, -1)`, 'basis_points must be a number of 0 or more, not -1'],
    [`depth_within('btcusd', $1, 'NaN')`, 'basis_points must be a number of 0 or more, not NaN'],
    [`book_between('btcusd', $1, $2, 0)`, 'depth must be at least 1, not 0'],
    [`book_between('btcusd', $1, $2, null)`, 'depth must be given, not null'],
    [`book_between('btcusd', $1, $2, 1, '0')`, 'every must be above 0 and have no months or years, not 00:00:00'],
  ] as const) {
    test(`${call} is refused`, async () => {
      const failure = await recording.failure(
        `select * from market.${call}, (select $1::timestamptz, $2::timestamptz) given`,
        at('10:00:00'),
        at('11:00:00'),
      )
      assert.deepEqual([failure.code, failure.message], ['22023', message])
    })
  }

  describe('market.realised_spread', () => {
    const spreads = async (horizon: string, feed = 'v1') =>
      (
        await recording.rows(
          `select concat_ws(' ', trade_id, taker_side, coalesce(mid_before::text, '-'), coalesce(mid_after::text, '-'),
             coalesce(effective_spread::text, '-'), coalesce(realised_spread::text, '-'), coalesce(price_impact::text, '-'))
           from market.realised_spread('btcusd', $1, $2, $3, $4)`,
          at('10:00:00'),
          at('10:05:00'),
          horizon,
          feed,
        )
      ).flat()

    before(async () => {
      for (const [id, time, price, taker, broken] of [
        [1, '10:00:05', '12', 'buy', false], // before the first quote with a time
        [2, '10:00:20', '12', 'buy', false], // before the quote of its own millisecond
        [3, '10:00:20.0005', '10.75', 'sell', false],
        [4, '10:00:20.001', '12', 'buy', false],
        [5, '10:00:30', '11.5', 'auction', false],
        [6, '10:00:40', '99', 'buy', true],
        [7, '10:01:20', '12', 'buy', false], // the horizon of 10 s reaches line b's part, that of 40 s the gap
        [8, '10:01:50', '12', 'sell', false], // in the gap
        [9, '10:03:10', '20', 'buy', false],
      ] as const) {
        await storeTrade(recording, { id, time, price, taker, broken })
      }
    })

    test('mids are those of the venue’s time; null where the book is not known then', async () => {
      assert.deepEqual(await spreads('10 seconds'), [
        '1 buy - 11 - 2 -',
        '2 buy 11 11.5 2 1 1',
        '3 sell 11 11.5 0.5 1.5 -1',
        '4 buy 11.5 11.5 1 1 0',
        '5 auction 11.5 11.5 - - -',
        '7 buy 10.5 10.5 3 3 0',
        '8 sell - - - - -',
        '9 buy 17.5 17.5 5 5 0',
      ])
    })

    test('a horizon that ends in a gap has no mid', async () => {
      assert.deepEqual((await spreads('40 seconds')).slice(-3), [
        '7 buy 10.5 - 3 - -',
        '8 sell - - - - -',
        '9 buy 17.5 - 5 - -',
      ])
    })

    test('on a feed that was not recorded every mid is null', async () => {
      assert.equal((await spreads('10 seconds', 'ws'))[1], '2 buy - - - - -')
    })

    test('ws has its times in nanoseconds', async () => {
      const journal = await recording.journal('ns', 'a', '10:05:00')
      const epoch = await recording.epoch('ns', {
        symbol: 'nsusd',
        feed: 'ws',
        journal,
        from: '10:00:00',
        to: '10:01:00',
      })
      await recording.snapshot(epoch, '10:00:00', 1, { bids: [['1', '1']], asks: [['3', '1']] })
      await storeQuote(recording, epoch, '10:00:00', 1, '1 x 1 / 3 x 1')
      await storeQuote(recording, epoch, '10:00:01', 2, '3 x 1 / 5 x 1', '10:00:00.9000001')
      await storeQuote(recording, epoch, '10:00:09', 3, '3 x 1 / 5 x 2')
      await storeTrade(recording, { id: 1, symbol: 'nsusd', time: '10:00:00.9000001', price: '3', taker: 'buy' })
      await storeTrade(recording, { id: 2, symbol: 'nsusd', time: '10:00:00.9000002', price: '5', taker: 'buy' })
      assert.deepEqual(
        await recording.rows(
          `select mid_before, mid_after from market.realised_spread('nsusd', $1, $2, '1 microsecond')`,
          at('10:00:00'),
          at('10:01:00'),
        ),
        [
          ['2', '4'],
          ['4', '4'],
        ],
      )
    })
  })
})

describe('market.microprice_at and market.depth_within', () => {
  let recording: TestRecording
  const depth = async (time: string, basisPoints: string) =>
    (
      await recording.rows(
        `select concat_ws(' ', mid, bid_quantity, bid_notional, bid_levels, ask_quantity, ask_notional, ask_levels)
         from market.depth_within('btcusd', $1, $2)`,
        at(time),
        basisPoints,
      )
    ).flat()
  const microprice = async (time: string) =>
    (await recording.rows(`select market.microprice_at('btcusd', $1)`, at(time))).flat()

  before(async () => {
    recording = await testRecording()
    const journal = await recording.journal('a', 'a', '10:05:00')
    const epoch = await recording.epoch('one', { journal, from: '10:00:00', to: '10:01:00' })
    await recording.snapshot(epoch, '10:00:00', 1, {
      bids: [
        ['99', '1'],
        ['98', '2.5'],
        ['50', '9000000000000'],
      ],
      asks: [
        ['101', '3'],
        ['102.000000001', '4'],
      ],
    })
    await recording.message(epoch, '10:00:10', 2, [
      ['C', '101', '0'],
      ['C', '102.000000001', '0'],
    ])
    await recording.gap('after', { journal, from: '10:01:00' })
  })
  after(() => recording.close())

  for (const [basisPoints, expected] of [
    ['0', '100 0 0 0 0 0 0'],
    ['100', '100 1 99 1 3 303 1'],
    ['99.999999', '100 0 0 0 0 0 0'],
    ['200', '100 3.5 344.0 2 3 303 1'],
    ['200.0000001', '100 3.5 344.0 2 7 711.000000004 2'],
    ['10000', '100 9000000000003.5 450000000000344.0 3 7 711.000000004 2'],
  ] as const) {
    test(`within ${basisPoints} basis points of 100: ${expected}`, async () => {
      assert.deepEqual(await depth('10:00:05', basisPoints), [expected])
    })
  }
  test('the microprice leans to the side with less', async () => {
    assert.deepEqual(await microprice('10:00:05'), ['99.5'])
  })
  test('where a side is empty there is no mid', async () => {
    assert.deepEqual(await depth('10:00:20', '100'), [''])
    assert.deepEqual(await microprice('10:00:20'), [null])
  })
  test('where the book is not known there is no row, and no microprice', async () => {
    assert.deepEqual(await depth('10:02:00', '100'), [])
    assert.deepEqual(await microprice('10:02:00'), [null])
  })
})

describe('market.top_of_book_at', () => {
  let recording: TestRecording
  const top = async (time: string) =>
    (
      await recording.rows(
        `select concat_ws(' ', bid_price, bid_quantity, ask_price, ask_quantity, mid, spread)
         from market.top_of_book_at('btcusd', $1, 'v1')`,
        at(time),
      )
    ).flat()

  before(async () => {
    recording = await testRecording()
    const journal = await recording.journal('a', 'a', '10:05:00')
    const one = await recording.epoch('one', { journal, from: '10:00:00', to: '10:01:00' })
    await recording.snapshot(one, '10:00:00', 1, { bids: [['10', '1']], asks: [['12', '1']] })
    await recording.message(one, '10:00:10', 2, [['p', '11', '2']])
    await recording.message(one, '10:00:20', 3, [['p', '11.5', '3']])
    await storeQuote(recording, one, '10:00:00', 1, '10 x 1 / 12 x 1')
    await storeQuote(recording, one, '10:00:10', 2, '11 x 2 / 12 x 1')
    // The quote of the third message was refused.
    await recording.insert('quarantine', {
      session_id: '00000000-0000-4000-8000-000000000001',
      message_seq: 1,
      line: 'a',
      feed: 'v1',
      symbol: 'btcusd',
      received_time: at('10:00:20'),
      reason: 'unstorable row of quotes, 23514: new row violates a check',
      payload: Buffer.from('{}'),
    })
    await recording.gap('one', { journal, from: '10:01:00', to: '10:02:00' })
    const two = await recording.epoch('two', { journal, from: '10:02:00', to: '10:03:00' })
    await recording.snapshot(two, '10:02:00', 1, { bids: [], asks: [['7', '1']] })
  })
  after(() => recording.close())

  for (const [what, time, expected] of [
    ['is the newest quote of the epoch', '10:00:15', ['11 2 12 1 11.5 1']],
    ['of the very instant too', '10:00:10', ['11 2 12 1 11.5 1']],
    ['a microsecond before, the one before', '10:00:09.999999', ['10 1 12 1 11 2']],
    ['where a quote since was refused, it is that of the book', '10:00:25', ['11.5 3 12 1 11.75 0.5']],
    ['no quote is carried over a gap', '10:01:30', []],
    ['nor into the next epoch', '10:02:30', ['7 1']],
  ] as const) {
    test(what, async () => assert.deepEqual(await top(time), expected))
  }
})
