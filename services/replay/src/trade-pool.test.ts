import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DecimalText } from '@booktape/market'
import { at, trade } from './tape.fixture.ts'
import { FORGET_AFTER_MS, TradePool } from './trade-pool.ts'

function poolOf(...trades: Parameters<TradePool['add']>[0][]): TradePool {
  const pool = new TradePool()
  for (const one of trades) pool.add(one)
  return pool
}

const taken = (pool: TradePool, filled: string, seconds = 1): bigint[] =>
  pool
    .takeOf(at(seconds), { makerSide: 'ask', price: '11' as DecimalText, filled: filled as DecimalText })
    .map(({ tradeId }) => tradeId)

for (const [what, quantities, filled, expected] of [
  ['the one of that quantity', ['1', '0.5', '2'], '0.5', [2n]],
  ['the first that add up to it', ['1', '0.5', '2'], '1.5', [1n, 2n]],
  ['the first, where none add up', ['1', '0.5', '2'], '9', [1n]],
  ['none where there is none', [], '1', []],
] as const) {
  test(`a fill takes ${what}`, () => {
    const pool = poolOf(...quantities.map((quantity, i) => trade(i + 1, 1, 'buy', '11', quantity)))
    assert.deepEqual(taken(pool, filled), expected)
  })
}

test('each trade is taken once, in the order of their ids', () => {
  const pool = poolOf(trade(2, 1, 'buy', '11', '1'), trade(1, 1, 'buy', '11', '1'))
  assert.deepEqual([taken(pool, '1'), taken(pool, '1'), taken(pool, '1')], [[1n], [2n], []])
})

test('another price, side or millisecond is another trade', () => {
  const pool = poolOf(trade(1, 1, 'buy', '12', '1'), trade(2, 1, 'sell', '11', '1'), trade(3, 1.001, 'buy', '11', '1'))
  assert.deepEqual(taken(pool, '1'), [])
})

test('what nobody took is taken by itself', () => {
  const pool = poolOf(trade(1, 1, 'buy', '11', '1'), trade(2, 1, 'auction', '11', '5'))
  assert.deepEqual(
    pool.takeWithoutTaker(at(1)).map(({ tradeId }) => tradeId),
    [2n],
  )
})

test('a trade that no message asked for is forgotten in the end', () => {
  const pool = poolOf(trade(1, 1, 'buy', '11', '1'), trade(2, 2, 'buy', '11', '1'))
  pool.forgetBefore(at(1.5 + Number(FORGET_AFTER_MS) / 1000))
  pool.add(trade(3, 20, 'buy', '11', '1'))
  assert.deepEqual([taken(pool, '1', 1), taken(pool, '1', 2)], [[], [2n]])
})
