import assert from 'node:assert/strict'
import { test } from 'node:test'
import { faultsOf } from './book-ledger.ts'

const BOOK = { line: 'a', feed: 'ws', symbol: 'btcusd' }
const epoch = (id: string, first: string, last: string, reason = 'restart') => ({
  ...BOOK,
  id,
  first,
  last,
  ended: reason !== '',
  reason,
})
const gap = (id: string, from: string | null, to: string | null, cause = 'restart') => ({
  ...BOOK,
  id,
  from,
  to,
  cause,
  state: to === null ? 'open' : 'closed',
})

for (const [name, epochs, gaps, expected] of [
  ['one live epoch', [epoch('e1', '10', '25', '')], [], []],
  [
    'a gap between two epochs, and a stop',
    [epoch('e1', '10', '25'), epoch('e2', '40', '90')],
    [gap('g1', '25', '40'), gap('g2', '90', null, 'stopped')],
    [],
  ],
  ['two epochs that meet at one id', [epoch('e1', '10', '25'), epoch('e2', '25', '30', '')], [], []],
  ['a refusal before the first book', [epoch('e1', '10', '25', '')], [gap('g1', null, '10', 'connect')], []],
  [
    'a book found wrong, its gap beginning at the last good audit',
    [epoch('e1', '10', '25', 'divergence'), epoch('e2', '40', '90', '')],
    [gap('g1', '12', '40', 'divergence')],
    [],
  ],
  [
    'a hole of which nothing is said',
    [epoch('e1', '10', '25'), epoch('e2', '40', '90', '')],
    [],
    ['a: nothing is said of (25, 40], between the epochs e1 and e2'],
  ],
  [
    'a gap that ends too early',
    [epoch('e1', '10', '25'), epoch('e2', '40', '90', '')],
    [gap('g1', '25', '39')],
    [
      'a: nothing is said of (25, 40], between the epochs e1 and e2',
      'a: gap g1 (restart, closed) claims (25, 39], which no hole explains',
    ],
  ],
  [
    'a gap that claims stored ids',
    [epoch('e1', '10', '25'), epoch('e2', '25', '30', '')],
    [gap('g1', '12', '20')],
    ['a: gap g1 (restart, closed) claims (12, 20], which no hole explains'],
  ],
  [
    'ids that went back',
    [epoch('e1', '10', '25'), epoch('e2', '20', '30', '')],
    [],
    ['a: nothing is said of (25, 20], between the epochs e1 and e2'],
  ],
  ['an end without a gap', [epoch('e1', '10', '25')], [], ['a: epoch e1 has ended, and no open gap follows it']],
  [
    'an epoch left open',
    [epoch('e1', '10', '25', ''), epoch('e2', '40', '90', '')],
    [gap('g1', '25', '40')],
    ['a: epoch e1 has no end, and e2 follows it'],
  ],
] as const) {
  test(`the ledger of a book with ${name}`, () => assert.deepEqual(faultsOf('a', epochs, gaps), expected))
}
