import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bookDigest, bookFromLevels } from '@booktape/book'
import type { BookMessage, BookSnapshot, DecimalText, Feed, LevelChange } from '@booktape/market'
import { BookCheck } from './book-check.ts'

const bid = (price: string, quantity: string): LevelChange => ({
  side: 'bid',
  price: price as DecimalText,
  quantity: quantity as DecimalText,
  reason: null,
})
const STAMP = { epochId: 'e', symbol: 'btcusd', feed: 'ws', eventTimeNs: null, receivedTimeNs: 0n } as const

/** A message with the number of its last id; `first`: where it begins, the id before if not given. */
function message(seq: number, quantity: string, first = seq - 1): BookMessage {
  const ids = { firstUpdateId: BigInt(first), lastUpdateId: BigInt(seq) }
  return { kind: 'book_message', messageSeq: seq, changes: [bid('1', quantity)], ...ids, ...STAMP }
}

/** The whole book after a message: one level. */
function book(seq: number, quantity: string): BookSnapshot {
  const prices = ['1' as DecimalText]
  const quantities = [quantity as DecimalText]
  const sides = { bidPrices: prices, bidQuantities: quantities, askPrices: [], askQuantities: [] }
  const digest = bookDigest(bookFromLevels([bid('1', quantity)]))
  return {
    kind: 'book_snapshot',
    messageSeq: seq,
    updateId: BigInt(seq),
    reason: 'interval',
    digest,
    ...sides,
    ...STAMP,
  }
}

type Stored = BookMessage | BookSnapshot

for (const [what, stored, expected, options] of [
  ['a book that is as its messages make it', [book(1, '5'), message(2, '6'), message(3, '7'), book(3, '7')], []],
  [
    'a message that is missing',
    [book(1, '5'), message(3, '7'), book(3, '7')],
    [
      'message 3 begins at update id 2, where the one before it ends at 1: what lay between is missing, and no gap says so',
    ],
  ],
  ['a message that is known to be missing', [book(1, '5'), message(3, '7'), book(3, '8')], [], { holes: [[2, 2]] }],
  [
    'a message that is missing on v1, whose ids have holes',
    [book(1, '5'), message(4, '7'), book(5, '7')],
    ['it stood so after message 5, and the last message stored before it is 4'],
    { feed: 'v1' },
  ],
  [
    'a message that makes another book',
    [book(1, '5'), message(2, '6'), book(2, '7')],
    [
      'the messages since the whole book before it make another one: of what changed it, something is missing or not what was recorded',
    ],
  ],
  [
    'what comes right again with the next whole book',
    [book(1, '5'), message(2, '6'), book(2, '7'), message(3, '8'), book(3, '8')],
    1,
  ],
  [
    'a message that is there twice',
    [book(1, '5'), message(2, '6'), message(2, '6')],
    ['message 2 comes after message 2: one of them is there twice, or is none of this epoch'],
  ],
  [
    'messages before the first whole book',
    [message(2, '6'), message(3, '7'), book(3, '9'), message(4, '1'), book(4, '1')],
    [],
  ],
] as const satisfies readonly (readonly [
  string,
  readonly Stored[],
  readonly string[] | number,
  Readonly<{ feed?: Feed; holes?: readonly (readonly [number, number])[] }>?,
])[]) {
  test(`${what}: ${typeof expected === 'number' ? expected : expected.length} found`, () => {
    const { feed = 'ws', holes = [] } = (options ?? {}) as {
      feed?: Feed
      holes?: readonly (readonly [number, number])[]
    }
    const check = new BookCheck(
      feed,
      holes.map(([first, last]) => ({ firstSeq: BigInt(first), lastSeq: BigInt(last) })),
    )
    const found = (stored as readonly Stored[])
      .map((one) => (one.kind === 'book_message' ? check.message(one) : check.book(one)))
      .filter((problem) => problem !== null)
    if (typeof expected === 'number') assert.equal(found.length, expected)
    else assert.deepEqual(found, expected)
  })
}
