import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { at, type TestChange, type TestEpoch, type TestRecording, testRecording } from './recording.fixture.ts'

describe('market.book_between', () => {
  let recording: TestRecording
  /** `minute:second update bids | asks`, best first; `unknown` where the book is not known. */
  const books = async (from: string, to: string, depth: number, every: string | null = null, symbol = 'btcusd') =>
    (
      await recording.rows(
        `select concat_ws(' ', to_char(book_time, 'MI:SS.US'), coalesce(update_id::text, 'unknown'),
           (select string_agg(p || 'x' || q, ' ' order by n) from unnest(bid_prices, bid_quantities) with ordinality b(p, q, n)),
           case when epoch_id is not null then '|' end,
           (select string_agg(p || 'x' || q, ' ' order by n) from unnest(ask_prices, ask_quantities) with ordinality b(p, q, n)))
         from market.book_between($1, $2, $3, $4, $5, 'v1')`,
        symbol,
        at(from),
        at(to),
        depth,
        every,
      )
    ).flat()

  before(async () => {
    recording = await testRecording()
    const a = await recording.journal('a', 'a', '10:30:00')
    const b = await recording.journal('b', 'b', '10:30:00')
    const a1 = await recording.epoch('a1', { journal: a, from: '10:00:00', to: '10:00:40' })
    await recording.snapshot(a1, '10:00:00', 1, {
      bids: [
        ['10', '1'],
        ['9', '2'],
        ['8', '3'],
      ],
      asks: [['12', '4']],
    })
    await recording.message(a1, '10:00:05', 2, [['p', '8.5', '7']]) // below the best two
    await recording.message(a1, '10:00:10', 3, [
      ['c', '10', '0'],
      ['P', '11', '1'],
    ])
    await recording.message(a1, '10:00:10', 4, [['C', '11', '0']]) // in the same microsecond
    await recording.message(a1, '10:00:15', 5, [
      ['p', '9', '5'],
      ['p', '9', '2'],
    ]) // nothing new in the end
    await recording.message(a1, '10:00:20', 6, [
      ['C', '12', '0'],
      ['c', '7', '0'],
    ])
    await recording.message(a1, '10:00:40', 7, [['P', '13', '1']]) // the last instant that is known
    await recording.gap('a1', { journal: a, from: '10:00:40', to: '10:01:10' })
    const b1 = await recording.epoch('b1', { line: 'b', journal: b, from: '10:00:30', to: '10:01:00' })
    await recording.snapshot(b1, '10:00:30', 1, { bids: [['9', '2']], asks: [] }, { updateId: 60 })
    await recording.message(b1, '10:00:50', 2, [['p', '9', '3']], { updateId: 61 })
    await recording.gap('b1', { line: 'b', journal: b, from: '10:01:00' })
    const a2 = await recording.epoch('a2', { journal: a, from: '10:01:10', to: '10:20:00' })
    await recording.snapshot(a2, '10:01:10', 11, { bids: [], asks: [] })
    await recording.message(a2, '10:12:00', 12, [['p', '1', '1']])
    await recording.gap('a2', { journal: a, from: '10:20:00', cause: 'stopped' })
  })
  after(() => recording.close())

  const A1 = [
    '00:00.000000 1 10x1 9x2 | 12x4',
    '00:10.000000 3 9x2 8.5x7 | 11x1 12x4',
    '00:10.000000 4 9x2 8.5x7 | 12x4',
    '00:20.000000 6 9x2 8.5x7 |',
    '00:40.000000 7 9x2 8.5x7 | 13x1',
  ]
  const B1 = ['00:40.000000 60 9x2 |', '00:50.000000 61 9x3 |']

  for (const [what, from, to, depth, expected] of [
    [
      'a row for each message that changed the best two; a gap ends what is known, and the next book begins anew',
      '10:00:00',
      '10:30:00',
      2,
      [...A1, ...B1, '01:00.000001 unknown', '01:10.000000 11 |', '12:00.000000 12 1x1 |', '20:00.000001 unknown'],
    ],
    [
      'it begins with the book that stands',
      '10:00:12',
      '10:00:21',
      1,
      ['00:12.000000 4 9x2 | 12x4', '00:20.000000 6 9x2 |'],
    ],
    ['the end is not in it', '10:00:00', '10:00:10', 1, ['00:00.000000 1 10x1 | 12x4']],
    [
      'a microsecond more, and it is',
      '10:00:00',
      '10:00:10.000001',
      1,
      ['00:00.000000 1 10x1 | 12x4', '00:10.000000 3 9x2 | 11x1', '00:10.000000 4 9x2 | 12x4'],
    ],
    [
      'before the recording nothing is known',
      '09:59:00',
      '10:00:01',
      1,
      ['59:00.000000 unknown', '00:00.000000 1 10x1 | 12x4'],
    ],
    ['nor within a gap', '10:01:01', '10:01:02', 1, ['01:01.000000 unknown']],
    ['no time, no rows', '10:00:01', '10:00:01', 1, []],
  ] as const) {
    test(what, async () => assert.deepEqual(await books(from, to, depth), expected))
  }

  for (const [what, from, to, every, expected] of [
    [
      'a row at each moment, known or not',
      '09:59:50',
      '10:01:20',
      '10 seconds',
      [
        '59:50.000000 unknown',
        '00:00.000000 1 10x1 | 12x4',
        '00:10.000000 4 9x2 | 12x4',
        '00:20.000000 6 9x2 |',
        '00:30.000000 6 9x2 |',
        '00:40.000000 7 9x2 | 13x1',
        '00:50.000000 61 9x3 |',
        '01:00.000000 61 9x3 |',
        '01:10.000000 11 |',
      ],
    ],
    [
      'the end is not in it',
      '10:00:00',
      '10:00:10',
      '5 seconds',
      ['00:00.000000 1 10x1 | 12x4', '00:05.000000 2 10x1 | 12x4'],
    ],
    [
      'moments far apart',
      '09:59:40',
      '10:04:00',
      '1 minute',
      [
        '59:40.000000 unknown',
        '00:40.000000 7 9x2 | 13x1',
        '01:40.000000 11 |',
        '02:40.000000 11 |',
        '03:40.000000 11 |',
      ],
    ],
    [
      'through blocks without a change, up to where it is known',
      '10:11:40',
      '10:20:59',
      '40 seconds',
      [
        '11:40.000000 11 |',
        ...[
          '12:20',
          '13:00',
          '13:40',
          '14:20',
          '15:00',
          '15:40',
          '16:20',
          '17:00',
          '17:40',
          '18:20',
          '19:00',
          '19:40',
        ].map((time) => `${time}.000000 12 1x1 |`),
        '20:20.000000 unknown',
      ],
    ],
  ] as const) {
    test(`every ${every}: ${what}`, async () => assert.deepEqual(await books(from, to, 1, every), expected))
  }

  test('a day is 24 hours in any time zone', async () => {
    await recording.client.query(`set timezone = 'America/New_York'`)
    const moments = await recording.rows(
      `select to_char(book_time at time zone 'UTC', 'DD HH24') from market.book_between('btcusd', '2026-03-07 12:00Z', '2026-03-09 12:01Z', 1, '1 day')`,
    )
    await recording.client.query(`set timezone = 'UTC'`)
    assert.deepEqual(moments.flat(), ['07 12', '08 12', '09 12'])
  })

  describe('of random messages over 20 minutes', () => {
    let epoch: TestEpoch
    const times: string[] = []
    const clock = (second: number): string =>
      `10:${String(Math.floor(second / 60)).padStart(2, '0')}:${(second % 60).toFixed(3).padStart(6, '0')}`

    before(async () => {
      const journal = await recording.journal('random', 'a', '10:30:00')
      epoch = await recording.epoch('random', { symbol: 'rndusd', journal, from: '10:00:00', to: '10:20:00' })
      await recording.snapshot(epoch, '10:00:00', 1, {
        bids: Array.from({ length: 40 }, (_, i) => [String(100 - i), '1']),
        asks: Array.from({ length: 40 }, (_, i) => [String(101 + i), '1']),
      })
      // The same dice in each run, so that a failure can be looked at.
      let state = 12_345
      const below = (limit: number): number => {
        state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
        return Math.floor((state / 2_147_483_648) * limit)
      }
      let second = 0
      for (let seq = 2; seq < 400; seq++) {
        second += below(6_000) / 1000
        const changes = Array.from({ length: 1 + below(5) }, (): TestChange => {
          const isBid = below(2) === 0
          const away = below(12) * below(4)
          const price = isBid ? 100 - away : 101 + away
          return [isBid ? 'p' : 'P', String(price), below(3) === 0 ? String(1 + below(9)) : '0']
        })
        times.push(clock(second))
        await recording.message(epoch, clock(second), seq, changes)
      }
      assert.ok(second > 700 && second < 1_200) // several blocks, all within the epoch
    })

    for (const [every, depth] of [
      ['7 seconds', 3],
      ['3.25 seconds', 50],
      ['90 seconds', 5],
    ] as const) {
      test(`every ${every}, the best ${depth}: each is that of market.book_at`, async () => {
        const different = await recording.rows(
          `select b.book_time
           from market.book_between('rndusd', $1, $2, $3, $4) b
           cross join lateral (
             select array_agg(price order by level) filter (where side = 'bid') as bid_prices,
               array_agg(quantity order by level) filter (where side = 'bid') as bid_quantities,
               array_agg(price order by level) filter (where side = 'ask') as ask_prices,
               array_agg(quantity order by level) filter (where side = 'ask') as ask_quantities
             from market.book_at('rndusd', b.book_time, $3)
           ) t
           where (b.bid_prices, b.bid_quantities, b.ask_prices, b.ask_quantities) is distinct from
             (coalesce(t.bid_prices, '{}'), coalesce(t.bid_quantities, '{}'), coalesce(t.ask_prices, '{}'), coalesce(t.ask_quantities, '{}'))`,
          at('10:00:00.5'),
          at('10:20:00'),
          depth,
          every,
        )
        assert.deepEqual(different, [])
      })
    }

    test('without moments: each message that changed the best four, and no other, as market.book_at gives it', async () => {
      const told = await recording.rows(
        `select to_char(book_time, 'HH24:MI:SS.MS'), bid_prices, bid_quantities, ask_prices, ask_quantities
         from market.book_between('rndusd', $1, $2, 4)`,
        at('10:00:00'),
        at('10:20:00'),
      )
      const expected: (string | null)[][] = []
      for (const time of ['10:00:00.000', ...new Set(times)]) {
        const [book = []] = await recording.rows(
          `select coalesce(array_agg(price order by level) filter (where side = 'bid'), '{}'),
             coalesce(array_agg(quantity order by level) filter (where side = 'bid'), '{}'),
             coalesce(array_agg(price order by level) filter (where side = 'ask'), '{}'),
             coalesce(array_agg(quantity order by level) filter (where side = 'ask'), '{}')
           from market.book_at('rndusd', $1, 4)`,
          at(time),
        )
        if (book.join() !== expected.at(-1)?.slice(1).join()) expected.push([time, ...book])
      }
      assert.ok(expected.length > 200 && expected.length < times.length)
      assert.deepEqual(told, expected)
    })
  })

  test('where our clock was set back, order is that of the messages and no row is before the one ahead', async () => {
    const journal = await recording.journal('back', 'a', '10:30:00')
    const epoch = await recording.epoch('back', { symbol: 'backusd', journal, from: '10:00:00', to: '10:10:00' })
    await recording.snapshot(epoch, '10:00:00', 1, { bids: [['1', '1']], asks: [] })
    await recording.message(epoch, '10:00:30', 2, [['p', '2', '1']])
    await recording.message(epoch, '10:00:20', 3, [['c', '2', '0']])
    await recording.message(epoch, '10:00:40', 4, [['p', '3', '1']])
    assert.deepEqual(await books('10:00:00', '10:10:00', 1, null, 'backusd'), [
      '00:00.000000 1 1x1 |',
      '00:30.000000 2 2x1 |',
      '00:30.000000 3 1x1 |',
      '00:40.000000 4 3x1 |',
    ])
  })

  test('where the beginning of an epoch is no longer stored, it is known from its first whole book on', async () => {
    const journal = await recording.journal('old', 'a', '10:30:00')
    const epoch = await recording.epoch('old', { symbol: 'oldusd', journal, from: '10:00:00', to: '10:10:00' })
    await recording.snapshot(epoch, '10:02:00', 5, { bids: [['1', '1']], asks: [] }, { reason: 'interval' })
    await recording.message(epoch, '10:03:00', 6, [['p', '2', '1']])
    assert.deepEqual(await books('10:00:00', '10:10:00', 1, null, 'oldusd'), [
      '00:00.000000 unknown',
      '02:00.000000 5 1x1 |',
      '03:00.000000 6 2x1 |',
    ])
  })

  test('where a message could not be stored, nothing is known until the next whole book', async () => {
    const journal = await recording.journal('poison', 'a', '10:30:00')
    const epoch = await recording.epoch('poison', { symbol: 'poisonusd', journal, from: '10:00:00', to: '10:10:00' })
    await recording.snapshot(epoch, '10:00:00', 1, { bids: [['1', '1']], asks: [] })
    await recording.message(epoch, '10:01:00', 2, [['p', '2', '1']])
    const gap = await recording.gap('poison', {
      symbol: 'poisonusd',
      journal,
      from: '10:01:00',
      to: '10:03:00',
      cause: 'unstorable',
    })
    await recording.client.query('update booktape.gaps set epoch_id = $1, message_seq = 3 where gap_id = $2', [
      epoch.id,
      gap,
    ])
    await recording.message(epoch, '10:02:00', 4, [['p', '4', '1']])
    await recording.snapshot(epoch, '10:03:00', 4, { bids: [['5', '1']], asks: [] }, { reason: 'interval' })
    await recording.message(epoch, '10:04:00', 5, [['p', '6', '1']])
    assert.deepEqual(await books('10:00:00', '10:10:00', 1, null, 'poisonusd'), [
      '00:00.000000 1 1x1 |',
      '01:00.000000 2 2x1 |',
      '01:00.000001 unknown',
      '03:00.000000 4 5x1 |',
      '04:00.000000 5 6x1 |',
    ])
  })

  for (const [plan, setting] of [
    ['by the key', 'set enable_seqscan = off'],
    ['row by row', 'set enable_seqscan = on'],
  ] as const) {
    test(`of an epoch without updates the book is known from its beginning, not from its end: read ${plan}`, async () => {
      const symbol = `quiet${plan === 'by the key' ? 'a' : 'b'}usd`
      const journal = await recording.journal(symbol, 'a', '10:30:00')
      const epoch = await recording.epoch(symbol, { symbol, journal, from: '10:00:00', to: '10:10:00' })
      const book = { bids: [['1', '1']], asks: [] } as const
      await recording.snapshot(epoch, '10:10:00', 1, book, { reason: 'epoch_end' })
      await recording.snapshot(epoch, '10:00:00', 1, book)
      await recording.gap(symbol, { symbol, journal, from: '10:10:00', cause: 'stopped' })
      await recording.client.query(setting)
      assert.deepEqual(await books('09:59:00', '10:20:00', 1, null, symbol), [
        '59:00.000000 unknown',
        '00:00.000000 1 1x1 |',
        '10:00.000001 unknown',
      ])
      const changes = await recording.rows(
        `select to_char(received_time, 'MI:SS'), side, price, is_snapshot from market.changes_between($1, $2, $3)`,
        symbol,
        at('09:59:00'),
        at('10:20:00'),
      )
      assert.deepEqual(changes.map(String), ['00:00,bid,1,t'])
      await recording.client.query('reset enable_seqscan')
    })
  }
})
