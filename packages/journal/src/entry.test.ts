import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  checkFits,
  type Entry,
  readBodyBytes,
  readChecksum,
  readEntry,
  recordBytes,
  viewOf,
  writeRecord,
} from './entry.ts'

const I64_MIN = -9223372036854775808n
const I64_MAX = 9223372036854775807n

function roundTrip(entry: Entry, chain: number): Entry | null {
  const bytes = new Uint8Array(recordBytes(entry.payload.length) + 3)
  const view = viewOf(bytes)
  const checksum = writeRecord(bytes, view, 3, entry, chain)
  assert.equal(readBodyBytes(view, 3), 33 + entry.payload.length)
  assert.equal(readChecksum(bytes, view, 3, chain), checksum)
  return readEntry(bytes, view, 3)
}

test('an entry with the largest value in every field comes back the same', () => {
  const entry = {
    position: 9007199254740991,
    kind: 255,
    wallNs: I64_MAX,
    monoNs: I64_MIN,
    connection: 4294967295,
    messageSeq: 4294967295,
    payload: new Uint8Array([0, 255]),
  }
  assert.deepEqual(roundTrip(entry, 4294967295), {
    position: 9007199254740991,
    kind: 255,
    wallNs: 9223372036854775807n,
    monoNs: -9223372036854775808n,
    connection: 4294967295,
    messageSeq: 4294967295,
    payload: new Uint8Array([0, 255]),
  })
})

test('any entry comes back the same', () => {
  const anyEntry = fc.record({
    position: fc.maxSafeNat(),
    kind: fc.integer({ min: 0, max: 255 }),
    wallNs: fc.bigInt({ min: I64_MIN, max: I64_MAX }),
    monoNs: fc.bigInt({ min: I64_MIN, max: I64_MAX }),
    connection: fc.integer({ min: 0, max: 4294967295 }),
    messageSeq: fc.integer({ min: 0, max: 4294967295 }),
    payload: fc.uint8Array({ maxLength: 300 }),
  })
  fc.assert(
    fc.property(anyEntry, fc.integer({ min: 0, max: 4294967295 }), (entry, chain) => {
      assert.deepEqual(roundTrip(entry, chain), { ...entry, payload: new Uint8Array(entry.payload) })
    }),
    { numRuns: 500 },
  )
})

test('a record does not hold after another one than it was written after', () => {
  const bytes = new Uint8Array(recordBytes(1))
  writeRecord(bytes, viewOf(bytes), 0, { ...SMALL, position: 7 }, 1000)
  assert.equal(readChecksum(bytes, viewOf(bytes), 0, 1001), null)
})

const SMALL = { kind: 0, wallNs: 0n, monoNs: 0n, connection: 0, messageSeq: 0, payload: new Uint8Array(1) }

for (const [what, wrong] of [
  ['kind of 256', { kind: 256 }],
  ['kind of 1.5', { kind: 1.5 }],
  ['negative connection', { connection: -1 }],
  ['connection of 2^32', { connection: 4294967296 }],
  ['messageSeq of 2^32', { messageSeq: 4294967296 }],
  ['wallNs of 2^63', { wallNs: 9223372036854775808n }],
  ['monoNs below -2^63', { monoNs: -9223372036854775809n }],
  ['payload of 17 MiB and a byte', { payload: new Uint8Array(17825793) }],
] as const) {
  test(`an entry with a ${what} is a broken belief`, () => {
    assert.throws(() => checkFits({ ...SMALL, ...wrong }), { name: 'InvariantError' })
  })
}

test('an entry with a payload of 17 MiB fits', () => {
  assert.doesNotThrow(() => checkFits({ ...SMALL, payload: new Uint8Array(17825792) }))
})
