import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readDecimal } from '@booktape/market'
import { type AccountRows, noAccountRows } from '@booktape/store'
import { type AccountState, advance, NEW_STATE } from './advance.ts'
import type { QuoteAsk } from './config.ts'
import { type AccountEvent, readEntry, writeEntry } from './event.ts'

const totalSpend = readDecimal('100')
assert.ok(totalSpend !== null)
const ASK: QuoteAsk = { symbol: 'btcusd', side: 'buy', totalSpend }
const AT = { wallNs: 1_785_312_000_123_456_789n, monoNs: 5n }
const SENT = '1785312000023456789'
const OFFER =
  '{"quoteId":1328,"maxAgeMs":60000,"pair":"BTCUSD","price":"6445.07","priceCurrency":"USD","side":"buy","quantity":"0.01505181","quantityCurrency":"BTC","fee":"2.9900309233","feeCurrency":"USD","depositFee":"0","depositFeeCurrency":"USD","totalSpend":"100","totalSpendCurrency":"USD"}'

/** By way of the journal, as every event goes. */
function rowsOf(event: AccountEvent, state: AccountState = { keyFingerprint: 'f', streams: {} }): AccountRows {
  const read = readEntry({ ...writeEntry(event), position: 7 })
  assert.deepEqual(read, event)
  return advance(state, 7, event).rows
}

test('a quote is one row, with both its times and every field to the last digit', () => {
  const { instant_quotes: quotes, quarantine } = rowsOf({
    kind: 'quote_answered',
    at: AT,
    ask: ASK,
    sentNs: SENT,
    body: OFFER,
  })
  assert.deepEqual(quarantine, [])
  assert.deepEqual(quotes, [
    {
      position: 7,
      key_fingerprint: 'f',
      symbol: 'btcusd',
      side: 'buy',
      requested_time: '2026-07-29T08:00:00.023456Z',
      requested_time_ns: '1785312000023456789',
      received_time: '2026-07-29T08:00:00.123456Z',
      received_time_ns: '1785312000123456789',
      quote_id: '1328',
      max_age_ms: '60000',
      pair: 'BTCUSD',
      price: '6445.07',
      price_currency: 'USD',
      quantity: '0.01505181',
      quantity_currency: 'BTC',
      fee: '2.9900309233',
      fee_currency: 'USD',
      deposit_fee: '0',
      deposit_fee_currency: 'USD',
      total_spend: '100',
      total_spend_currency: 'USD',
    },
  ])
})

for (const [name, body, reason] of [
  ['a page of HTML', '<html>', /^MALFORMED_JSON: /],
  [
    'an offer for the other side',
    OFFER.replace('"buy"', '"sell"'),
    /^WRONG_TYPE: asked to buy btcusd, offered to sell BTCUSD$/,
  ],
  [
    'an offer for another symbol',
    OFFER.replace('BTCUSD', 'ETHUSD'),
    /^WRONG_TYPE: asked to buy btcusd, offered to buy ETHUSD$/,
  ],
] as const) {
  test(`${name} is kept in quarantine, and is no quote`, () => {
    const rows = rowsOf({ kind: 'quote_answered', at: AT, ask: ASK, sentNs: SENT, body })
    assert.deepEqual(rows.instant_quotes, [])
    const [row] = rows.quarantine
    assert.match(String(row?.reason), reason)
    assert.equal(row?.payload, `\\x${Buffer.from(body).toString('hex')}`)
  })
}

test('of a long answer the first 4 KiB are kept', () => {
  const rows = rowsOf({ kind: 'quote_answered', at: AT, ask: ASK, sentNs: SENT, body: 'x'.repeat(10_000) })
  assert.equal(String(rows.quarantine[0]?.payload).length, 2 + 2 * 4_096)
})

test('a refusal is a row with its reason and our sentence', () => {
  const refusal = { status: 403, reason: 'MissingRole', explanation: 'it needs the role Trader' }
  const [row] = rowsOf({ kind: 'quote_refused', at: AT, ask: ASK, sentNs: SENT, ...refusal }).quote_failures
  assert.deepEqual(
    [row?.status, row?.reason, row?.explanation, row?.total_spend],
    [403, 'MissingRole', 'it needs the role Trader', '100'],
  )
})

test('a start says whose key it is from then on', () => {
  const state = structuredClone(NEW_STATE)
  rowsOf({ kind: 'started', at: AT, keyFingerprint: '0123456789abcdef', urls: {} }, state)
  assert.deepEqual(state, { keyFingerprint: '0123456789abcdef', streams: {} })
  assert.deepEqual(rowsOf({ kind: 'stopped', at: AT }, state), noAccountRows())
})

test('pages of the past are rows of feed rest, one that cannot be read is kept in quarantine', () => {
  const order =
    '{"order_id":"17","symbol":"btcusd","price":"2","side":"buy","type":"exchange limit","timestampms":1785312000123,"is_live":false,"is_cancelled":true,"executed_amount":"0.5","original_amount":"2","remaining_amount":"1.5"}'
  const { order_events: orders } = rowsOf({ kind: 'history_page', at: AT, list: 'orders', body: `[${order}]` })
  assert.deepEqual(
    orders.map((row) => [row.feed, row.event_type, row.order_id, row.executed_quantity, row.event_index]),
    [['rest', 'cancelled', '17', '0.5', 0]],
  )
  const trade =
    '{"price":"2","amount":"0.5","timestampms":1785312000123,"type":"Buy","aggressor":true,"fee_currency":"USD","fee_amount":"0.01","tid":9,"order_id":"17","symbol":"BTCUSD"}'
  const [fill] = rowsOf({ kind: 'history_page', at: AT, list: 'fills', body: `[${trade}]` }).fills
  assert.deepEqual(
    [fill?.source, fill?.trade_id, fill?.quantity, fill?.liquidity, fill?.fee_currency],
    ['rest', '9', '0.5', 'taker', 'USD'],
  )
  const { quarantine } = rowsOf({ kind: 'history_page', at: AT, list: 'fills', body: '{}' })
  assert.equal(quarantine[0]?.source, 'past_fills')
  const gaps = [{ journalId: 'j', position: '3', feed: 'v1' }] as const
  assert.deepEqual(rowsOf({ kind: 'history_read', at: AT, gaps }).gap_fills, [
    { gap_journal_id: 'j', position: '3', feed: 'v1' },
  ])
})

test('an entry of a later version is passed over', () => {
  const entry = { ...writeEntry({ kind: 'stopped', at: AT }), kind: 250, position: 7 }
  assert.equal(readEntry(entry), null)
})
