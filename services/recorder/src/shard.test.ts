import assert from 'node:assert/strict'
import { test } from 'node:test'
import { symbolsOfShard } from './shard.ts'

const SYMBOLS = [
  'btcusd',
  'ethusd',
  'solusd',
  'shibusd',
  'xrpusd',
  'dogeusd',
  'ltcusd',
  'bchusd',
  'gemi-pres2028-vance',
]
const MANY = Array.from({ length: 400 }, (_, i) => `s${i}usd`)
const split = (symbols: readonly string[], shards: number): string[][] =>
  Array.from({ length: shards }, (_, shard) => symbolsOfShard(symbols, shard, shards))

// Written out: another hash would move every symbol to another process, each with a new journal and a gap.
for (const [shards, expected] of [
  [1, [SYMBOLS]],
  [
    2,
    [
      ['ethusd', 'shibusd', 'dogeusd', 'gemi-pres2028-vance'],
      ['btcusd', 'solusd', 'xrpusd', 'ltcusd', 'bchusd'],
    ],
  ],
  [
    4,
    [['ethusd', 'shibusd', 'dogeusd'], ['solusd', 'xrpusd', 'ltcusd', 'bchusd'], ['gemi-pres2028-vance'], ['btcusd']],
  ],
] as const) {
  test(`${SYMBOLS.length} symbols on ${shards} shards are split as they always were`, () => {
    assert.deepEqual(split(SYMBOLS, shards), expected)
  })
}

for (const [symbols, shards] of [
  [MANY, 1],
  [MANY, 3],
  [MANY, 8],
  [SYMBOLS, 256],
] as const) {
  test(`each of ${symbols.length} symbols belongs to exactly one of ${shards} shards`, () => {
    assert.deepEqual(split(symbols, shards).flat().sort(), [...symbols].sort())
  })
}

test('a shard more takes symbols from the others and moves none between them', () => {
  for (let shards = 1; shards < 12; shards++) {
    const before = split(MANY, shards)
    const after = split(MANY, shards + 1)
    for (const [shard, symbols] of before.entries()) {
      const strangers = (after[shard] ?? []).filter((symbol) => !symbols.includes(symbol))
      assert.deepEqual(strangers, [], `shard ${shard} of ${shards + 1}`)
    }
    assert.notDeepEqual(after.at(-1), [])
  }
})

test('400 symbols on 8 shards: none is left out, none does the work of two', () => {
  assert.deepEqual(
    split(MANY, 8).map((symbols) => symbols.length),
    [51, 44, 56, 62, 50, 41, 51, 45],
  )
})

test('what the other symbols are does not matter, and their order stays', () => {
  assert.deepEqual(symbolsOfShard(['bchusd', 'btcusd'], 1, 2), ['bchusd', 'btcusd'])
  assert.deepEqual(symbolsOfShard(['btcusd'], 0, 2), [])
  assert.deepEqual(symbolsOfShard([], 0, 2), [])
})
