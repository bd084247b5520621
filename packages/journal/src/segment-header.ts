import { crc32 } from 'node:zlib'
import { readPosition, viewOf, writePosition } from './entry.ts'

/**
 * The first bytes of a segment. They tie it to the segment before, so that a start can prove that no segment is missing
 * or cut short without reading the older ones.
 */
export type SegmentHeader = Readonly<{
  journalId: string // a UUID
  firstPosition: number
  chain: number // checksum of the last record of the segment before; 0 without one
  previousFirst: number // first position of the segment before; 0 without one
  previousBytes: number // its length
  previousWallNs: bigint // wallNs of its last entry
}>

/*
 * Little-endian:
 *
 *   0 'BKTPJRNL' | 8 u16 format version | 10 u16 header length | 12 u32 chain | 16 journal id (16 bytes)
 *   32 u64 first position | 40 u64 previous first | 48 u64 previous bytes | 56 i64 previous wallNs | 64 u32 crc32 of 0..63
 *
 * Every later version keeps the first twelve bytes and ends its header with the crc32 of what is before: so a newer header
 * can be told from a damaged one.
 */
export const HEADER_BYTES = 68
export const FORMAT_VERSION = 1
const MAGIC = new TextEncoder().encode('BKTPJRNL')
const MAX_HEADER_BYTES = 4096 // what a newer header may need

export function writeHeader(bytes: Uint8Array, header: SegmentHeader): number {
  const view = viewOf(bytes)
  bytes.set(MAGIC, 0)
  view.setUint16(8, FORMAT_VERSION, true)
  view.setUint16(10, HEADER_BYTES, true)
  view.setUint32(12, header.chain, true)
  bytes.set(uuidBytes(header.journalId), 16)
  writePosition(view, 32, header.firstPosition)
  writePosition(view, 40, header.previousFirst)
  writePosition(view, 48, header.previousBytes)
  view.setBigInt64(56, header.previousWallNs, true)
  const checksum = crc32(bytes.subarray(0, HEADER_BYTES - 4))
  view.setUint32(HEADER_BYTES - 4, checksum, true)
  return checksum
}

export type HeaderReading =
  | Readonly<{ kind: 'read'; header: SegmentHeader; checksum: number }>
  | Readonly<{ kind: 'newer'; version: number }>
  | Readonly<{ kind: 'cut' }> // the file ends inside its header, or has only zeros there: a crash while it was created
  | Readonly<{ kind: 'unreadable' }>

/** Reads a header from the first bytes of a file (as many as there are, at most 4096). */
export function readHeader(bytes: Uint8Array): HeaderReading {
  if (bytes.subarray(0, HEADER_BYTES).every((byte) => byte === 0)) return { kind: 'cut' }
  const magic = bytes.subarray(0, MAGIC.length)
  if (magic.some((byte, index) => byte !== MAGIC[index])) return { kind: 'unreadable' }
  if (bytes.length < 12) return { kind: 'cut' }
  const view = viewOf(bytes)
  const version = view.getUint16(8, true)
  const length = view.getUint16(10, true)
  if (length < 16 || length > MAX_HEADER_BYTES) return { kind: 'unreadable' }
  if (bytes.length < length) return { kind: length === HEADER_BYTES ? 'cut' : 'unreadable' }
  const checksum = view.getUint32(length - 4, true)
  if (crc32(bytes.subarray(0, length - 4)) !== checksum) return { kind: 'unreadable' }
  if (version > FORMAT_VERSION) return { kind: 'newer', version }
  if (version !== FORMAT_VERSION || length !== HEADER_BYTES) return { kind: 'unreadable' }
  const header = {
    journalId: uuidText(bytes.subarray(16, 32)),
    firstPosition: readPosition(view, 32),
    chain: view.getUint32(12, true),
    previousFirst: readPosition(view, 40),
    previousBytes: readPosition(view, 48),
    previousWallNs: view.getBigInt64(56, true),
  }
  return { kind: 'read', header, checksum }
}

export const HEADER_READ_BYTES = MAX_HEADER_BYTES

export const segmentName = (firstPosition: number): string => `${String(firstPosition).padStart(16, '0')}.segment`

/** The first position a segment's name claims, or null when the name is not a segment's. */
export function segmentFirst(name: string): number | null {
  const digits = /^(\d{16})\.segment$/.exec(name)?.[1]
  if (digits === undefined) return null
  const first = Number(digits) // our own count, written by us; the next line refuses what a number cannot hold
  return Number.isSafeInteger(first) && first > 0 ? first : null
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
export const isUuid = (text: string): boolean => UUID.test(text)

export const uuidBytes = (uuid: string): Uint8Array => Buffer.from(uuid.replaceAll('-', ''), 'hex')

export function uuidText(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}
