import { crc32 } from 'node:zlib'
import { combineCrc32 } from './crc32.ts'
import { EVENT_BYTES } from './hftbacktest.ts'

/**
 * The parts of a `.npz`: a zip archive with one deflated entry, `data.npy`. The count of rows stands at its very beginning and is known
 * only at the end, so the header is a deflate block of its own, stored as it is, which is written again in its place.
 */
const ENTRY = 'data.npy'
/** Twice 64: readers on some machines want the rows to begin at a multiple of 128. */
const HEADER_BYTES = 256
const STORED_BLOCK_BYTES = 5
const LOCAL_HEADER_BYTES = 30 + ENTRY.length + 20
const DEFLATED = 8
const ZIP64_VERSION = 45
const NO_SIZE = 0xffffffff
/** The first of January 1980, the beginning of zip's time: the same recording gives the same bytes. */
const DOS_DATE = 0x21

/** Where the deflated rows begin. */
export const PREAMBLE_BYTES = LOCAL_HEADER_BYTES + STORED_BLOCK_BYTES + HEADER_BYTES

/** What is known of the rows when all are there. `crc` of the rows alone; `deflatedBytes` without the header. */
export type NpzRows = Readonly<{ rows: number; crc: number; deflatedBytes: bigint }>

/** Everything before the deflated rows. */
export function npzPreamble(rows: NpzRows): Uint8Array {
  const bytes = Buffer.alloc(PREAMBLE_BYTES)
  const { crc, size, packed } = entryOf(rows)
  bytes.writeUInt32LE(0x04034b50, 0)
  bytes.writeUInt16LE(ZIP64_VERSION, 4)
  bytes.writeUInt16LE(DEFLATED, 8)
  bytes.writeUInt16LE(DOS_DATE, 12)
  bytes.writeUInt32LE(crc, 14)
  bytes.writeUInt32LE(NO_SIZE, 18)
  bytes.writeUInt32LE(NO_SIZE, 22)
  bytes.writeUInt16LE(ENTRY.length, 26)
  bytes.writeUInt16LE(20, 28)
  bytes.write(ENTRY, 30, 'latin1')
  writeZip64(bytes, 30 + ENTRY.length, [size, packed])
  bytes.writeUInt8(0, LOCAL_HEADER_BYTES) // a stored block, not the last one
  bytes.writeUInt16LE(HEADER_BYTES, LOCAL_HEADER_BYTES + 1)
  bytes.writeUInt16LE(~HEADER_BYTES & 0xffff, LOCAL_HEADER_BYTES + 3)
  bytes.set(npyHeader(rows.rows), LOCAL_HEADER_BYTES + STORED_BLOCK_BYTES)
  return bytes
}

/** Everything after them: the directory of one entry. */
export function npzEnd(rows: NpzRows): Uint8Array {
  const { crc, size, packed } = entryOf(rows)
  const directoryBytes = 46 + ENTRY.length + 20
  const bytes = Buffer.alloc(directoryBytes + 56 + 20 + 22)
  const start = BigInt(LOCAL_HEADER_BYTES) + packed
  bytes.writeUInt32LE(0x02014b50, 0)
  bytes.writeUInt16LE(ZIP64_VERSION, 4)
  bytes.writeUInt16LE(ZIP64_VERSION, 6)
  bytes.writeUInt16LE(DEFLATED, 10)
  bytes.writeUInt16LE(DOS_DATE, 14)
  bytes.writeUInt32LE(crc, 16)
  bytes.writeUInt32LE(NO_SIZE, 20)
  bytes.writeUInt32LE(NO_SIZE, 24)
  bytes.writeUInt16LE(ENTRY.length, 28)
  bytes.writeUInt16LE(20, 30)
  bytes.write(ENTRY, 46, 'latin1')
  writeZip64(bytes, 46 + ENTRY.length, [size, packed])

  let at = directoryBytes // the zip64 end of the directory
  bytes.writeUInt32LE(0x06064b50, at)
  bytes.writeBigUInt64LE(44n, at + 4)
  bytes.writeUInt16LE(ZIP64_VERSION, at + 12)
  bytes.writeUInt16LE(ZIP64_VERSION, at + 14)
  bytes.writeBigUInt64LE(1n, at + 24)
  bytes.writeBigUInt64LE(1n, at + 32)
  bytes.writeBigUInt64LE(BigInt(directoryBytes), at + 40)
  bytes.writeBigUInt64LE(start, at + 48)

  at += 56 // where that is
  bytes.writeUInt32LE(0x07064b50, at)
  bytes.writeBigUInt64LE(start + BigInt(directoryBytes), at + 8)
  bytes.writeUInt32LE(1, at + 16)

  at += 20 // the end of the directory
  bytes.writeUInt32LE(0x06054b50, at)
  bytes.writeUInt16LE(1, at + 8)
  bytes.writeUInt16LE(1, at + 10)
  bytes.writeUInt32LE(directoryBytes, at + 12)
  bytes.writeUInt32LE(NO_SIZE, at + 16)
  return bytes
}

/** NumPy's format 1.0: a magic, a length, and the dtype and shape as a Python literal, filled up with blanks. */
function npyHeader(rows: number): Uint8Array {
  const fields = [
    ['ev', '<u8'],
    ['exch_ts', '<i8'],
    ['local_ts', '<i8'],
    ['px', '<f8'],
    ['qty', '<f8'],
    ['order_id', '<u8'],
    ['ival', '<i8'],
    ['fval', '<f8'],
  ].map(([name, type]) => `('${name}', '${type}')`)
  const literal = `{'descr': [${fields.join(', ')}], 'fortran_order': False, 'shape': (${rows},), }`
  const bytes = Buffer.alloc(HEADER_BYTES, ' ')
  bytes.write('\u0093NUMPY\u0001\u0000', 0, 'latin1')
  bytes.writeUInt16LE(HEADER_BYTES - 10, 8)
  bytes.write(literal, 10, 'latin1')
  bytes.write('\n', HEADER_BYTES - 1, 'latin1')
  return bytes
}

function entryOf({ rows, crc, deflatedBytes }: NpzRows): Readonly<{ crc: number; size: bigint; packed: bigint }> {
  const rowBytes = BigInt(rows) * BigInt(EVENT_BYTES)
  return {
    crc: combineCrc32(crc32(npyHeader(rows)), crc, rowBytes),
    size: BigInt(HEADER_BYTES) + rowBytes,
    packed: BigInt(STORED_BLOCK_BYTES + HEADER_BYTES) + deflatedBytes,
  }
}

function writeZip64(bytes: Buffer, at: number, sizes: readonly bigint[]): void {
  bytes.writeUInt16LE(1, at)
  bytes.writeUInt16LE(16, at + 2)
  sizes.forEach((size, i) => bytes.writeBigUInt64LE(size, at + 4 + 8 * i))
}
