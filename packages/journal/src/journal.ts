import { join } from 'node:path'
import { invariant } from '@booktape/market'
import { type Checkpoint, Checkpoints, checkpointPosition, TEMPORARY_SUFFIX } from './checkpoints.ts'
import { type Disk, nodeDisk } from './disk.ts'
import { checkFits, type Entry, type NewEntry, recordBytes } from './entry.ts'
import { JournalError } from './errors.ts'
import { GroupWriter } from './group-writer.ts'
import { ID_NAME, settleJournalId } from './journal-id.ts'
import {
  DEFAULT_SEGMENT_BYTES,
  DEFAULT_SYNC_INTERVAL_MS,
  EARLY_RELEASE_PERCENT,
  MAX_UNSYNCED_BYTES,
  OVERRUN_BYTES,
  RESERVE_BYTES,
  RESUME_UNSYNCED_BYTES,
} from './limits.ts'
import type { Lock } from './lock.ts'
import { readEntries } from './read-entries.ts'
import { findSegments, type Recovered, type Recovery, recover } from './recovery.ts'
import { releaseSegments } from './release-segments.ts'
import { segmentFirst } from './segment-header.ts'
import { setFileAside } from './set-aside.ts'

export type JournalOptions = Readonly<{
  /** A segment is begun when the next entry would pass this. */
  maxSegmentBytes?: number
  /** How long a segment stays after its entries were written on, by the wallNs of its last entry. A whole number. */
  retentionMs: number
  /** From this many bytes on (segments and checkpoints) the journal is full. */
  limitBytes: number
  /** A write or a sync failed. Called once; nothing is written after it. The process must end. */
  onFailure: (error: JournalError) => void
  /** From the beginning of one group to that of the next, so that entries gather; 0 for no pause. */
  syncIntervalMs?: number
  /** The id of a journal that is created now; a random UUID otherwise. */
  journalId?: string
  disk?: Disk
}>

/** The durable log: entries in one order, on disk before anything depends on them. */
export class Journal {
  readonly journalId: string
  readonly recovery: Recovery
  readonly #directory: string
  readonly #options: JournalOptions
  readonly #disk: Disk
  readonly #lock: Lock
  readonly #writer: GroupWriter
  readonly #checkpoints: Checkpoints
  #lastPosition: number
  #reserveUsed = 0
  #closed = false
  #releasing: Promise<void> = Promise.resolve()

  /**
   * Opens the journal in a directory, creating both when there are none, and brings it to a proven state.
   * @throws JournalError LOCKED, NEWER_FORMAT (nothing on disk is changed); whatever node:fs throws.
   */
  static async open(directory: string, options: JournalOptions): Promise<Journal> {
    invariant(Number.isSafeInteger(options.retentionMs), 'retentionMs is a whole number')
    const disk = options.disk ?? nodeDisk
    await disk.makeDirectory(directory)
    const lock = await disk.lock(directory)
    try {
      const found = await findSegments(disk, directory)
      await removeTemporary(disk, directory)
      const journalId = await settleJournalId(disk, directory, found, options.journalId)
      const recovered = await recover(disk, directory, journalId, found)
      const checkpoints = await Checkpoints.open(disk, directory, journalId, recovered.recovery.lastPosition)
      const writer = await GroupWriter.open(disk, directory, journalId, recovered, {
        maxSegmentBytes: options.maxSegmentBytes ?? DEFAULT_SEGMENT_BYTES,
        syncIntervalMs: options.syncIntervalMs ?? DEFAULT_SYNC_INTERVAL_MS,
        onFailure: options.onFailure,
      })
      return new Journal(directory, options, { journalId, disk, lock, recovered, checkpoints, writer })
    } catch (error) {
      await lock.release()
      throw error
    }
  }

  /**
   * Puts a whole journal aside, so that the next open begins a new one, with a new id. For a directory that has lost entries which
   * were already written on: going on with it would give their positions a second time.
   * @throws JournalError LOCKED.
   */
  static async retire(directory: string, disk: Disk = nodeDisk): Promise<void> {
    const lock = await disk.lock(directory)
    try {
      // The id goes last: until then a second try finds the same journal.
      const names = [...(await disk.list(directory))].filter(
        (name) => segmentFirst(name) !== null || checkpointPosition(name) !== null,
      )
      for (const name of names.sort().reverse()) await setFileAside(disk, directory, name)
      if ((await disk.list(directory)).includes(ID_NAME)) await setFileAside(disk, directory, ID_NAME)
    } finally {
      await lock.release()
    }
  }

  private constructor(directory: string, options: JournalOptions, opened: Opened) {
    this.journalId = opened.journalId
    this.recovery = opened.recovered.recovery
    this.#directory = directory
    this.#options = options
    this.#disk = opened.disk
    this.#lock = opened.lock
    this.#writer = opened.writer
    this.#checkpoints = opened.checkpoints
    this.#lastPosition = this.recovery.lastPosition
  }

  /**
   * Takes an entry and returns its position. It is durable only when `onSynced` gives it back. The payload must not be changed
   * before that: it is given back as it is, not as a copy.
   * @throws JournalError FULL, OVERRUN, CLOSED, and after a failure that failure.
   */
  append(entry: NewEntry): number {
    if (this.#closed) throw closed()
    if (this.#writer.failure !== null) throw this.#writer.failure
    checkFits(entry)
    this.#claimRoom(recordBytes(entry.payload.length))
    this.#lastPosition += 1
    this.#writer.add({
      position: this.#lastPosition,
      kind: entry.kind,
      wallNs: entry.wallNs,
      monoNs: entry.monoNs,
      connection: entry.connection,
      messageSeq: entry.messageSeq,
      payload: entry.payload,
    })
    return this.#lastPosition
  }

  /** The one listener gets every entry once, in order, after it is durable. What it throws ends the process. */
  onSynced(listener: (entries: readonly Entry[]) => void): void {
    this.#writer.onSynced = listener
  }

  /**
   * A segment begins with the entry at `firstPosition`. Called before `onSynced` gives that entry, so that the caller's state is
   * the one after `firstPosition - 1`: the state to write as a checkpoint.
   */
  onSegment(listener: (firstPosition: number) => void): void {
    this.#writer.onSegment = listener
  }

  /** The oldest entry that is kept; one after the last when there is none. */
  get firstPosition(): number {
    return this.#writer.segments[0]?.firstPosition ?? this.#writer.syncedPosition + 1
  }

  get lastPosition(): number {
    return this.#lastPosition
  }

  get syncedPosition(): number {
    return this.#writer.syncedPosition
  }

  get unsyncedBytes(): number {
    return this.#writer.unsyncedBytes
  }

  /** Segments and checkpoints on disk. */
  get bytes(): number {
    return this.#writer.segmentBytes + this.#checkpoints.bytes
  }

  /** Too much waits for the disk: the caller pauses its sockets. */
  get shouldPause(): boolean {
    return this.unsyncedBytes >= MAX_UNSYNCED_BYTES
  }

  /** Lower than the pause, so that it does not flap. */
  get shouldResume(): boolean {
    return this.unsyncedBytes <= RESUME_UNSYNCED_BYTES
  }

  /** The limit is reached: the caller stops recording and says so, in the RESERVE_BYTES that append still takes. */
  get isFull(): boolean {
    return this.bytes + this.unsyncedBytes >= this.#options.limitBytes
  }

  /** So near the limit that written segments go before their retention is over: `release` is to be called now. */
  get isCrowded(): boolean {
    return this.bytes + this.unsyncedBytes > this.#crowdedBytes
  }

  /** Leaves room for a whole segment and its checkpoint, so that a journal that is let go in time is never full. */
  get #crowdedBytes(): number {
    const { limitBytes, maxSegmentBytes = DEFAULT_SEGMENT_BYTES } = this.#options
    const share = Math.floor(limitBytes / 100) * EARLY_RELEASE_PERCENT
    return Math.min(share, limitBytes - maxSegmentBytes - this.#checkpoints.largestBytes)
  }

  /**
   * Durable entries from `from` to `to` (at most to what is durable at the call), in batches of about READ_BATCH_BYTES. Payloads of
   * a batch share one buffer: keep copies, not many batches.
   * @throws JournalError RELEASED; JournalDamageError, which says where reading can go on.
   */
  read(from: number, to: number = Number.MAX_SAFE_INTEGER): AsyncIterable<readonly Entry[]> {
    invariant(Number.isSafeInteger(from) && from > 0, 'a journal is read from a position, and positions start at 1')
    const end = Math.min(to, this.syncedPosition)
    return readEntries(this.#disk, this.#directory, this.#writer.segments, from, end)
  }

  /** Keeps the caller's state after the entry at `position`. @throws JournalError WRITE_FAILED; the journal is not harmed. */
  async writeCheckpoint(position: number, bytes: Uint8Array): Promise<void> {
    if (this.#closed) throw closed()
    invariant(position >= 0 && position <= this.syncedPosition, 'a checkpoint is of a durable position')
    await this.#checkpoints.write(position, bytes)
  }

  /**
   * The newest checkpoint that holds, at or before a position; damaged ones are skipped, and those whose next entry is no longer
   * kept: a crash may leave them behind the segments that were let go.
   */
  newestCheckpoint(atOrBefore: number): Promise<Checkpoint | null> {
    return this.#checkpoints.newest(atOrBefore, this.firstPosition - 1)
  }

  /**
   * Deletes the checkpoints after a position: they were made from entries that, it turned out, cannot be read again, and a replay
   * must not skip over that.
   */
  async forgetCheckpointsAfter(position: number): Promise<void> {
    await this.#checkpoints.removeAfter(position)
  }

  /**
   * Deletes the oldest segments: those whose entries are all written on (`writtenUpTo`) and either older than the retention or,
   * near the limit, of any age. Never one that a replay still needs: a checkpoint must stand at or after its last entry, and at
   * or before `writtenUpTo`. Checkpoints that no kept segment follows go too.
   */
  release(writtenUpTo: number, nowNs: bigint): Promise<void> {
    this.#releasing = this.#releasing
      .catch(() => undefined) // the earlier caller has that error
      .then(() =>
        releaseSegments(this.#disk, this.#directory, this.#writer, this.#checkpoints, writtenUpTo, {
          olderThanNs: nowNs - BigInt(this.#options.retentionMs) * 1_000_000n,
          crowdedBytes: this.#crowdedBytes,
        }),
      )
    return this.#releasing
  }

  /** Resolves when everything appended so far is durable. @throws JournalError, the failure that kept it from being. */
  sync(): Promise<void> {
    return this.#writer.sync(this.#lastPosition)
  }

  /** Makes everything durable (unless the disk has failed) and lets the directory go. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    try {
      if (this.#writer.failure === null) await this.#writer.sync(this.#lastPosition)
      await this.#releasing.catch(() => undefined) // its caller has that error
    } finally {
      await this.#writer.close()
      await this.#lock.release()
    }
  }

  #claimRoom(bytes: number): void {
    if (this.unsyncedBytes + bytes > OVERRUN_BYTES) {
      throw new JournalError(
        'OVERRUN',
        `${this.unsyncedBytes} bytes wait for the disk; pause the sockets when shouldPause says so`,
      )
    }
    if (!this.isFull) {
      this.#reserveUsed = 0
      return
    }
    if (this.#reserveUsed + bytes > RESERVE_BYTES) {
      throw new JournalError(
        'FULL',
        `the journal holds ${this.bytes} of ${this.#options.limitBytes} bytes and its reserve is used up; ` +
          'let the database catch up, or raise the limit',
      )
    }
    this.#reserveUsed += bytes
  }
}

type Opened = Readonly<{
  journalId: string
  disk: Disk
  lock: Lock
  recovered: Recovered
  checkpoints: Checkpoints
  writer: GroupWriter
}>

/** What a crash left of files that were not yet given their name. */
async function removeTemporary(disk: Disk, directory: string): Promise<void> {
  for (const name of await disk.list(directory)) {
    if (name.endsWith(TEMPORARY_SUFFIX)) await disk.remove(join(directory, name))
  }
}

function closed(): JournalError {
  return new JournalError('CLOSED', 'the journal is closed; open it again to write')
}
