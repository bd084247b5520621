import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { invariant } from '@booktape/market'
import { type Disk, readFully, withFile, writeFully } from './disk.ts'
import { readPosition, viewOf, writePosition } from './entry.ts'
import { JournalError, messageOf, systemCode } from './errors.ts'
import { MAX_CHECKPOINT_BYTES } from './limits.ts'
import { uuidBytes } from './segment-header.ts'
import { setFileAside } from './set-aside.ts'

/** The caller's state after the entry at `position`, so that a replay can start at the one after. */
export type Checkpoint = Readonly<{ position: number; bytes: Uint8Array }>

/*
 * One file each, little-endian:
 *
 *   0 'BKTPCKPT' | 8 u16 format version | 10 u16 zero | 12 journal id (16 bytes) | 28 u64 position | 36 u32 crc32 of the rest
 *   40 the caller's bytes
 */
const MAGIC = new TextEncoder().encode('BKTPCKPT')
const FORMAT_VERSION = 1
const HEAD_BYTES = 40
const CHECKSUM_AT = 36

/** The checkpoints of one journal. A checkpoint is a shortcut, never the truth: one that does not hold is skipped. */
export class Checkpoints {
  readonly #disk: Disk
  readonly #directory: string
  readonly #journalId: string
  readonly #bytesByPosition: Map<number, number>
  #bytes = 0

  private constructor(disk: Disk, directory: string, journalId: string, bytesByPosition: Map<number, number>) {
    this.#disk = disk
    this.#directory = directory
    this.#journalId = journalId
    this.#bytesByPosition = bytesByPosition
    for (const bytes of bytesByPosition.values()) this.#bytes += bytes
  }

  /** Sets aside those of positions the journal no longer holds: the positions will be given again, to other entries. */
  static async open(disk: Disk, directory: string, journalId: string, lastPosition: number): Promise<Checkpoints> {
    const bytesByPosition = new Map<number, number>()
    for (const name of await disk.list(directory)) {
      const position = checkpointPosition(name)
      if (position === null) continue
      if (position > lastPosition) await setFileAside(disk, directory, name)
      else bytesByPosition.set(position, (await disk.stat(join(directory, name))).bytes)
    }
    return new Checkpoints(disk, directory, journalId, bytesByPosition)
  }

  /** All of them together, on disk. */
  get bytes(): number {
    return this.#bytes
  }

  get largestBytes(): number {
    return Math.max(0, ...this.#bytesByPosition.values())
  }

  /** Durable under its name or not there at all. @throws JournalError WRITE_FAILED; the journal itself is not harmed. */
  async write(position: number, bytes: Uint8Array): Promise<void> {
    invariant(bytes.length <= MAX_CHECKPOINT_BYTES, 'a checkpoint is at most MAX_CHECKPOINT_BYTES')
    const head = this.#head(position, bytes)
    const path = join(this.#directory, checkpointName(position))
    const temporary = `${path}${TEMPORARY_SUFFIX}`
    try {
      await removeIfThere(this.#disk, temporary)
      await withFile(this.#disk, temporary, 'create', async (file) => {
        await writeFully(file, head, 0)
        await writeFully(file, bytes, HEAD_BYTES)
        await file.sync()
      })
      await this.#disk.rename(temporary, path)
      await this.#disk.syncDirectory(this.#directory)
    } catch (cause) {
      throw new JournalError(
        'WRITE_FAILED',
        `the checkpoint at ${position} was not written (${messageOf(cause)}); earlier ones still hold, free the disk`,
        cause,
      )
    }
    this.#bytes += HEAD_BYTES + bytes.length - (this.#bytesByPosition.get(position) ?? 0)
    this.#bytesByPosition.set(position, HEAD_BYTES + bytes.length)
  }

  /** The newest one that holds, at or before a position, and not before another. */
  async newest(atOrBefore: number, notBefore = 0): Promise<Checkpoint | null> {
    const isAsked = (position: number): boolean => position >= notBefore && position <= atOrBefore
    const positions = [...this.#bytesByPosition.keys()].filter(isAsked)
    for (const position of positions.sort((a, b) => b - a)) {
      const bytes = await this.#read(position)
      if (bytes !== null) return { position, bytes }
    }
    return null
  }

  async removeBefore(position: number): Promise<void> {
    await this.#removeAll((candidate) => candidate < position)
  }

  async removeAfter(position: number): Promise<void> {
    await this.#removeAll((candidate) => candidate > position)
  }

  async #removeAll(isUnwanted: (position: number) => boolean): Promise<void> {
    for (const old of [...this.#bytesByPosition.keys()].filter(isUnwanted)) {
      await removeIfThere(this.#disk, join(this.#directory, checkpointName(old)))
      this.#bytes -= this.#bytesByPosition.get(old) ?? 0
      this.#bytesByPosition.delete(old)
    }
  }

  async #read(position: number): Promise<Uint8Array | null> {
    const bytes = new Uint8Array(this.#bytesByPosition.get(position) ?? 0)
    if (bytes.length < HEAD_BYTES || bytes.length > HEAD_BYTES + MAX_CHECKPOINT_BYTES) return null
    const path = join(this.#directory, checkpointName(position))
    try {
      const count = await withFile(this.#disk, path, 'read', (file) => readFully(file, bytes, 0))
      if (count < bytes.length) return null
    } catch {
      return null // an unreadable checkpoint is a damaged one: an older one takes its place
    }
    const content = bytes.subarray(HEAD_BYTES)
    const expected = this.#head(position, content)
    return Buffer.compare(expected, bytes.subarray(0, HEAD_BYTES)) === 0 ? content : null
  }

  #head(position: number, bytes: Uint8Array): Uint8Array {
    const head = new Uint8Array(HEAD_BYTES)
    const view = viewOf(head)
    head.set(MAGIC, 0)
    view.setUint16(8, FORMAT_VERSION, true)
    head.set(uuidBytes(this.#journalId), 12)
    writePosition(view, 28, position)
    view.setUint32(CHECKSUM_AT, crc32(bytes, crc32(head.subarray(0, CHECKSUM_AT))), true)
    invariant(readPosition(view, 28) === position, 'a checkpoint names its own position')
    return head
  }
}

export const TEMPORARY_SUFFIX = '.tmp'

export const checkpointName = (position: number): string => `${String(position).padStart(16, '0')}.checkpoint`

export function checkpointPosition(name: string): number | null {
  const digits = /^(\d{16})\.checkpoint$/.exec(name)?.[1]
  if (digits === undefined) return null
  const position = Number(digits) // our own count, written by us; the next line refuses what a number cannot hold
  return Number.isSafeInteger(position) ? position : null
}

async function removeIfThere(disk: Disk, path: string): Promise<void> {
  try {
    await disk.remove(path)
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error
  }
}
