import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { decodeWs } from './decode-ws.ts'

test('a quantity that is kept does not keep the frame it came from', () => {
  setFlagsFromString('--expose-gc')
  const collectGarbage: unknown = runInNewContext('gc')
  assert.ok(isCallable(collectGarbage))
  const kept: string[] = []
  const heapUsed = () => {
    collectGarbage()
    return process.memoryUsage().heapUsed
  }
  keepOneQuantityOf(kept, 0)
  const before = heapUsed()
  for (let i = 1; i <= 200; i++) keepOneQuantityOf(kept, i)
  const grown = heapUsed() - before
  assert.equal(kept[200], '16688.60628002001')
  // 200 frames of 62,000 characters are 12.4 MB.
  assert.ok(grown < 4_000_000, `200 quantities hold ${grown} bytes`)
})

function keepOneQuantityOf(kept: string[], i: number): void {
  const level = `["83000.12","16688.60628${String(i).padStart(5, '0')}1"]`
  const bids = `[${`${level},`.repeat(2_000)}${level}]`
  const text = Buffer.from(`{"e":"depthUpdate","E":1,"s":"btcusd","U":${i},"u":${i},"b":${bids},"a":[]}`).toString()
  const message = decodeWs(text)
  assert.ok(message.kind === 'depth')
  kept.push(message.update.changes[7]?.quantity ?? '')
}

function isCallable(value: unknown): value is () => void {
  return typeof value === 'function'
}
