import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addChecksums, checksumOf } from './checksum.ts'
import { openStore } from './writer.fixture.ts'

const LARGEST = 2 ** 48 - 1

test('a checksum is the first 48 bits of the SHA-256, of a text as of its bytes', () => {
  assert.equal(checksumOf('abc'), 0xba7816bf8f01) // the vector of FIPS 180
  assert.equal(checksumOf(Buffer.from('abc')), 0xba7816bf8f01)
  assert.equal(checksumOf(''), 0xe3b0c44298fc)
})

test('sums of checksums keep to 48 bits', () => {
  assert.equal(addChecksums(LARGEST, 1), 0)
  assert.equal(addChecksums(LARGEST, LARGEST), LARGEST - 1)
})

test('Postgres makes the same checksums and sums', async (t) => {
  const { database } = await openStore(t)
  const { rows } = await database.pool.query(
    `select booktape.checksum(array['epochs', null, 'a "b"', '']) as of_cells, booktape.wrapped($1::numeric + 1) as wrapped,
       booktape.wrapped(-1) as below`,
    [LARGEST],
  )
  assert.deepEqual(rows, [
    { of_cells: BigInt(checksumOf('{epochs,NULL,"a \\"b\\"",""}')), wrapped: 0n, below: BigInt(LARGEST) },
  ])
})
