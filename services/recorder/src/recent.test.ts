import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DecimalText, MarketRecord } from '@booktape/market'
import { RECENT_GAPS, RECENT_TRADES, Recent } from './recent.ts'

const at = (ms: number) => ({ wallNs: BigInt(ms) * 1_000_000n, monoNs: BigInt(ms) * 1_000_000n })
const decimal = (text: string): DecimalText => text as DecimalText

function recentAfter(...records: readonly MarketRecord[]): Recent {
  const recent = new Recent()
  for (const record of records) recent.observe({ kind: 'tick', at: at(1_000) }, { records: [record] })
  return recent
}

const trade = (
  id: number,
  ms: number,
  other: Partial<Extract<MarketRecord, { kind: 'trade' }>> = {},
): MarketRecord => ({
  kind: 'trade',
  symbol: 'btcusd',
  tradeId: BigInt(id),
  eventTimeNs: BigInt(ms) * 1_000_000n,
  receivedTimeNs: 0n,
  price: decimal('1'),
  quantity: decimal('1'),
  takerSide: 'buy',
  source: 'v1',
  broken: false,
  ...other,
})

const gap = (gapId: string): MarketRecord => ({
  kind: 'gap_opened',
  gapId,
  symbol: 'btcusd',
  feed: 'v1',
  stream: 'book',
  fromId: null,
  cause: 'disconnect',
  receivedTimeNs: 7n,
})

test('a trade that comes on both feeds and from REST stands once, newest first by the venue\u2019s time', () => {
  const recent = recentAfter(
    trade(2, 20),
    trade(3, 30),
    trade(2, 20, { source: 'ws' }),
    trade(1, 10, { source: 'rest' }),
  )
  assert.deepEqual(
    recent.trades('btcusd').map(({ tradeId, source }) => [tradeId, source]),
    [
      [3n, 'v1'],
      [2n, 'v1'],
      [1n, 'rest'],
    ],
  )
  assert.deepEqual(recent.trades('ethusd'), [])
})

test('a trade that the venue took back is marked, and old ones from REST do not push new ones out', () => {
  const many = Array.from({ length: RECENT_TRADES }, (_, i) => trade(100 + i, 100 + i))
  const recent = recentAfter(...many, trade(1, 1), trade(100, 100, { broken: true }))
  assert.equal(recent.trades('btcusd').length, RECENT_TRADES)
  assert.deepEqual(
    [recent.trades('btcusd')[0]?.tradeId, recent.trades('btcusd').at(-1)?.tradeId],
    [BigInt(99 + RECENT_TRADES), 100n],
  )
  assert.equal(recent.trades('btcusd').at(-1)?.broken, true)
})

test('a gap opens, closes and is settled; one that proved empty is gone', () => {
  const recent = recentAfter(
    gap('a'),
    gap('b'),
    { kind: 'gap_closed', gapId: 'a', toId: null, receivedTimeNs: 9n },
    { kind: 'gap_settled', gapId: 'a', state: 'filled', receivedTimeNs: 10n },
    { kind: 'gap_withdrawn', gapId: 'b', receivedTimeNs: 10n },
    { kind: 'gap_closed', gapId: 'of an earlier life', toId: null, receivedTimeNs: 9n },
  )
  assert.deepEqual(recent.gaps, [
    {
      gapId: 'a',
      symbol: 'btcusd',
      feed: 'v1',
      stream: 'book',
      cause: 'disconnect',
      fromNs: 7n,
      toNs: 9n,
      state: 'filled',
    },
  ])
  assert.equal(recent.gapsMovedNs, 1_000_000_000n)
})

test('lists are bounded', () => {
  const recent = recentAfter(...Array.from({ length: 3 * RECENT_GAPS }, (_, i) => gap(`${i}`)))
  assert.equal(recent.gaps.length, RECENT_GAPS)
  assert.equal(recent.gaps[0]?.gapId, `${3 * RECENT_GAPS - 1}`)
})

test('audits are counted, and those that differ are kept longer than the others', () => {
  const audit = (result: 'equal' | 'different'): MarketRecord => ({
    kind: 'audit',
    symbol: 'btcusd',
    feed: 'ws',
    method: 'depth',
    updateId: 1n,
    levelsCompared: 10,
    levelsDifferent: result === 'equal' ? 0 : 1,
    result,
    receivedTimeNs: 1n,
  })
  const recent = recentAfter(audit('different'), ...Array.from({ length: 20 }, () => audit('equal')))
  assert.deepEqual(recent.auditCounts, { equal: 20, different: 1 })
  assert.equal(recent.latestAudits.length, 12)
  assert.ok(recent.latestAudits.every(({ result }) => result === 'equal'))
  assert.deepEqual(
    recent.differentAudits.map(({ result }) => result),
    ['different'],
  )
  assert.equal(recent.audits('btcusd').length, 6)
})
