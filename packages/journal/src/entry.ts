import { crc32 } from 'node:zlib'
import { invariant } from '@booktape/market'
import { MAX_PAYLOAD_BYTES } from './limits.ts'

/** One thing that happened, as the journal keeps it. */
export type Entry = Readonly<{
  position: number // 1, 2, 3, ... without holes in one journal
  kind: number // 0..255; what it means belongs to the caller
  wallNs: bigint // signed 64 bits
  monoNs: bigint // signed 64 bits
  connection: number // unsigned 32 bits
  messageSeq: number // unsigned 32 bits
  payload: Uint8Array
}>

export type NewEntry = Omit<Entry, 'position'>

/*
 * A record is an entry on disk, little-endian:
 *
 *   u32 body length | u32 the same, inverted | u32 checksum | body
 *   body: u64 position | u8 kind | i64 wallNs | i64 monoNs | u32 connection | u32 messageSeq | payload
 *
 * The inverted length lets a reader trust the length before it has the body: without it, one flipped bit would pass for a
 * record that the end of the file cut off. The checksum is crc32 of the body, started from the checksum of the record
 * before (the first one from the segment header's): later records that survived a hole do not fit, whatever they hold.
 */
export const RECORD_HEAD_BYTES = 12
const BODY_FIXED_BYTES = 33
const MAX_BODY_BYTES = BODY_FIXED_BYTES + MAX_PAYLOAD_BYTES
const MAX_U32 = 0xffff_ffff
const MIN_I64 = -(2n ** 63n)
const MAX_I64 = 2n ** 63n - 1n

export const recordBytes = (payloadBytes: number): number => RECORD_HEAD_BYTES + BODY_FIXED_BYTES + payloadBytes

/** What does not fit a field would come back altered: it stops the process instead. */
export function checkFits(entry: NewEntry): void {
  invariant(isUnsigned(entry.kind, 255), 'the kind of an entry is a whole number from 0 to 255')
  invariant(isUnsigned(entry.connection, MAX_U32), 'the connection of an entry is an unsigned 32-bit number')
  invariant(isUnsigned(entry.messageSeq, MAX_U32), 'the messageSeq of an entry is an unsigned 32-bit number')
  invariant(entry.wallNs >= MIN_I64 && entry.wallNs <= MAX_I64, 'the wallNs of an entry fits 64 bits')
  invariant(entry.monoNs >= MIN_I64 && entry.monoNs <= MAX_I64, 'the monoNs of an entry fits 64 bits')
  invariant(entry.payload.length <= MAX_PAYLOAD_BYTES, 'the payload of an entry is at most MAX_PAYLOAD_BYTES')
}

const isUnsigned = (value: number, max: number): boolean => Number.isInteger(value) && value >= 0 && value <= max

/** Writes one record at `at`; returns its checksum, from which the next record's starts. */
export function writeRecord(bytes: Uint8Array, view: DataView, at: number, entry: Entry, chain: number): number {
  const bodyBytes = BODY_FIXED_BYTES + entry.payload.length
  const body = at + RECORD_HEAD_BYTES
  writePosition(view, body, entry.position)
  view.setUint8(body + 8, entry.kind)
  view.setBigInt64(body + 9, entry.wallNs, true)
  view.setBigInt64(body + 17, entry.monoNs, true)
  view.setUint32(body + 25, entry.connection, true)
  view.setUint32(body + 29, entry.messageSeq, true)
  bytes.set(entry.payload, body + BODY_FIXED_BYTES)
  const checksum = crc32(bytes.subarray(body, body + bodyBytes), chain)
  view.setUint32(at, bodyBytes, true)
  view.setUint32(at + 4, ~bodyBytes >>> 0, true)
  view.setUint32(at + 8, checksum, true)
  return checksum
}

/** The body length of the record whose head starts at `at`, or null when no record head is there. */
export function readBodyBytes(view: DataView, at: number): number | null {
  const bodyBytes = view.getUint32(at, true)
  if (view.getUint32(at + 4, true) !== ~bodyBytes >>> 0) return null
  return bodyBytes >= BODY_FIXED_BYTES && bodyBytes <= MAX_BODY_BYTES ? bodyBytes : null
}

/** The checksum of the record at `at` when it holds, or null. The whole record must be in `bytes`. */
export function readChecksum(bytes: Uint8Array, view: DataView, at: number, chain: number): number | null {
  const body = at + RECORD_HEAD_BYTES
  const checksum = view.getUint32(at + 8, true)
  return crc32(bytes.subarray(body, body + view.getUint32(at, true)), chain) === checksum ? checksum : null
}

/** The entry of a record whose checksum holds. Its payload is a view into `bytes`. */
export function readEntry(bytes: Uint8Array, view: DataView, at: number): Entry {
  const body = at + RECORD_HEAD_BYTES
  return {
    position: readPosition(view, body),
    kind: view.getUint8(body + 8),
    wallNs: view.getBigInt64(body + 9, true),
    monoNs: view.getBigInt64(body + 17, true),
    connection: view.getUint32(body + 25, true),
    messageSeq: view.getUint32(body + 29, true),
    payload: bytes.subarray(body + BODY_FIXED_BYTES, body + view.getUint32(at, true)),
  }
}

/** Positions count our own entries, so they stay below 2^53; on disk they have 64 bits. */
export function writePosition(view: DataView, at: number, position: number): void {
  view.setUint32(at, position >>> 0, true)
  view.setUint32(at + 4, Math.floor(position / 2 ** 32), true)
}

export const readPosition = (view: DataView, at: number): number =>
  view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true)

export const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
