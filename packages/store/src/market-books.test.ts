import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { at, type TestEpoch, type TestRecording, testRecording } from './recording.fixture.ts'

const BOOK = `select side, level, price, quantity from market.book_at($1, $2, $3, $4)`
const EMPTY = { bids: [], asks: [] }

describe('market.book_at', () => {
  let recording: TestRecording
  let first: TestEpoch
  const book = (time: string, depth: number | null = null, feed: string | null = null, symbol = 'btcusd') =>
    recording.rows(BOOK, symbol, /^\d/.test(time) ? at(time) : time, depth, feed)
  const refused = (time: string, feed: string | null = null, symbol = 'btcusd') =>
    recording.failure(BOOK, symbol, at(time), null, feed)

  before(async () => {
    recording = await testRecording()
    const a = await recording.journal('a', 'a', '12:00:00')
    first = await recording.epoch('first', { from: '10:00:00', to: '10:00:10', journal: a, ids: [100, 103] })
    const initial = {
      bids: [
        ['100', '1'],
        ['99', '2'],
      ],
      asks: [
        ['101', '3'],
        ['102', '4'],
      ],
    } as const
    await recording.snapshot(first, '10:00:00', 1, initial, { updateId: 100 })
    await recording.message(
      first,
      '10:00:02',
      2,
      [
        ['p', '100.5', '9000000000000'],
        ['C', '101', '0'],
      ],
      { updateId: 101 },
    )
    await recording.message(
      first,
      '10:00:04',
      4,
      [
        ['c', '100.5', '0'],
        ['p', '100.5', '0.000000001'],
        ['P', '4105123935484.817624', '7'],
      ],
      { updateId: 102 },
    )
    await recording.message(first, '10:00:06', 5, [], { updateId: 103 })
    await recording.snapshot(
      first,
      '10:00:07',
      5,
      { bids: [['100.5', '0.000000001']], asks: [['4105123935484.817624', '7']] },
      { reason: 'interval', updateId: 103 },
    )
    await recording.gap('lost', { from: '10:00:10', to: '10:00:20', journal: a })
    const second = await recording.epoch('second', { from: '10:00:20', to: '10:00:30', journal: a, ids: [200, 200] })
    await recording.snapshot(second, '10:00:20', 9, { bids: [], asks: [['7', '1']] }, { updateId: 200 })
    await recording.gap('stop', { from: '10:00:30', journal: a, cause: 'stopped' })
  })
  after(() => recording.close())

  for (const [moment, time, expected] of [
    ['the instant an epoch starts', '10:00:00', ['bid 1 100 1', 'bid 2 99 2', 'ask 1 101 3', 'ask 2 102 4']],
    ['a microsecond before a message', '10:00:01.999999', ['bid 1 100 1', 'bid 2 99 2', 'ask 1 101 3', 'ask 2 102 4']],
    ['the instant of a message', '10:00:02', ['bid 1 100.5 9000000000000', 'bid 2 100 1', 'bid 3 99 2', 'ask 1 102 4']],
    [
      'after a message that sets one level twice',
      '10:00:05',
      ['bid 1 100.5 0.000000001', 'bid 2 100 1', 'bid 3 99 2', 'ask 1 102 4', 'ask 2 4105123935484.817624 7'],
    ],
    [
      'after a newer snapshot, which counts by itself',
      '10:00:08',
      ['bid 1 100.5 0.000000001', 'ask 1 4105123935484.817624 7'],
    ],
    ['the instant an epoch ends', '10:00:10', ['bid 1 100.5 0.000000001', 'ask 1 4105123935484.817624 7']],
    ['the instant the next epoch starts', '10:00:20', ['ask 1 7 1']],
  ] as const) {
    test(moment, async () => {
      assert.deepEqual(
        (await book(time)).map((row) => row.join(' ')),
        expected,
      )
    })
  }

  test('a depth limits each side', async () => {
    const rows = await book('10:00:05', 1)
    assert.deepEqual(rows, [
      ['bid', '1', '100.5', '0.000000001'],
      ['ask', '1', '102', '4'],
    ])
  })

  test('a depth is reached below levels that were removed', async () => {
    assert.deepEqual(await book('10:00:02', 2), [
      ['bid', '1', '100.5', '9000000000000'],
      ['bid', '2', '100', '1'],
      ['ask', '1', '102', '4'],
    ])
  })

  for (const [where, time, feed, symbol, message] of [
    [
      'inside a gap',
      '10:00:10.000001',
      'v1',
      'btcusd',
      /^the book of btcusd on v1 is not known at 2026-03-01T10:00:10\.000001Z: gap [0-9a-f-]{36} \(disconnect, v1 on line a\) from 2026-03-01T10:00:10\.000000Z to 2026-03-01T10:00:20\.000000Z$/,
    ],
    [
      'inside a gap that is still open',
      '11:00:00',
      null,
      'btcusd',
      /^the book of btcusd on any feed is not known at 2026-03-01T11:00:00\.000000Z: gap [0-9a-f-]{36} \(stopped, v1 on line a\) from 2026-03-01T10:00:30\.000000Z to now$/,
    ],
    [
      'before recording began',
      '09:59:59.999999',
      'v1',
      'btcusd',
      /is not known at 2026-03-01T09:59:59\.999999Z: it was not recorded then, known next from 2026-03-01T10:00:00\.000000Z$/,
    ],
    ['on a feed never recorded', '10:00:01', 'ws', 'btcusd', /^the book of btcusd on ws .*: it was never recorded$/],
    [
      'of a symbol never recorded',
      '10:00:01',
      null,
      'BTCUSD',
      /^the book of BTCUSD on any feed .*: it was never recorded$/,
    ],
  ] as const) {
    test(`is refused ${where}`, async () => {
      const failure = await refused(time, feed, symbol)
      assert.equal(failure.code, 'BT001')
      assert.match(failure.message, message)
    })
  }

  test('a refusal for an unknown symbol lists the known ones', async () => {
    assert.equal((await refused('10:00:01', null, 'xxx')).hint, 'Recorded are: btcusd on v1. Symbols are lower case.')
  })

  for (const [what, values, message] of [
    ['a depth of 0', ['btcusd', at('10:00:00'), 0, null], 'depth must be at least 1, not 0'],
    ['an unknown feed', ['btcusd', at('10:00:00'), null, 'v2'], 'feed must be v1 or ws, not v2'],
    ['no time', ['btcusd', null, null, null], 'symbol and time must be given, not null'],
  ] as const) {
    test(`${what} is refused`, async () => {
      const failure = await recording.failure(BOOK, ...values)
      assert.deepEqual([failure.code, failure.message], ['22023', message])
    })
  }

  describe('by update', () => {
    const afterUpdate = (id: number | string, depth: number | null = null) =>
      recording.rows(
        `select side, price, quantity from market.book_at_update($1, $2, $3, $4)`,
        'btcusd',
        first.id,
        id,
        depth,
      )

    test('the first id is the snapshot', async () => {
      assert.deepEqual(await afterUpdate(100, 1), [
        ['bid', '100', '1'],
        ['ask', '101', '3'],
      ])
    })
    test('an id shows its message', async () => {
      assert.deepEqual(await afterUpdate(101, 1), [
        ['bid', '100.5', '9000000000000'],
        ['ask', '102', '4'],
      ])
    })
    test('the last id is the end', async () => {
      assert.deepEqual(await afterUpdate(103), [
        ['bid', '100.5', '0.000000001'],
        ['ask', '4105123935484.817624', '7'],
      ])
    })
    for (const [id, epoch, message] of [
      [99, 'it', /^the book of btcusd after update 99 is not known: epoch .* holds updates 100 to 103$/],
      [104, 'it', /^the book of btcusd after update 104 is not known: epoch .* holds updates 100 to 103$/],
      [100, '00000000-0000-4000-8000-000000000000', /^btcusd has no epoch 00000000-0000-4000-8000-000000000000$/],
    ] as const) {
      test(`id ${id} of ${epoch} is refused`, async () => {
        const failure = await recording.failure(
          `select * from market.book_at_update('btcusd', $1, $2)`,
          epoch === 'it' ? first.id : epoch,
          id,
        )
        assert.equal(failure.code, 'BT001')
        assert.match(failure.message, message)
      })
    }
  })

  describe('an epoch without an end', () => {
    test('is known as far as its journal is stored, and on while that is now', async () => {
      const old = await recording.journal('old', 'a', '11:00:00')
      const stale = await recording.epoch('stale', { symbol: 'oldusd', from: '10:00:00', journal: old })
      await recording.snapshot(stale, '10:00:00', 1, { bids: [['1', '1']], asks: [] })
      assert.deepEqual(await book('11:00:00', null, null, 'oldusd'), [['bid', '1', '1', '1']])
      const failure = await refused('11:00:00.000001', 'v1', 'oldusd')
      assert.equal(failure.code, 'BT001')
      assert.match(failure.message, /: v1 on line a is stored only until 2026-03-01T11:00:00\.000000Z$/)

      const fresh = await recording.journal('fresh', 'a', `now() - interval '9 seconds'`)
      const live = await recording.epoch('live', { symbol: 'newusd', from: '10:00:00', journal: fresh })
      await recording.snapshot(live, '10:00:00', 1, { bids: [['2', '1']], asks: [] })
      const byFunction = `select price from market.book_at('newusd', now() + $1::interval)`
      assert.deepEqual(await recording.rows(byFunction, '0'), [['2']])
      assert.deepEqual(await recording.rows(byFunction, '1 year'), [['2']])
      await recording.client.query(
        `update booktape.journals set recorded_until = now() - interval '11 seconds' where journal_id = $1`,
        [fresh],
      )
      assert.equal((await recording.failure(byFunction, '0')).code, 'BT001')
    })

    test('gives ids as far as they came', async () => {
      const journal = await recording.journal('ids', 'a', '11:00:00')
      const epoch = await recording.epoch('ids', {
        symbol: 'idsusd',
        from: '10:00:00',
        journal,
        ids: ['9007199254740993', null],
      })
      await recording.snapshot(epoch, '10:00:00', 1, EMPTY, { updateId: '9007199254740993' })
      assert.deepEqual(await recording.rows(`select last_update_id from market.epochs where symbol = 'idsusd'`), [
        ['9007199254740993'],
      ])
      await recording.message(epoch, '10:00:01', 2, [['p', '5', '6']], { updateId: '9007199254740995' })
      assert.deepEqual(await recording.rows(`select last_update_id from market.epochs where symbol = 'idsusd'`), [
        ['9007199254740995'],
      ])
      const byUpdate = `select price, quantity from market.book_at_update('idsusd', $1, $2)`
      assert.deepEqual(await recording.rows(byUpdate, epoch.id, '9007199254740994'), [])
      assert.deepEqual(await recording.rows(byUpdate, epoch.id, '9007199254740995'), [['5', '6']])
      const later = await recording.failure(byUpdate, epoch.id, '9007199254740996')
      assert.match(later.message, /so far holds updates 9007199254740993 to 9007199254740995$/)
    })
  })

  describe('several lines and feeds', () => {
    before(async () => {
      const [a, b] = [
        await recording.journal('two a', 'a', '12:00:00'),
        await recording.journal('two b', 'b', '12:00:00'),
      ]
      for (const [name, feed, line, journal, from, to, price] of [
        ['a v1', 'v1', 'a', a, '10:00:00', '10:00:10', '11'],
        ['b v1', 'v1', 'b', b, '10:00:05', '10:00:20', '12'],
        ['a ws', 'ws', 'a', a, '10:00:00', '10:00:30', '21'],
      ] as const) {
        const epoch = await recording.epoch(name, { symbol: 'twousd', feed, line, journal, from, to })
        await recording.snapshot(epoch, from, 1, { bids: [[price, '1']], asks: [] })
        await recording.gap(name, { symbol: 'twousd', feed, line, journal, from: to, cause: 'stopped' })
      }
    })
    for (const [time, feed, price, why] of [
      ['10:00:04', null, '11', 'v1 where it is known'],
      ['10:00:07', null, '11', 'the first line by name where two know it'],
      ['10:00:15', null, '12', 'the line that knows it'],
      ['10:00:25', null, '21', 'ws where v1 is not known'],
      ['10:00:04', 'ws', '21', 'the feed asked for'],
    ] as const) {
      test(`at ${time} on ${feed ?? 'any feed'} the answer is ${why}`, async () => {
        assert.deepEqual(await book(time, null, feed, 'twousd'), [['bid', '1', price, '1']])
      })
    }
    test('a refusal names the gap of every line', async () => {
      const failure = await refused('10:00:25', 'v1', 'twousd')
      assert.match(
        failure.message,
        /: gap .* \(stopped, v1 on line a\) from .* to now; gap .* \(stopped, v1 on line b\) from .* to now$/,
      )
    })
  })

  test('a clock set back within an epoch never tears the order of messages', async () => {
    const journal = await recording.journal('back', 'a', '12:00:00')
    const epoch = await recording.epoch('back', { symbol: 'backusd', from: '10:00:00', to: '10:00:20', journal })
    await recording.snapshot(epoch, '10:00:00', 1, { bids: [['1', '1']], asks: [] })
    await recording.message(epoch, '10:00:10', 2, [['p', '1', '2']])
    await recording.message(epoch, '10:00:05', 3, [['p', '2', '3']])
    await recording.message(epoch, '10:00:20', 4, [['c', '1', '0']])
    assert.deepEqual(await book('10:00:06', null, null, 'backusd'), [
      ['bid', '1', '2', '3'],
      ['bid', '2', '1', '2'],
    ])
    assert.deepEqual(await book('10:00:20', null, null, 'backusd'), [['bid', '1', '2', '3']])
  })

  describe('market.top_of_book_at', () => {
    const top = (time: string) =>
      recording.rows('select * from market.top_of_book_at($1, $2, $3)', 'btcusd', at(time), null)

    for (const [what, time, expected] of [
      ['both sides', '10:00:00', ['100', '1', '101', '3', '100.5', '1']],
      [
        'a half that a division would cut',
        '10:00:08',
        ['100.5', '0.000000001', '4105123935484.817624', '7', '2052561967792.658812', '4105123935384.317624'],
      ],
      ['an empty side', '10:00:20', [null, null, '7', '1', null, null]],
    ] as const) {
      test(`gives ${what}`, async () => assert.deepEqual(await top(time), [expected]))
    }
    test('gives no row where the book is not known', async () => assert.deepEqual(await top('10:00:15'), []))
  })

  describe('market.fill_cost_at', () => {
    const FILL = `select * from market.fill_cost_at('btcusd', $1, $2, $3)`
    for (const [what, side, quantity, expected] of [
      ['a buy within the best level', 'buy', '2', ['2', '101', '101', '1']],
      ['a buy of exactly one level', 'buy', '3', ['3', '101', '101', '1']],
      ['a buy over two levels', 'buy', '5', ['5', '101.4', '102', '2']],
      ['a buy of more than there is', 'buy', '100', ['7', '101.571428571428571428571428571428571429', '102', '2']],
      ['a sell over two levels', 'sell', '1.5', ['1.5', '99.666666666666666666666666666666666667', '99', '2']],
    ] as const) {
      test(what, async () => assert.deepEqual(await recording.rows(FILL, at('10:00:00'), side, quantity), [expected]))
    }
    test('a sell into an empty side fills nothing', async () => {
      assert.deepEqual(await recording.rows(FILL, at('10:00:20'), 'sell', '1'), [['0', null, null, '0']])
    })
    for (const [side, quantity, message] of [
      ['bid', '1', 'taker_side must be buy or sell, not bid'],
      [null, '1', 'taker_side must be buy or sell, not null'],
      ['buy', '0', 'quantity must be a number above 0, not 0'],
      ['buy', 'NaN', 'quantity must be a number above 0, not NaN'],
      ['buy', null, 'quantity must be a number above 0, not null'],
    ] as const) {
      test(`${side} ${quantity} is refused`, async () => {
        const failure = await recording.failure(FILL, at('10:00:00'), side, quantity)
        assert.deepEqual([failure.code, failure.message], ['22023', message])
      })
    }
    test('is refused where the book is not known', async () => {
      assert.equal((await recording.failure(FILL, at('10:00:15'), 'buy', '1')).code, 'BT001')
    })
  })
})
