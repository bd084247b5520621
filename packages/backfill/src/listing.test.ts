import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TradeHole, TradeRead } from '@booktape/store'
import type { RestTrade } from '@booktape/venue'
import { DAY, decimal, NOW, SECOND } from './backfill.fixture.ts'
import { Listing } from './listing.ts'
import { plan } from './plan.ts'

/** A page, newest first, of trades that were made a second apart; the second is their id. */
function page(fromId: number, toId: number): RestTrade[] {
  return Array.from({ length: toId - fromId + 1 }, (_, i) => ({
    tradeId: BigInt(toId - i),
    eventTimeNs: NOW - DAY + BigInt(toId - i) * SECOND,
    price: decimal('1'),
    quantity: decimal('1'),
    takerSide: 'buy' as const,
    broken: false,
  }))
}

function hole(
  gapId: string,
  anchorId: bigint | null,
  endId: bigint | null,
  changed: Partial<TradeHole> = {},
): TradeHole {
  const startedNs = NOW - DAY + (anchorId ?? 0n) * SECOND
  return {
    gapId,
    cause: 'disconnect',
    state: 'unfillable',
    startedNs,
    endedNs: startedNs + SECOND,
    anchorId,
    endId,
    ...changed,
  }
}

const read = (firstId: bigint, lastId: bigint): TradeRead => ({
  fromNs: NOW - DAY + firstId * SECOND,
  untilNs: NOW - DAY + lastId * SECOND,
  firstId,
  lastId,
})

const FULL = 500

for (const [name, pages, lost, filled] of [
  ['whose last trade before and one after it are on the page', [page(100, 200)], hole('h', 100n, 150n), true],
  ['that goes on behind a full page', [page(100, 99 + FULL)], hole('h', 100n, 700n), false],
  ['that ends on the second page', [page(100, 99 + FULL), page(600, 800)], hole('h', 100n, 700n), true],
  ['whose last trade before it is not there', [page(101, 200)], hole('h', 100n, 150n), false],
  ['behind which nothing is known, at the newest trade', [page(100, 200)], hole('h', 100n, null), true],
  ['behind which nothing is known, on a full page', [page(100, 99 + FULL)], hole('h', 100n, null), false],
  ['behind which a trade is known that REST does not have', [page(100, 200)], hole('h', 100n, 300n), false],
  ['before which REST has no trade at all', [[]], hole('h', 100n, 150n), false],
] as const) {
  test(`a hole ${name} is ${filled ? 'filled' : 'left'}`, () => {
    const listing = new Listing({ kind: 'hole', hole: lost }, [], NOW)
    assert.deepEqual(listing.cursor, { tradeId: 99n })
    const listed = pages.map((one) => listing.take(one, [lost]))
    assert.deepEqual(listed.at(-1)?.filled, filled ? [lost] : [])
  })
}

test('a listing takes every hole on its way with it, and not those it began in', () => {
  const [before, first, second] = [hole('before', 90n, 110n), hole('first', 100n, 150n), hole('second', 300n, 400n)]
  const listing = new Listing({ kind: 'hole', hole: first }, [], NOW)
  const { filled, next } = listing.take(page(100, 99 + FULL), [before, first, second])
  assert.deepEqual([filled, next], [[first, second], null])
})

test('what an earlier run has read is passed over, where REST still joins it', () => {
  const reads = [read(150n, 9_000n)]
  const lost = hole('h', 100n, 9_500n)
  const listing = new Listing({ kind: 'hole', hole: lost }, reads, NOW)
  assert.deepEqual(listing.take(page(100, 99 + FULL), [lost]).next, { tradeId: 8_999n })
  const end = listing.take(page(9_000, 9_600).slice(-FULL), [lost])
  assert.deepEqual([end.filled.length, end.read?.firstId, end.read?.lastId], [0, 100n, 9_499n])
  assert.deepEqual(listing.take(page(9_500, 9_600), [lost]).filled, [lost])
})

test('where REST does not join it any more, nothing before is proven', () => {
  const lost = hole('h', 100n, 9_500n)
  const listing = new Listing({ kind: 'hole', hole: lost }, [read(150n, 9_000n)], NOW)
  listing.take(page(100, 99 + FULL), [lost])
  const end = listing.take(page(9_001, 9_600).slice(0, 400), [lost])
  assert.deepEqual([end.filled, end.read?.firstId], [[], 9_201n])
})

test('a span goes on with the last trade of the one before, and claims nothing that was forgotten between', () => {
  const before = read(10n, 50n)
  const span = { fromNs: before.untilNs, untilNs: NOW }
  const between = hole('between', 60n, 90n)
  for (const [answer, firstId, filled] of [
    [page(50, 200), 10n, [between]],
    [page(80, 200), 80n, []], // 51 to 79 were forgotten
  ] as const) {
    const listing = new Listing({ kind: 'span', span }, [before], NOW)
    assert.deepEqual(listing.cursor, { tradeId: 49n })
    const listed = listing.take(answer, [between])
    assert.deepEqual([listed.read?.firstId, listed.filled], [firstId, filled])
    // At the newest trade some may be under way: the last minute is asked for again.
    assert.equal(listed.read?.untilNs, NOW - 60n * SECOND)
  }
})

test('trades of the last minute are not noted as read: one may be under way behind them', () => {
  const span = { fromNs: 0n, untilNs: NOW }
  const young = page(1, 100).map((trade) => ({ ...trade, eventTimeNs: NOW - (100n - trade.tradeId) * SECOND }))
  const { next, fresh, read: noted } = new Listing({ kind: 'span', span }, [], NOW).take(young, [])
  assert.deepEqual([next, fresh.length], [null, 100])
  assert.deepEqual(noted, { fromNs: 0n, untilNs: NOW - 60n * SECOND, firstId: 1n, lastId: 40n })
})

test('ids that began anew in a hole prove nothing', () => {
  const missing = (startedNs: bigint) => ({
    spans: [],
    holes: [hole('anew', 1_000n, 7n, { startedNs, endedNs: startedNs + SECOND })],
    reads: [],
  })
  assert.deepEqual(
    plan(missing(NOW - 8n * DAY), NOW).left.map(({ why }) => why),
    ['no_id'],
  )
  const { provable, goals } = plan(missing(NOW - DAY), NOW)
  assert.deepEqual([provable[0]?.anchorId, goals.length], [null, 1])
})
