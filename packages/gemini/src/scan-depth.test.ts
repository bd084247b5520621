import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodeFrame } from './decode-ws.ts'
import { bytesOf } from './frames.fixture.ts'
import { scanDepth } from './scan-depth.ts'

const frame =
  '{"e":"depthUpdate","E":1790732602268549219,"s":"btcusd","U":100,"u":104,"b":[["5.00","1.50"],["6","0.0"]],"a":[["16688.60628922300","2"]]}'

for (const [name, text] of [
  ['levels on both sides', frame],
  ['no bids', frame.replace('[["5.00","1.50"],["6","0.0"]]', '[]')],
  ['no levels', '{"e":"depthUpdate","E":0,"s":"BTCUSD","U":104,"u":104,"b":[],"a":[]}'],
  ['a prediction market', frame.replace('btcusd', 'gemi-pres2028-vance')],
  ['the largest id', frame.replace('"u":104', '"u":9223372036854775807')],
] as const) {
  test(`scans a frame with ${name}, and gives what the general reader gives`, () => {
    const scanned = scanDepth(bytesOf(text))
    assert.notEqual(scanned, null)
    assert.deepEqual(scanned, decodeFrame(text))
  })
}

for (const [name, text] of [
  ['another order of keys', '{"E":1,"e":"depthUpdate","s":"btcusd","U":1,"u":2,"b":[],"a":[]}'],
  ['white space', frame.replace(',"U"', ', "U"')],
  ['one field more', frame.replace(/}$/, ',"x":1}')],
  ['something behind the end', `${frame}x`],
  ['a piece cut off', frame.slice(0, -1)],
  ['a leading zero in an id', frame.replace('"U":100', '"U":0100')],
  ['an empty id', frame.replace('"U":100', '"U":')],
  ['a negative id', frame.replace('"U":100', '"U":-10')],
  ['an id beyond 64 bits', frame.replace('"u":104', '"u":9223372036854775808')],
  ['an id of 400 digits', frame.replace('104', '1'.repeat(400))],
  ['a range that runs backward', frame.replace('104', '99')],
  ['an escape in a price', frame.replace('5.00', '\\u0035')],
  ['a price of zero', frame.replace('5.00', '0.00')],
  ['an exponent', frame.replace('5.00', '5e0')],
  ['a level of three', frame.replace('"1.50"]', '"1.50","1"]')],
  ['a comma too many', frame.replace('"0.0"]', '"0.0"],')],
  ['a comma between no levels', frame.replace('["5.00","1.50"],["6","0.0"]', ',')],
  ['a symbol that is none', frame.replace('btcusd', 'btc/usd')],
  ['the asks in front of the bids', frame.replace('"b":', '"c":').replace('"a":', '"b":')],
  ['a letter of two bytes', frame.replace('btcusd', 'btcüsd')],
  ['a mark of byte order in front', `\ufeff${frame}`],
  ['no JSON', 'depthUpdate'],
  ['nothing', ''],
] as const) {
  test(`leaves a frame with ${name} to the general reader`, () => assert.equal(scanDepth(bytesOf(text)), null))
}

test('of 100,000 depth frames with characters changed, what it scans is what the general reader gives', () => {
  const letters = fc.constantFrom(...'0123456789.,"[]{}:eaubsUE-\\ '.split(''))
  const change = fc.record({ at: fc.nat(frame.length), letter: letters, cut: fc.nat(1) })
  let scanned = 0
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 2 }), (edits) => {
      let text = frame
      for (const { at, letter, cut } of edits) text = text.slice(0, at) + letter + text.slice(at + cut)
      const depth = scanDepth(bytesOf(text))
      if (depth === null) return
      scanned++
      assert.deepEqual(depth, decodeFrame(text))
    }),
    { numRuns: 100_000, seed: 20_260_930 },
  )
  assert.ok(scanned > 1_000, `only ${scanned} frames were scanned`)
})

test('of 100,000 depth frames with bytes changed, what it scans is what the general reader gives', () => {
  const bytes = bytesOf(frame)
  const levelsAt = frame.indexOf('"b":')
  const change = fc.record({ at: fc.integer({ min: levelsAt, max: bytes.length - 1 }), to: fc.nat(255) })
  let scanned = 0
  fc.assert(
    fc.property(change, ({ at, to }) => {
      const changed = bytes.slice()
      changed[at] = to
      const depth = scanDepth(changed)
      if (depth === null) return
      scanned++
      assert.deepEqual(depth, decodeFrame(new TextDecoder().decode(changed)))
    }),
    { numRuns: 100_000, seed: 20_261_121 },
  )
  assert.ok(scanned > 1_000, `only ${scanned} frames were scanned`)
})

test('reads ids of every length exactly', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }), fc.nat(18), (large, cut) => {
      const id = large / 10n ** BigInt(cut)
      const depth = scanDepth(bytesOf(frame.replace('"U":100,"u":104', `"U":${id},"u":${id}`)))
      assert.deepEqual([depth?.update.firstUpdateId, depth?.update.lastUpdateId], [id, id])
    }),
    { numRuns: 20_000, seed: 20_261_121 },
  )
})
