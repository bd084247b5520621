import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deserialize, serialize } from 'node:v8'
import { type DecimalText, type LevelChange, readDecimal, type Side, ZERO } from '@booktape/market'
import fc from 'fast-check'
import { depth } from './depth.ts'
import { bookDigest } from './digest.ts'
import {
  applyChange,
  bookFromLevels,
  emptyBook,
  isCrossed,
  type OrderBook,
  quantityAt,
  topOfBook,
} from './order-book.ts'
import { setText, type TextSide } from './text-side.ts'

const RANDOM_CHANGES = 1_000_000

test('levels stand best first on both sides, whatever the order they came in', () => {
  const book = bookOf('bid 9.5 1', 'bid 10 2', 'bid 100 3', 'ask 1000 1', 'ask 101 2', 'ask 100.5 3')
  assert.deepEqual(depth(book, 'bid').prices, ['100', '10', '9.5'])
  assert.deepEqual(depth(book, 'ask').prices, ['100.5', '101', '1000'])
  assert.deepEqual(topOfBook(book), { bidPrice: '100', bidQuantity: '3', askPrice: '100.5', askQuantity: '3' })
})

for (const [change, expected, best] of [
  ['bid 100 4', 'set', '100'],
  ['bid 100 3', 'unchanged', '100'],
  ['bid 100 0', 'removed', '10'],
  ['bid 99 0', 'absent', '100'],
  ['bid 100.000000000000000001 1', 'set', '100.000000000000000001'],
  ['bid 0.01 3466319.48159623', 'set', '100'],
] as const) {
  test(`"${change}" is ${expected}, and then the best bid is ${best}`, () => {
    const book = bookOf('bid 9.5 1', 'bid 10 2', 'bid 100 3')
    const { side, price, quantity } = level(change)
    assert.equal(applyChange(book, side, price, quantity), expected)
    assert.equal(topOfBook(book).bidPrice, best)
    assert.equal(quantityAt(book, side, price), quantity === '0' ? undefined : quantity)
  })
}

test('a snapshot that names a price twice keeps the last quantity, and a zero leaves no level', () => {
  const book = bookOf('bid 10 1', 'bid 10 2', 'ask 11 1', 'ask 12 0')
  assert.deepEqual(depth(book, 'bid'), { prices: ['10'], quantities: ['2'] })
  assert.deepEqual(depth(book, 'ask'), { prices: ['11'], quantities: ['1'] })
})

for (const [levels, expected] of [
  [['bid 10 1', 'ask 10.01 1'], false],
  [['bid 10 1', 'ask 10 1'], true],
  [['bid 10.01 1', 'ask 10 1'], true],
  [['bid 10 1'], false],
  [[], false],
] as const) {
  test(`a book of [${levels.join(', ')}] is ${expected ? '' : 'not '}crossed`, () => {
    assert.equal(isCrossed(bookOf(...levels)), expected)
  })
}

test('a digest names levels and quantities, not the way they came', () => {
  const straight = bookOf('bid 10 1', 'bid 9 2', 'ask 11 1')
  const detour = bookOf('ask 11 5', 'bid 9 2')
  applyChange(detour, 'bid', '10' as DecimalText, '1' as DecimalText)
  applyChange(detour, 'ask', '11' as DecimalText, '1' as DecimalText)
  assert.equal(bookDigest(detour), bookDigest(straight))
  // sha256 of "bid 10 1\nbid 9 2\nask 11 1\n"
  assert.equal(bookDigest(straight), 'e713047e12033d0bcff9ded8b84be6464b8ee59a2036d6b6736be776547a1866')
  applyChange(detour, 'bid', '9' as DecimalText, '2.0000001' as DecimalText)
  assert.notEqual(bookDigest(detour), bookDigest(straight))
})

test(`over ${RANDOM_CHANGES} random changes the book equals a naive map, sorted on every look`, () => {
  const random = seededRandom(20261121)
  const book = emptyBook()
  const naive = { bid: new Map<string, string>(), ask: new Map<string, string>() }
  for (let i = 0; i < RANDOM_CHANGES; i++) {
    const side: Side = random() < 0.5 ? 'bid' : 'ask'
    const price = randomPrice(random)
    const quantity = random() < 0.45 ? '0' : randomQuantity(random)
    applyChange(book, side, price, quantity as DecimalText)
    if (quantity === '0') naive[side].delete(price)
    else naive[side].set(price, quantity)
    if (i % 4_999 === 0) assertSame(book, naive)
  }
  assertSame(book, naive)
})

test('over any changes a side of numbers, a side of texts, and one that had to change over hold the same', () => {
  const decimal = fc
    .tuple(
      fc.bigInt({ min: 0n, max: 10n ** 18n - 1n }),
      fc.integer({ min: 0, max: 18 }),
      fc.integer({ min: 1, max: 18 }),
    )
    .map(([digits, scale, kept]) => decimalOf(digits % 10n ** BigInt(kept), scale))
  const price = fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 1, max: 60 }).map((n) => decimalOf(BigInt(n), 1)) },
    decimal,
  )
  const change = fc.record({ price, quantity: fc.oneof(fc.constant(ZERO), decimal) })
  fc.assert(
    fc.property(
      fc.constantFrom('bid' as const, 'ask' as const),
      fc.array(change, { maxLength: 60 }),
      (side, changes) => {
        const book = emptyBook()
        const texts: TextSide = { kind: 'texts', prices: [], quantities: [] }
        for (const { price: at, quantity } of changes) {
          if (at === ZERO) continue
          const applied = applyChange(book, side, at, quantity)
          assert.equal(applied, setText(texts, side === 'bid' ? 1 : -1, at, quantity))
          assert.equal(quantityAt(book, side, at), quantity === ZERO ? undefined : quantity)
        }
        assert.deepEqual(depth(book, side), {
          prices: texts.prices.toReversed(),
          quantities: texts.quantities.toReversed(),
        })
        const again = deserialize(serialize(book)) as OrderBook
        assert.equal(bookDigest(again), bookDigest(book))
        const levels = depth(book, side)
        const rebuilt = bookFromLevels(
          levels.prices.map((at, i) => ({ side, price: at, quantity: levels.quantities[i] ?? ZERO, reason: null })),
        )
        assert.equal(bookDigest(rebuilt), bookDigest(book))
      },
    ),
    { numRuns: 2_000 },
  )
})

for (const [values, kind] of [
  [['83948.7 0.00000001', '83948.71 1'], 'numbers'],
  [['0.000000000000001 9007199254740991'], 'numbers'],
  [['0.000000000000001 1', '9.007199254740991 1'], 'numbers'],
  [['0.000000000000001 1', '9.007199254740992 1'], 'texts'],
  [['1 9007199254740992'], 'texts'],
  [['0.0000000000000001 1'], 'texts'],
  [['1 3466319.48159623', '2 0.0000000001'], 'texts'], // ten digits after the point, and seventeen in all
] as const) {
  test(`a side of ${values.join(' and ')} is held as ${kind}`, () => {
    const book = bookOf(...values.map((value) => `bid ${value}`))
    assert.equal(book.bids.kind, kind)
    const { prices, quantities } = depth(book, 'bid')
    assert.deepEqual(prices.map((price, i) => `${price} ${quantities[i]}`).sort(), [...values].sort())
  })
}

function decimalOf(digits: bigint, scale: number): DecimalText {
  const padded = digits.toString().padStart(scale + 1, '0')
  return must(scale === 0 ? padded : `${padded.slice(0, -scale)}.${padded.slice(-scale)}`)
}

function assertSame(book: OrderBook, naive: Record<Side, Map<string, string>>): void {
  for (const side of ['bid', 'ask'] as const) {
    // The model's order is by scaled integers, not by the texts that the book compares.
    const sorted = [...naive[side]].sort((a, b) => {
      const order = scaled(a[0]) < scaled(b[0]) ? -1 : 1
      return side === 'bid' ? -order : order
    })
    const { prices, quantities } = depth(book, side)
    assert.deepEqual(
      prices,
      sorted.map(([price]) => price),
    )
    assert.deepEqual(
      quantities,
      sorted.map(([, quantity]) => quantity),
    )
  }
}

const scaled = (text: string): bigint => {
  const [integer = '0', fraction = ''] = text.split('.')
  return BigInt(integer + fraction.padEnd(18, '0'))
}

// Three kinds of price meet in real books: near the touch, far away, and jokes of very many or very few digits.
function randomPrice(random: () => number): DecimalText {
  const kind = random()
  const cents = kind < 0.8 ? 8_300_000 + Math.floor(random() * 400) : 1 + Math.floor(random() * 1_500)
  const text =
    kind < 0.97
      ? `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, '0')}`
      : `9${'0'.repeat(Math.floor(random() * 13))}.${1 + Math.floor(random() * 9)}`
  return must(text)
}

const randomQuantity = (random: () => number): string =>
  must(`${Math.floor(random() * 50)}.${1 + Math.floor(random() * 99_999_999)}`)

function bookOf(...levels: readonly string[]): OrderBook {
  return bookFromLevels(levels.map(level))
}

function level(text: string): LevelChange {
  const [side, price, quantity] = text.split(' ') as [Side, string, string]
  return { side, price: must(price), quantity: must(quantity), reason: null }
}

function must(text: string): DecimalText {
  const value = readDecimal(text)
  assert.ok(value !== null, text)
  return value
}

/** mulberry32: enough for tests, the same on every machine. */
function seededRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}
