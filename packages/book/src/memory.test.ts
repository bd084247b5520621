import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type DecimalText, readDecimal } from '@booktape/market'
import { applyChange, emptyBook, type OrderBook } from './order-book.ts'

const FRAMES = 200
/** 200 frames of 62,000 characters are 12.4 MB. */
const FRAME_CHARACTERS = 62_000

for (const [kind, first] of [
  ['numbers', '1'],
  ['texts', '123456789012345678'],
] as const) {
  test(`a side of ${kind} does not keep the frames its levels came in`, () => {
    setFlagsFromString('--expose-gc')
    const collectGarbage: unknown = runInNewContext('gc')
    assert.ok(isCallable(collectGarbage))
    const held = (): number => {
      collectGarbage()
      const { heapUsed, external } = process.memoryUsage()
      return heapUsed + external
    }
    const book = emptyBook()
    applyChange(book, 'bid', '1' as DecimalText, first as DecimalText)
    assert.equal(book.bids.kind, kind)
    takeOneLevelOf(book, 0)
    const before = held()
    for (let i = 1; i <= FRAMES; i++) takeOneLevelOf(book, i)
    const grown = held() - before
    assert.ok(grown < 4_000_000, `${FRAMES} levels hold ${grown} bytes`)
    assert.equal(book.bids.kind, kind)
  })
}

/** V8 keeps a slice of 13 characters or more as a window into the text that it was cut from. */
function takeOneLevelOf(book: OrderBook, i: number): void {
  const price = `83000.${String(i).padStart(7, '0')}1`
  const frame = Buffer.from(`${price}"16688.606280021"${'x'.repeat(FRAME_CHARACTERS)}`).toString()
  const at = readDecimal(frame.slice(0, price.length))
  const quantity = readDecimal(frame.slice(price.length + 1, price.length + 16))
  assert.ok(at !== null && quantity !== null)
  applyChange(book, 'bid', at, quantity)
}

function isCallable(value: unknown): value is () => void {
  return typeof value === 'function'
}
