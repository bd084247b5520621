import { invariant } from '@booktape/market'
import { type DiskFile, readFully } from './disk.ts'
import { type Entry, RECORD_HEAD_BYTES, readBodyBytes, readChecksum, readEntry, viewOf } from './entry.ts'
import { READ_BATCH_BYTES } from './limits.ts'
import { HEADER_BYTES } from './segment-header.ts'

/** Why a segment cannot be read on. `torn tail`: the file ends inside a record, as after a crash in the middle of a write. */
export type ScanBreak = 'torn tail' | 'not a record' | 'bad checksum' | 'wrong position'

/** Reads the records of one segment in order and stops at the first that is not proven to be what was written. */
export class SegmentScanner {
  /** Set when the reading stopped before the end; the record that broke would have been `nextPosition` at `offset`. */
  broken: ScanBreak | null = null
  nextPosition: number
  chain: number
  lastWallNs: bigint
  readonly #file: DiskFile
  readonly #lastWanted: number
  #bytes: Uint8Array = new Uint8Array(0)
  #view = viewOf(this.#bytes)
  #bytesAt = HEADER_BYTES // where #bytes begins in the file
  #at = 0 // the next record in #bytes
  #wanted = 0 // bytes the next record needs, as far as known
  #fileEnded = false
  #done = false

  /** `headerChecksum` is where the chain of this segment starts; nothing past `lastWanted` is looked at. */
  constructor(file: DiskFile, start: Readonly<{ firstPosition: number; headerChecksum: number }>, lastWanted: number) {
    this.#file = file
    this.nextPosition = start.firstPosition
    this.chain = start.headerChecksum
    this.lastWallNs = 0n
    this.#lastWanted = lastWanted
  }

  /** Where in the file the next record begins: everything before is proven. */
  get offset(): number {
    return this.#bytesAt + this.#at
  }

  /** The next entries, at least one, or null at the end and at a break. Payloads are views into one shared buffer. */
  async next(): Promise<readonly Entry[] | null> {
    const entries: Entry[] = []
    while (entries.length === 0 && !this.#done) {
      await this.#fill()
      this.#takeRecords(entries)
    }
    return entries.length === 0 ? null : entries
  }

  async #fill(): Promise<void> {
    const rest = this.#bytes.subarray(this.#at)
    const bytes = new Uint8Array(Math.max(READ_BATCH_BYTES, this.#wanted))
    bytes.set(rest)
    const count = await readFully(this.#file, bytes.subarray(rest.length), this.offset + rest.length)
    this.#bytesAt = this.offset
    this.#at = 0
    this.#fileEnded = rest.length + count < bytes.length
    this.#bytes = bytes.subarray(0, rest.length + count)
    this.#view = viewOf(this.#bytes)
  }

  #takeRecords(entries: Entry[]): void {
    while (this.nextPosition <= this.#lastWanted) {
      const available = this.#bytes.length - this.#at
      if (available === 0 && this.#fileEnded) break
      if (available < RECORD_HEAD_BYTES) return this.#lacks(RECORD_HEAD_BYTES)
      const bodyBytes = readBodyBytes(this.#view, this.#at)
      if (bodyBytes === null) return this.#break('not a record')
      if (available < RECORD_HEAD_BYTES + bodyBytes) return this.#lacks(RECORD_HEAD_BYTES + bodyBytes)
      const checksum = readChecksum(this.#bytes, this.#view, this.#at, this.chain)
      if (checksum === null) return this.#break('bad checksum')
      const entry = readEntry(this.#bytes, this.#view, this.#at)
      if (entry.position !== this.nextPosition) return this.#break('wrong position')
      entries.push(entry)
      this.chain = checksum
      this.lastWallNs = entry.wallNs
      this.nextPosition += 1
      this.#at += RECORD_HEAD_BYTES + bodyBytes
    }
    this.#done = true
  }

  #lacks(bytes: number): void {
    invariant(this.#bytes.length - this.#at < bytes, 'a record lacks bytes only when fewer than it needs are there')
    this.#wanted = bytes
    if (this.#fileEnded) this.#break('torn tail')
  }

  #break(reason: ScanBreak): void {
    this.broken = reason
    this.#done = true
  }
}
