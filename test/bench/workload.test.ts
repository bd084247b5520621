import assert from 'node:assert/strict'
import { test } from 'node:test'
import { digestOf, frameText, makeWorkload, snapshotText, TrueBook, trimmed } from './workload.ts'

const work = makeWorkload({ levelsPerSide: 500, frames: 3_000, seed: 7 })

test('the same seed makes the same workload, another seed another', () => {
  assert.deepEqual(makeWorkload({ levelsPerSide: 500, frames: 3_000, seed: 7 }), work)
  assert.notEqual(makeWorkload({ levelsPerSide: 500, frames: 3_000, seed: 8 }).digest, work.digest)
})

test('the frames lead from the opening book to the final one, and once more to the same', () => {
  const book = new TrueBook(work)
  for (const frame of work.frames) book.apply(frame)
  assert.equal(book.digest(), work.digest)
  assert.notEqual(book.digest(), digestOf(work.opening))
  for (const frame of work.frames) book.apply(frame)
  assert.equal(book.digest(), work.digest)
})

test('changes are of the kinds, sizes and ranks that the venue sends', () => {
  const prices = { bid: new Set<string>(), ask: new Set<string>() }
  for (const [price] of work.opening.bids) prices.bid.add(price)
  for (const [price] of work.opening.asks) prices.ask.add(price)
  const counts = { new: 0, removed: 0, absent: 0, set: 0 }
  const ranks: number[] = []
  for (const { changes } of work.frames) {
    for (const { side, price: text, quantity } of changes) {
      const price = trimmed(text)
      const isThere = prices[side].has(price)
      const isBetter = (other: string): boolean =>
        side === 'bid' ? Number(other) > Number(price) : Number(other) < Number(price)
      ranks.push([...prices[side]].filter(isBetter).length)
      if (trimmed(quantity) === '0') {
        counts[isThere ? 'removed' : 'absent']++
        prices[side].delete(price)
      } else {
        counts[isThere ? 'set' : 'new']++
        prices[side].add(price)
      }
    }
  }
  const share = (count: number): number => Math.round((count / work.changes) * 100)
  const perFrame = work.changes / work.frames.length
  ranks.sort((a, b) => a - b)
  const rank = (part: number): number => ranks[Math.floor(part * ranks.length)] ?? Number.NaN
  const isWithin = (figure: number, least: number, most: number, what: string): void =>
    assert.ok(figure >= least && figure <= most, `${what}: ${figure}`)
  isWithin(share(counts.new), 35, 43, 'new levels, %')
  isWithin(share(counts.removed + counts.absent), 37, 45, 'removals, %')
  isWithin(share(counts.set), 17, 23, 'new quantities, %')
  isWithin(counts.absent / (counts.removed + counts.absent), 0.02, 0.2, 'removals of unknown levels')
  isWithin(perFrame, 5.7, 7.7, 'changes a frame')
  isWithin(rank(0.5), 2, 5, 'rank, p50')
  isWithin(rank(0.9), 8, 18, 'rank, p90')
  isWithin(rank(0.99), 16, 45, 'rank, p99')
})

test('texts are spelt as the wire spells them', () => {
  assert.match(
    snapshotText(work),
    /^\{"e":"depthUpdate","E":\d{19},"s":"btcusd","U":100000000000,"u":100000000000,"b":\[\["\d{5}\.\d{5}","\d+\.\d{10}"\],/,
  )
  const [frame] = work.frames
  assert.ok(frame !== undefined)
  assert.match(frameText('btcusd', frame), /^\{"e":"depthUpdate",.*"u":1000000000\d\d,"b":\[.*\],"a":\[.*\]\}$/)
})
