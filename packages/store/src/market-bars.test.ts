import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { at, type TestRecording, testRecording } from './recording.fixture.ts'

describe('market.bars', () => {
  let recording: TestRecording
  const bars = async (from: string, to: string, width = '1 minute') =>
    await recording.rows(
      `select to_char(bucket, 'HH24:MI:SS'), open, high, low, close, volume, notional, vwap, trade_count
       from market.bars('btcusd', $1, $2, $3)`,
      width,
      at(from),
      at(to),
    )
  /** Minutes that are complete, of a symbol. */
  const complete = async (symbol: string, from: string, to: string) =>
    (
      await recording.rows(
        `select to_char(bucket, 'MI') from market.bars($1, '1 minute', $2, $3) where complete`,
        symbol,
        at(from),
        at(to),
      )
    ).flat()

  before(async () => {
    recording = await testRecording()
    await recording.trade(1, '10:00:00', '100', '1')
    await recording.trade(3, '10:00:30.000000001', '103', '0.000000001')
    await recording.trade(2, '10:00:30', '99', '9000000000000')
    await recording.trade(4, '10:00:59.999999999', '98', '5', { broken: true })
    await recording.trade(6, '10:02:00', '4105123935484.817624', '1')
    await recording.trade(5, '10:02:00', '7', '2')
  })
  after(() => recording.close())

  const MINUTE_0 = [
    '10:00:00',
    '100',
    '103',
    '99',
    '103',
    '9000000000001.000000001',
    '891000000000100.000000103',
    '99.000000000000111111111555543209876481',
    '3',
  ]
  const MINUTE_1 = ['10:01:00', null, null, null, null, '0', '0', null, '0']
  const MINUTE_2 = [
    '10:02:00',
    '7',
    '4105123935484.817624',
    '7',
    '4105123935484.817624',
    '3',
    '4105123935498.817624',
    '1368374645166.272541333333333333333333333333333333',
    '2',
  ]

  for (const [what, from, to, expected] of [
    [
      'every minute, also without trades; broken ones do not count',
      '10:00:00',
      '10:03:00',
      [MINUTE_0, MINUTE_1, MINUTE_2],
    ],
    ['minutes touched in part are whole', '10:00:31', '10:01:30', [MINUTE_0, MINUTE_1]],
    ['an empty span has no bars', '10:00:00', '10:00:00', []],
  ] as const) {
    test(what, async () => assert.deepEqual(await bars(from, to), expected))
  }

  test('buckets begin at multiples of the width since 1970, in any time zone', async () => {
    await recording.client.query(`set timezone = 'America/New_York'`)
    const found = await recording.rows(
      `select bucket at time zone 'UTC' from market.bars('btcusd', '1 day', '2026-03-07 12:00Z', '2026-03-09 12:00Z')`,
    )
    await recording.client.query(`set timezone = 'UTC'`)
    // New York's summer time begins on the 8th: its day has 23 hours, a bucket never.
    assert.deepEqual(found, [['2026-03-07 00:00:00'], ['2026-03-08 00:00:00'], ['2026-03-09 00:00:00']])
  })

  for (const [width, from, to, message] of [
    ['0', '10:00:00', '11:00:00', 'width must be above 0 and have no months or years, not 00:00:00'],
    ['1 month', '10:00:00', '11:00:00', 'width must be above 0 and have no months or years, not 1 mon'],
    ['1 microsecond', '10:00:00', '11:00:00', 'more than 1000000 buckets: choose a wider width or a shorter span'],
    ['1 minute', '11:00:00', '10:00:00', 'from_time and to_time must be finite, and to_time not before from_time'],
  ] as const) {
    test(`a width of ${width} from ${from} to ${to} is refused`, async () => {
      const failure = await recording.failure(
        `select * from market.bars('btcusd', $1, $2, $3)`,
        width,
        at(from),
        at(to),
      )
      assert.deepEqual([failure.code, failure.message], ['22023', message])
    })
  }

  describe('complete', () => {
    for (const [symbol, what, gap, expected] of [
      ['c0usd', 'without a gap: from the first whole minute to the last stored', null, ['01', '02', '03', '04']],
      [
        'c1usd',
        'a book gap on v1 counts, since its sequence carries trades',
        { from: '10:02:30', to: '10:02:31' },
        ['01', '03', '04'],
      ],
      ['c2usd', 'a gap over a boundary spoils both sides', { from: '10:02:59', to: '10:03:01' }, ['01', '04']],
      ['c3usd', 'a gap that ends at a boundary spoils one', { from: '10:02:30', to: '10:03:00' }, ['01', '03', '04']],
      ['c4usd', 'a gap without a span counts where it is', { from: '10:03:00', to: '10:03:00' }, ['01', '02', '04']],
      ['c5usd', 'an open gap spoils all that follows', { from: '10:02:30' }, ['01']],
      [
        'c6usd',
        'a filled one spoils nothing',
        { from: '10:02:30', to: '10:03:00', state: 'filled' },
        ['01', '02', '03', '04'],
      ],
      [
        'c7usd',
        'one that can never be filled does',
        { from: '10:02:30', to: '10:02:40', state: 'unfillable' },
        ['01', '03', '04'],
      ],
      [
        'c8usd',
        'a book gap on ws does not',
        { from: '10:02:30', to: '10:02:40', feed: 'ws' },
        ['01', '02', '03', '04'],
      ],
      [
        'c9usd',
        'a trades gap on ws does',
        { from: '10:02:30', to: '10:02:40', feed: 'ws', stream: 'trades' },
        ['01', '03', '04'],
      ],
    ] as const) {
      test(what, async () => {
        const journal = await recording.journal(symbol, 'a', '10:05:30')
        const feed = gap !== null && 'feed' in gap ? gap.feed : 'v1'
        await recording.epoch(symbol, { symbol, feed, journal, from: '10:00:10' })
        if (gap !== null) await recording.gap(symbol, { symbol, journal, ...gap })
        assert.deepEqual(await complete(symbol, '10:00:00', '10:06:00'), expected)
      })
    }

    test('one line or feed without a hole is enough, two with holes are not', async () => {
      const [a, b] = [
        await recording.journal('cb a', 'a', '10:10:00'),
        await recording.journal('cb b', 'b', '10:04:00'),
      ]
      await recording.epoch('cb a', { symbol: 'cbusd', journal: a, from: '10:00:00' })
      await recording.epoch('cb b', { symbol: 'cbusd', journal: b, line: 'b', feed: 'ws', from: '10:00:00' })
      await recording.gap('cb a1', { symbol: 'cbusd', journal: a, from: '10:01:10', to: '10:01:20' })
      await recording.gap('cb a2', { symbol: 'cbusd', journal: a, from: '10:02:10', to: '10:02:20' })
      await recording.gap('cb b2', {
        symbol: 'cbusd',
        journal: b,
        line: 'b',
        feed: 'ws',
        stream: 'trades',
        from: '10:02:30',
        to: '10:02:40',
      })
      await recording.gap('cb a5', { symbol: 'cbusd', journal: a, from: '10:05:10', to: '10:05:20' })
      assert.deepEqual(await complete('cbusd', '10:00:00', '10:07:00'), ['00', '01', '03', '04', '06'])
    })

    test('nothing is complete of a symbol never recorded', async () => {
      assert.deepEqual(await complete('btcusd', '10:00:00', '10:03:00'), [])
    })
  })
})

describe('market.coverage', () => {
  let recording: TestRecording
  const coverage = async (symbol: string, from: string, to: string, feed: string | null = 'v1') =>
    (
      await recording.rows(
        `select to_char(from_time, 'MI:SS'), to_char(to_time, 'MI:SS'), state from market.coverage($1, $2, $3, $4)`,
        symbol,
        feed,
        at(from),
        at(to),
      )
    ).map((row) => row.join(' '))

  before(async () => {
    recording = await testRecording()
    const a = await recording.journal('a', 'a', '10:30:00')
    const b = await recording.journal('b', 'b', '10:30:00')
    //  minute  0    5    10   15   20   25
    //  line a  .gap|---------|gap |----|stopped
    //  line b  .........|--------|gap..|--|stopped
    await recording.gap('a0', { journal: a, from: '10:02:00', to: '10:05:00', cause: 'connect' })
    await recording.epoch('a1', { journal: a, from: '10:05:00', to: '10:10:00' })
    await recording.gap('a1', { journal: a, from: '10:10:00', to: '10:15:00' })
    await recording.epoch('a2', { journal: a, from: '10:15:00', to: '10:20:00' })
    await recording.gap('a2', { journal: a, from: '10:20:00', cause: 'stopped' })
    await recording.gap('a2 trades', { journal: a, from: '10:20:01', cause: 'stopped', stream: 'trades' })
    await recording.epoch('b1', { journal: b, line: 'b', from: '10:07:00', to: '10:12:00' })
    await recording.gap('b1', { journal: b, line: 'b', from: '10:12:00', to: '10:22:00' })
    await recording.epoch('b2', { journal: b, line: 'b', from: '10:22:00', to: '10:24:00' })
    await recording.gap('b2', { journal: b, line: 'b', from: '10:24:00', cause: 'stopped' })
  })
  after(() => recording.close())

  test('all of it: a gap only where every line has one, off before the first and after the last', async () => {
    assert.deepEqual(await coverage('btcusd', '10:00:00', '10:30:00'), [
      '00:00 02:00 off',
      '02:00 05:00 gap',
      '05:00 12:00 live',
      '12:00 15:00 gap',
      '15:00 20:00 live',
      '20:00 22:00 gap',
      '22:00 24:00 live',
      '24:00 30:00 off',
    ])
  })
  for (const [what, symbol, feed, from, to, expected] of [
    ['part of one span', 'btcusd', 'v1', '10:06:00', '10:07:00', ['06:00 07:00 live']],
    [
      'a span cut at both ends',
      'btcusd',
      'v1',
      '10:11:00',
      '10:16:00',
      ['11:00 12:00 live', '12:00 15:00 gap', '15:00 16:00 live'],
    ],
    ['another feed', 'btcusd', 'ws', '10:00:00', '10:30:00', ['00:00 30:00 off']],
    ['an unknown symbol', 'xxx', null, '10:00:00', '10:30:00', ['00:00 30:00 off']],
    ['an empty span', 'btcusd', 'v1', '10:06:00', '10:06:00', []],
  ] as const) {
    test(what, async () => assert.deepEqual(await coverage(symbol, from, to, feed), expected))
  }

  test('without a feed, either one being live is enough', async () => {
    const journal = await recording.journal('either', 'a', '10:30:00')
    await recording.epoch('either v1', { symbol: 'eitherusd', journal, from: '10:00:00', to: '10:10:00' })
    await recording.gap('either v1', { symbol: 'eitherusd', journal, from: '10:10:00' })
    await recording.epoch('either ws', { symbol: 'eitherusd', feed: 'ws', journal, from: '10:09:00', to: '10:20:00' })
    await recording.gap('either ws', { symbol: 'eitherusd', feed: 'ws', journal, from: '10:20:00' })
    assert.deepEqual(await coverage('eitherusd', '10:00:00', '10:30:00', null), ['00:00 20:00 live', '20:00 30:00 gap'])
  })

  test('a recorder that ended without a stop leaves a gap from where its rows end', async () => {
    const journal = await recording.journal('dead', 'a', '10:08:00')
    await recording.epoch('dead', { symbol: 'deadusd', journal, from: '10:05:00' })
    assert.deepEqual(await coverage('deadusd', '10:00:00', '10:10:00'), [
      '00:00 05:00 off',
      '05:00 08:00 live',
      '08:00 10:00 gap',
    ])
  })

  test('a live recorder is live to the end asked for', async () => {
    const journal = await recording.journal('alive', 'a', 'now()')
    await recording.epoch('alive', { symbol: 'aliveusd', journal, from: '10:05:00' })
    assert.deepEqual(await coverage('aliveusd', '10:06:00', '10:10:00'), ['06:00 10:00 live'])
  })

  test('a stop that was followed by a start is a gap', async () => {
    const journal = await recording.journal('again', 'a', '10:30:00')
    await recording.epoch('again 1', { symbol: 'againusd', journal, from: '10:00:00', to: '10:05:00' })
    await recording.gap('again', { symbol: 'againusd', journal, from: '10:05:00', to: '10:06:00', cause: 'stopped' })
    await recording.epoch('again 2', { symbol: 'againusd', journal, from: '10:06:00', to: '10:10:00' })
    assert.deepEqual(await coverage('againusd', '10:04:00', '10:07:00'), [
      '04:00 05:00 live',
      '05:00 06:00 gap',
      '06:00 07:00 live',
    ])
  })
})
