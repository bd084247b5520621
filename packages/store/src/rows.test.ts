import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deriveId, type MarketRecord } from '@booktape/market'
import { MAX_PAYLOAD_BYTES, MAX_REASON_LENGTH, MAX_URL_LENGTH, rowsOf } from './rows.ts'
import { STORED_COLUMNS } from './stored-columns.ts'
import { AT, bookMessage, decimal, EPOCH, origin, SESSION, trade } from './writer.fixture.ts'

const rowsFrom = (...records: MarketRecord[]) => rowsOf(records, origin('first'))

/** The columns of the book messages, as a statement would take them. */
function messagesFrom(...records: MarketRecord[]): Record<string, readonly string[]> {
  const [block] = [...rowsFrom(...records).book_messages.blocks()]
  const names = Object.keys(STORED_COLUMNS.book_messages)
  return Object.fromEntries(names.map((name, i) => [name, block?.columns[i] ?? []]))
}

for (const [side, reason, mark] of [
  ['bid', 'place', 'p'],
  ['ask', 'place', 'P'],
  ['bid', 'trade', 't'],
  ['ask', 'trade', 'T'],
  ['bid', 'cancel', 'c'],
  ['ask', 'cancel', 'C'],
  ['bid', 'top-of-book', 'b'],
  ['ask', 'top-of-book', 'B'],
  ['bid', 'initial', 'i'],
  ['ask', 'initial', 'I'],
  ['bid', null, 'u'],
  ['ask', null, 'U'],
] as const) {
  test(`a change of the ${side} side with reason ${reason} has the mark ${mark}`, () => {
    const changes = [{ side, price: decimal('1'), quantity: decimal('2'), reason }]
    assert.deepEqual(messagesFrom(bookMessage(1, { changes }))['marks'], [`"${mark}"`])
  })
}

test('the changes of a message keep the order of the venue', () => {
  const { marks, prices, quantities } = messagesFrom(
    bookMessage(1, {
      changes: [
        { side: 'ask', price: decimal('3'), quantity: decimal('0'), reason: 'cancel' },
        { side: 'bid', price: decimal('1'), quantity: decimal('0.5'), reason: 'place' },
        { side: 'ask', price: decimal('2'), quantity: decimal('7'), reason: 'trade' },
      ],
    }),
  )
  assert.deepEqual([marks, prices, quantities], [['"CpT"'], ['"{3,1,2}"'], ['"{0,0.5,7}"']])
})

test('a message without changes has empty arrays', () => {
  const { marks, prices, quantities } = messagesFrom(bookMessage(1, { changes: [] }))
  assert.deepEqual([marks, prices, quantities], [['""'], ['"{}"'], ['"{}"']])
})

test('trades stand in the order of symbol and id, whatever order they came in', () => {
  const { symbol, trade_id } = rowsFrom(
    trade(10n),
    trade(9n, { symbol: 'ethusd' }),
    trade(2n),
    trade(9_007_199_254_740_993n),
    trade(9_007_199_254_740_992n),
  ).trades
  assert.deepEqual(
    symbol.map((name, i) => `${name} ${trade_id[i]}`),
    ['"btcusd" 2', '"btcusd" 10', '"btcusd" 9007199254740992', '"btcusd" 9007199254740993', '"ethusd" 9'],
  )
})

test('of two ends of one thing the first counts, as it would in two batches', () => {
  const gapId = deriveId('gap')
  const rows = rowsFrom(
    { kind: 'session_closed', sessionId: SESSION, code: 1000, reason: 'first', receivedTimeNs: AT },
    { kind: 'epoch_ended', epochId: EPOCH, lastUpdateId: 7n, reason: 'first', receivedTimeNs: AT },
    { kind: 'gap_closed', gapId, toId: 7n, receivedTimeNs: AT },
    { kind: 'session_closed', sessionId: SESSION, code: 1006, reason: 'second', receivedTimeNs: AT },
    { kind: 'epoch_ended', epochId: EPOCH, lastUpdateId: 8n, reason: 'second', receivedTimeNs: AT },
    { kind: 'gap_closed', gapId, toId: 8n, receivedTimeNs: AT },
  )
  assert.deepEqual(rows.closed_sessions.close_code, ['1000'])
  assert.deepEqual(rows.ended_epochs.last_update_id, ['7'])
  assert.deepEqual(rows.closed_gaps.to_id, ['7'])
})

test('texts of strangers are cleaned and cut to their limits', () => {
  const rows = rowsFrom(
    { kind: 'session_opened', sessionId: SESSION, feed: 'v1', url: `\0${'u'.repeat(3_000)}`, receivedTimeNs: AT },
    { kind: 'session_closed', sessionId: SESSION, code: 1006, reason: '\uD800'.repeat(3_000), receivedTimeNs: AT },
    {
      kind: 'quarantine',
      sessionId: SESSION,
      messageSeq: 1,
      feed: 'v1',
      symbol: null,
      reason: 'r'.repeat(3_000),
      payload: new Uint8Array(5_000),
      receivedTimeNs: AT,
    },
  )
  assert.deepEqual(rows.sessions.url, [`"\uFFFD${'u'.repeat(MAX_URL_LENGTH - 1)}"`])
  assert.deepEqual(rows.closed_sessions.close_reason, [`"${'\uFFFD'.repeat(MAX_REASON_LENGTH)}"`])
  assert.deepEqual(rows.quarantine.reason, [`"${'r'.repeat(MAX_REASON_LENGTH)}"`])
  assert.deepEqual(rows.quarantine.payload, ['00'.repeat(MAX_PAYLOAD_BYTES)])
})
