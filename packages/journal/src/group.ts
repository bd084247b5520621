import { invariant } from '@booktape/market'
import { type Entry, recordBytes, viewOf, writeRecord } from './entry.ts'
import { MAX_GROUP_BYTES } from './limits.ts'
import { HEADER_BYTES, type SegmentHeader, writeHeader } from './segment-header.ts'

const FIRST_BYTES = 64 * 1024

/** Entries that are written and synced together, already as the bytes that go to disk. All are of one segment. */
export class Group {
  readonly entries: Entry[] = []
  /** First position of the segment this group begins, or null when it goes on with the one before. */
  readonly opens: number | null
  #bytes: Uint8Array
  #view: DataView
  #length = 0
  #chain: number

  /** `start` is the chain to go on from, or the header of the segment to begin. `spare` is a buffer to use again. */
  constructor(start: number | SegmentHeader, spare: Uint8Array | null) {
    this.#bytes = spare ?? new Uint8Array(FIRST_BYTES)
    this.#view = viewOf(this.#bytes)
    if (typeof start === 'number') {
      this.opens = null
      this.#chain = start
    } else {
      this.opens = start.firstPosition
      this.#chain = writeHeader(this.#bytes, start)
      this.#length = HEADER_BYTES
    }
  }

  /** Checksum of the last record (of the header, before the first one). */
  get chain(): number {
    return this.#chain
  }

  /** What goes to disk. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  get length(): number {
    return this.#length
  }

  /** The buffer, for the next group, when it is not one that a single large entry made. */
  get spare(): Uint8Array | null {
    return this.#bytes.length <= MAX_GROUP_BYTES ? this.#bytes : null
  }

  hasRoom(payloadBytes: number): boolean {
    return this.entries.length === 0 || this.#length + recordBytes(payloadBytes) <= MAX_GROUP_BYTES
  }

  add(entry: Entry): void {
    const length = recordBytes(entry.payload.length)
    this.#reserve(length)
    this.#chain = writeRecord(this.#bytes, this.#view, this.#length, entry, this.#chain)
    this.#length += length
    this.entries.push(entry)
  }

  #reserve(length: number): void {
    const needed = this.#length + length
    if (needed <= this.#bytes.length) return
    const doubled = Math.min(this.#bytes.length * 2, MAX_GROUP_BYTES)
    const larger = new Uint8Array(Math.max(needed, doubled))
    larger.set(this.bytes)
    this.#bytes = larger
    this.#view = viewOf(larger)
    invariant(this.#length + length <= this.#bytes.length, 'a group has room for the entry it takes')
  }
}
