import { join } from 'node:path'
import { invariant } from '@booktape/market'
import { type Disk, type DiskFile, writeFully } from './disk.ts'
import { type Entry, recordBytes } from './entry.ts'
import { JournalError, messageOf } from './errors.ts'
import { Group } from './group.ts'
import { EAGER_GROUP_BYTES } from './limits.ts'
import type { Recovered, Segment } from './recovery.ts'
import { HEADER_BYTES, segmentName } from './segment-header.ts'

export type GroupWriterOptions = Readonly<{
  maxSegmentBytes: number
  syncIntervalMs: number
  onFailure: (error: JournalError) => void
}>

/**
 * Writes groups of entries, one group at a time: while one is written and synced, the next one gathers. A failed write or
 * sync is never tried again: the kernel reports the loss of a page once, and a second sync would claim that all is well.
 */
export class GroupWriter {
  onSynced: (entries: readonly Entry[]) => void = () => undefined
  onSegment: (firstPosition: number) => void = () => undefined
  readonly segments: Segment[]
  failure: JournalError | null = null
  syncedPosition: number
  unsyncedBytes = 0
  segmentBytes = 0
  readonly #disk: Disk
  readonly #directory: string
  readonly #journalId: string
  readonly #options: GroupWriterOptions
  readonly #waiting: Group[] = []
  #file: DiskFile | null
  #tail: Tail | null
  #spare: Uint8Array | null = null
  #running = false
  #hurry: () => void = () => undefined
  #syncs: { position: number; resolve: () => void; reject: (error: JournalError) => void }[] = []

  static async open(
    disk: Disk,
    directory: string,
    journalId: string,
    recovered: Recovered,
    options: GroupWriterOptions,
  ): Promise<GroupWriter> {
    const last = recovered.segments.at(-1)
    const file = last === undefined ? null : await disk.open(join(directory, last.name), 'write')
    return new GroupWriter(disk, directory, journalId, recovered, options, file)
  }

  private constructor(
    disk: Disk,
    directory: string,
    journalId: string,
    recovered: Recovered,
    options: GroupWriterOptions,
    file: DiskFile | null,
  ) {
    this.#disk = disk
    this.#directory = directory
    this.#journalId = journalId
    this.#options = options
    this.#file = file
    this.segments = recovered.segments
    this.syncedPosition = recovered.recovery.lastPosition
    for (const segment of this.segments) this.segmentBytes += segment.bytes
    const last = this.segments.at(-1)
    this.#tail = last === undefined ? null : { ...last, chain: recovered.chain }
  }

  add(entry: Entry): void {
    const group = this.#groupFor(entry)
    const before = group.length
    group.add(entry)
    invariant(this.#tail !== null, 'an entry is added to a segment')
    const grown = group.length - before
    this.#tail.bytes += grown
    this.#tail.chain = group.chain
    this.#tail.lastWallNs = entry.wallNs
    this.unsyncedBytes += grown
    if (this.unsyncedBytes >= EAGER_GROUP_BYTES) this.#hurry()
    if (this.#running) return
    this.#running = true
    // What is appended in the same turn of the event loop goes along.
    setImmediate(() => void this.#writeGroups())
  }

  /** Resolves when the entry at `position` is durable. */
  sync(position: number): Promise<void> {
    if (this.failure !== null) return Promise.reject(this.failure)
    if (position <= this.syncedPosition) return Promise.resolve()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#syncs.push({ position, resolve, reject })
    this.#hurry()
    return promise
  }

  /** The oldest segment is about to be deleted. */
  forgetOldest(): void {
    invariant(this.segments.length > 1, 'the segment that is written on is never deleted')
    this.segmentBytes -= this.segments.shift()?.bytes ?? 0
  }

  /** What is not durable by now never will be: the caller syncs first. */
  async close(): Promise<void> {
    this.#hurry()
    await this.#closeFile()
  }

  async #closeFile(): Promise<void> {
    const file = this.#file
    this.#file = null
    await file?.close()
  }

  #groupFor(entry: Entry): Group {
    const tail = this.#tail
    const bytes = recordBytes(entry.payload.length)
    if (tail === null || (tail.bytes > HEADER_BYTES && tail.bytes + bytes > this.#options.maxSegmentBytes)) {
      return this.#beginSegment(entry.position, tail)
    }
    const gathering = this.#waiting.at(-1)
    if (gathering?.hasRoom(entry.payload.length)) return gathering
    const group = new Group(tail.chain, this.#takeSpare())
    this.#waiting.push(group)
    return group
  }

  #beginSegment(firstPosition: number, previous: Tail | null): Group {
    const header = {
      journalId: this.#journalId,
      firstPosition,
      chain: previous?.chain ?? 0,
      previousFirst: previous?.firstPosition ?? 0,
      previousBytes: previous?.bytes ?? 0,
      previousWallNs: previous?.lastWallNs ?? 0n,
    }
    const group = new Group(header, this.#takeSpare())
    this.#waiting.push(group)
    this.#tail = { firstPosition, bytes: HEADER_BYTES, chain: group.chain, lastWallNs: 0n }
    this.unsyncedBytes += HEADER_BYTES
    return group
  }

  #takeSpare(): Uint8Array | null {
    const spare = this.#spare
    this.#spare = null
    return spare
  }

  async #writeGroups(): Promise<void> {
    for (let group = this.#waiting.shift(); group !== undefined; group = this.#waiting.shift()) {
      const pause = new Pause(this.#options.syncIntervalMs)
      try {
        await this.#write(group)
      } catch (error) {
        pause.end()
        this.#fail(error)
        return
      }
      this.#spare = group.spare
      this.#announce(group)
      await this.#gather(pause)
    }
    this.#running = false
  }

  async #write(group: Group): Promise<void> {
    if (group.opens !== null) await this.#openSegment(group.opens)
    const segment = this.segments.at(-1)
    invariant(this.#file !== null && segment !== undefined, 'a group is written to an open segment')
    try {
      await writeFully(this.#file, group.bytes, segment.bytes)
    } catch (error) {
      throw new JournalError('WRITE_FAILED', `writing ${segment.name} failed: ${messageOf(error)}; ${NEXT_STEP}`, error)
    }
    try {
      await this.#file.sync()
      // The file's name must be durable as well, before anyone relies on what is in it.
      if (group.opens !== null) await this.#disk.syncDirectory(this.#directory)
    } catch (error) {
      throw new JournalError('SYNC_FAILED', `syncing ${segment.name} failed: ${messageOf(error)}; ${NEXT_STEP}`, error)
    }
    const last = group.entries.at(-1)
    invariant(last !== undefined, 'a group is never empty')
    segment.bytes += group.length
    segment.lastWallNs = last.wallNs
    this.segmentBytes += group.length
    this.unsyncedBytes -= group.length
    invariant(last.position === this.syncedPosition + group.entries.length, 'groups become durable in order')
    this.syncedPosition = last.position
  }

  async #openSegment(firstPosition: number): Promise<void> {
    const name = segmentName(firstPosition)
    try {
      await this.#closeFile()
      this.#file = await this.#disk.open(join(this.#directory, name), 'create')
    } catch (error) {
      throw new JournalError(
        'WRITE_FAILED',
        `segment ${name} cannot be created: ${messageOf(error)}; ${NEXT_STEP}`,
        error,
      )
    }
    this.segments.push({ name, firstPosition, bytes: 0, lastWallNs: 0n })
  }

  #announce(group: Group): void {
    if (group.opens !== null) this.onSegment(group.opens)
    this.onSynced(group.entries)
    const synced = this.#syncs.filter((sync) => sync.position <= this.syncedPosition)
    this.#syncs = this.#syncs.filter((sync) => sync.position > this.syncedPosition)
    for (const sync of synced) sync.resolve()
  }

  /** Lets entries gather to the end of the pause, unless someone waits for them or there is enough for a group already. */
  async #gather(pause: Pause): Promise<void> {
    if (this.#syncs.length > 0 || this.unsyncedBytes >= EAGER_GROUP_BYTES) return pause.end()
    this.#hurry = () => pause.end()
    await pause.over
    this.#hurry = () => undefined
  }

  #fail(error: unknown): void {
    if (!(error instanceof JournalError)) throw error // a broken belief of ours, not the disk's fault
    this.failure = error
    this.#waiting.length = 0
    const { onFailure } = this.#options
    for (const sync of this.#syncs.splice(0)) sync.reject(error)
    onFailure(error)
  }
}

/** From the beginning of one group to that of the next: what the first one's sync took is no longer waited for. */
class Pause {
  readonly over: Promise<void>
  readonly end: () => void

  constructor(ms: number) {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.over = promise
    const timer = ms === 0 ? undefined : setTimeout(resolve, ms)
    this.end = () => {
      clearTimeout(timer)
      resolve()
    }
    if (ms === 0) resolve()
  }
}

/** The segment that is written on, as it will be when all that waits is written. */
type Tail = { readonly firstPosition: number; bytes: number; chain: number; lastWallNs: bigint }

const NEXT_STEP = 'what is on disk is unknown, so stop, look at the disk, and start again to recover'
