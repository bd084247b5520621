import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { answerQuotes } from './answer-quotes.ts'
import { type Database, openDatabase } from './database.ts'
import { type TestRecording, testRecording } from './recording.fixture.ts'

// One ask of 1 at 100 and one of 3 at 104, one bid of 2 at 96, from 10:00:00 on; at 10:00:10 the best ask is gone.

const ANSWERS = `select book_state, premium_bps, premium_with_fee_bps, book_filled_quantity, book_average_price, book_worst_price,
  book_levels, book_feed, book_update_id, book_reason from market.instant_quotes order by quote_id`

describe('what the recorded book says to an instant quote', () => {
  let recording: TestRecording
  let database: Database
  let nextId = 1

  before(async () => {
    recording = await testRecording()
    database = openDatabase(recording.url, { applicationName: 'booktape test', max: 2 })
    const journal = await recording.journal('a', 'a', '10:00:20')
    const epoch = await recording.epoch('one', { journal, from: '10:00:00' })
    const book = {
      bids: [['96', '2']],
      asks: [
        ['100', '1'],
        ['104', '3'],
      ],
    } as const
    await recording.snapshot(epoch, '10:00:00', 1, book, { updateId: 7 })
    await recording.message(epoch, '10:00:10', 2, [['T', '100', '0']], { updateId: 9 })
  })
  after(async () => {
    await database.close()
    await recording.close()
  })
  beforeEach(async () => {
    await recording.client.query('delete from account.instant_quotes')
  })

  async function quote(of: {
    at: string
    side?: string
    price?: string
    quantity?: string
    fee?: string
    symbol?: string
  }) {
    const { at, side = 'buy', price = '105', quantity = '1', fee = '1', symbol = 'btcusd' } = of
    await recording.client.query(
      `insert into account.instant_quotes (journal_id, position, key_fingerprint, symbol, side, requested_time, requested_time_ns,
         received_time, received_time_ns, quote_id, max_age_ms, pair, price, price_currency, quantity, quantity_currency, fee,
         fee_currency, deposit_fee, deposit_fee_currency, total_spend, total_spend_currency)
       select gen_random_uuid(), 1, 'f', $1, $2, t, booktape.nanoseconds(t), t, booktape.nanoseconds(t), $3, 60000, 'BTCUSD', $4, 'USD', $5,
         'BTC', $6, 'USD', 0, 'USD', 1, 'USD'
       from (select ('2026-03-01 ' || $7 || '+00')::timestamptz as t) x`,
      [symbol, side, nextId++, price, quantity, fee, at],
    )
  }

  // The first of all: a function that has answered before would hide that it cannot begin so.
  test('a symbol that nobody records has no answer, and the reason is stored', async () => {
    await quote({ at: '10:00:05', symbol: 'ethusd' })
    assert.equal(await answerQuotes(database), 1)
    const [row] = await recording.rows(ANSWERS)
    assert.equal(row?.[0], 'not_known')
    assert.match(row?.[9] ?? '', /the book of ethusd on any feed is not known at .*: it was never recorded/)
    assert.equal(await answerQuotes(database), 0)
  })

  for (const [name, of, expected] of [
    [
      'a buy pays more than the best ask',
      { at: '10:00:05' },
      ['known', '500.00000000', '600.00000000', '1', '100', '100', '1', 'v1', '7', null],
    ],
    [
      'one that walks down two levels is compared with their average',
      { at: '10:00:05', price: '103', quantity: '2', fee: '0' },
      ['known', '98.03921569', '98.03921569', '2', '102', '104', '2', 'v1', '7', null],
    ],
    [
      'later the best ask is another',
      { at: '10:00:10', price: '104' },
      ['known', '0.00000000', '96.15384615', '1', '104', '104', '1', 'v1', '9', null],
    ],
    [
      'a sell gets less than the best bid, and the fee is taken from it',
      { at: '10:00:05', side: 'sell', price: '95.5', quantity: '2', fee: '1' },
      ['known', '52.08333333', '104.16666667', '2', '96', '96', '1', 'v1', '7', null],
    ],
    [
      'a quote better than the book has a premium below zero',
      { at: '10:00:05', price: '99' },
      ['known', '-100.00000000', '0.00000000', '1', '100', '100', '1', 'v1', '7', null],
    ],
    [
      'a book that does not hold the quantity has no price for it',
      { at: '10:00:05', quantity: '5' },
      ['known', null, null, '4', '103', '104', '2', 'v1', '7', null],
    ],
  ] as const) {
    test(name, async () => {
      await quote(of)
      assert.equal(await answerQuotes(database), 1)
      assert.deepEqual(await recording.rows(ANSWERS), [expected])
    })
  }

  test('a quote of a second that is not stored yet waits, and so does one whose recorder may be catching up', async () => {
    await quote({ at: '10:00:25' })
    await recording.client.query(`update account.instant_quotes
      set received_time = now(), received_time_ns = booktape.nanoseconds(now())`)
    await recording.client.query(`update booktape.journals set recorded_until = now() - interval '5 seconds'`)
    assert.equal(await answerQuotes(database), 0)
    await recording.client.query(`update booktape.journals set recorded_until = now() - interval '10 minutes'`)
    assert.equal(await answerQuotes(database), 0)
    await recording.client.query(`update booktape.journals set recorded_until = now() + interval '1 second'`)
    assert.equal(await answerQuotes(database), 1)
    assert.equal((await recording.rows(ANSWERS))[0]?.[0], 'known')
  })
})
