import type { Disk, DiskFile } from '@booktape/journal'
import { invariant } from '@booktape/market'
import type { Dice } from './dice.ts'
import { GrowingBytes } from './growing-bytes.ts'
import { type Gate, US_PER_MS, type VirtualTime } from './virtual-time.ts'

/** What the next operations meet; a count is used up by one operation each. */
export type DiskFaults = {
  shortWrites: number
  failingWrites: number
  failingSyncs: number
  isFull: boolean
  slowSyncUntilUs: number
}

type Write = Readonly<{ at: number; bytes: Uint8Array }>

/** A file: what readers see, and what a loss of power would leave of it. */
type Inode = { seen: GrowingBytes; durable: GrowingBytes; unsynced: Write[]; modifiedUs: number }

type NameChange = Readonly<{ path: string; inode: Inode | null }> // null: the name is gone

const USUAL_SYNC_US = [100, 3_000] as const
const SLOW_SYNC_US = [300 * US_PER_MS, 5_000 * US_PER_MS] as const
/** Disks write whole sectors: a torn write ends at the border of one. */
const SECTOR_BYTES = 512

/**
 * A disk with a cache: what is written is seen at once and durable after a sync; names are durable after a sync of their
 * directory. A killed process leaves the cache as it is; a loss of power leaves what was durable, and of the rest what luck left.
 */
export class SimulatedDisk {
  readonly faults: DiskFaults = { shortWrites: 0, failingWrites: 0, failingSyncs: 0, isFull: false, slowSyncUntilUs: 0 }
  /** Told once when the next file of this ending is created. */
  watch: Readonly<{ ending: string; created: () => void }> | null = null
  /** Told of each fault that took effect. */
  onFault: (kind: string) => void = () => undefined
  readonly #time: VirtualTime
  readonly #dice: Dice
  #names = new Map<string, Inode>()
  #durableNames = new Map<string, Inode>()
  #nameChanges: NameChange[] = []
  #holder: Gate | null = null // who has the lock

  constructor(time: VirtualTime, dice: Dice) {
    this.#time = time
    this.#dice = dice
  }

  /** The disk as one process sees it: nothing comes back to one that is dead. */
  for(gate: Gate): Disk {
    const run = <T>(act: () => T, delayUs = 0): Promise<T> => this.#run(gate, delayUs, act)
    return {
      makeDirectory: () => run(() => undefined),
      lock: () =>
        run(() => {
          invariant(this.#holder === null || this.#holder.isDead, 'one recorder at a time has the journal')
          this.#holder = gate
          return {
            release: async () => {
              this.#holder = null
            },
          }
        }),
      list: () => run(() => [...this.#names.keys()].map((path) => path.slice(path.lastIndexOf('/') + 1))),
      open: (path, mode) => run(() => this.#open(gate, path, mode)),
      stat: (path) =>
        run(() => ({ bytes: this.#inode(path).seen.length, modifiedMs: this.#inode(path).modifiedUs / 1000 })),
      rename: (from, to) =>
        run(() => {
          const inode = this.#inode(from)
          this.#setName(from, null)
          this.#setName(to, inode)
        }),
      remove: (path) =>
        run(() => {
          this.#inode(path)
          this.#setName(path, null)
        }),
      syncDirectory: () =>
        run(() => {
          this.#durableNames = new Map(this.#names)
          this.#nameChanges = []
        }, this.#syncUs()),
    }
  }

  /** Paths of what is there, sorted. */
  paths(): readonly string[] {
    return [...this.#names.keys()].sort()
  }

  bytesOf(path: string): number {
    return this.#inode(path).seen.length
  }

  /** One bit of what is on the disk turns by itself. */
  flipBit(path: string, at: number): void {
    const inode = this.#inode(path)
    for (const bytes of [inode.seen, inode.durable]) {
      const byte = bytes.view()[at]
      if (byte !== undefined) bytes.write(Uint8Array.of(byte ^ (1 << this.#dice.between(0, 7))), at)
    }
  }

  /** The end of a file was never really there. */
  cut(path: string): void {
    const inode = this.#names.get(path)
    if (inode === undefined) return
    inode.durable.truncate(this.#dice.between(0, inode.durable.length))
    inode.seen = inode.durable.copy()
    inode.unsynced = []
  }

  /** A name disappears, as by a mistaken hand. */
  lose(path: string): void {
    this.#names.delete(path)
    this.#durableNames.delete(path)
    this.#nameChanges = this.#nameChanges.filter((change) => change.path !== path)
  }

  /** Power is lost. `isTorn`: the last write that got through may have got through in part. */
  losePower(isTorn: boolean): void {
    const kept = this.#nameChanges.slice(0, this.#dice.between(0, this.#nameChanges.length))
    this.#names = this.#durableNames
    for (const { path, inode } of kept) {
      if (inode === null) this.#names.delete(path)
      else this.#names.set(path, inode)
    }
    this.#durableNames = new Map(this.#names)
    this.#nameChanges = []
    for (const inode of new Set(this.#names.values())) {
      const survivors = inode.unsynced.slice(0, this.#dice.between(0, inode.unsynced.length))
      for (const write of survivors) inode.durable.write(write.bytes, write.at)
      const torn = inode.unsynced[survivors.length]
      if (isTorn && torn !== undefined) {
        const sectors = this.#dice.between(0, Math.floor(torn.bytes.length / SECTOR_BYTES))
        inode.durable.write(torn.bytes.subarray(0, sectors * SECTOR_BYTES), torn.at)
      }
      inode.unsynced = []
      inode.seen = inode.durable.copy()
    }
  }

  #open(gate: Gate, path: string, mode: 'create' | 'write' | 'read'): DiskFile {
    if (mode === 'create') {
      if (this.#names.has(path)) throw systemError('EEXIST', `${path} exists`)
      if (this.faults.isFull) throw this.#full()
      this.#setName(path, {
        seen: new GrowingBytes(),
        durable: new GrowingBytes(),
        unsynced: [],
        modifiedUs: this.#time.nowUs,
      })
      const { watch } = this
      if (watch !== null && path.endsWith(watch.ending)) {
        this.watch = null
        watch.created()
      }
    }
    const inode = this.#inode(path)
    const run = <T>(act: () => T, delayUs = 0): Promise<T> => this.#run(gate, delayUs, act)
    return {
      write: (bytes, at) => run(() => this.#write(inode, bytes, at)),
      read: (into, at) =>
        run(() => {
          const found = inode.seen.view().subarray(at, at + into.length)
          into.set(found)
          return found.length
        }),
      sync: () => run(() => this.#sync(inode), this.#syncUs()),
      truncate: (bytes) =>
        run(() => {
          inode.seen.truncate(bytes)
          inode.unsynced = []
          inode.durable = inode.seen.copy() // it is cut once, at a start, and a crash before its sync finds the same again
        }),
      close: () => run(() => undefined),
    }
  }

  #write(inode: Inode, bytes: Uint8Array, at: number): number {
    const { faults } = this
    if (faults.isFull) throw this.#full()
    if (faults.failingWrites > 0) {
      faults.failingWrites--
      this.onFault('write_error')
      throw systemError('EIO', 'i/o error on write')
    }
    let count = bytes.length
    if (faults.shortWrites > 0 && count > 1) {
      faults.shortWrites--
      this.onFault('short_write')
      count = this.#dice.between(1, count - 1)
    }
    const written = bytes.slice(0, count)
    inode.seen.write(written, at)
    inode.unsynced.push({ at, bytes: written })
    inode.modifiedUs = this.#time.nowUs
    return count
  }

  /** A failed sync is told once; what it lost is lost, and the next one would say that all is well. */
  #sync(inode: Inode): void {
    if (this.faults.failingSyncs > 0) {
      this.faults.failingSyncs--
      this.onFault('sync_error')
      const survivors = inode.unsynced.filter(() => this.#dice.chance(0.5))
      for (const write of survivors) inode.durable.write(write.bytes, write.at)
      inode.unsynced = []
      inode.seen = inode.durable.copy()
      throw systemError('EIO', 'i/o error on sync')
    }
    for (const write of inode.unsynced) inode.durable.write(write.bytes, write.at)
    inode.unsynced = []
  }

  #run<T>(gate: Gate, delayUs: number, act: () => T): Promise<T> {
    this.#time.activity++
    if (delayUs === 0) {
      if (gate.isDead) return new Promise(() => undefined)
      return new Promise((resolve) => resolve(act()))
    }
    return new Promise((resolve, reject) => {
      this.#time.after(delayUs, gate, () => {
        try {
          resolve(act())
        } catch (error) {
          reject(error)
        }
      })
    })
  }

  #syncUs(): number {
    const isSlow = this.#time.nowUs < this.faults.slowSyncUntilUs
    const [least, most] = isSlow ? SLOW_SYNC_US : USUAL_SYNC_US
    return this.#dice.between(least, most)
  }

  #full(): Error {
    this.onFault('disk_full')
    return systemError('ENOSPC', 'no space left on device')
  }

  #inode(path: string): Inode {
    const inode = this.#names.get(path)
    if (inode === undefined) throw systemError('ENOENT', `no such file: ${path}`)
    return inode
  }

  #setName(path: string, inode: Inode | null): void {
    if (inode === null) this.#names.delete(path)
    else this.#names.set(path, inode)
    this.#nameChanges.push({ path, inode })
  }
}

function systemError(code: string, message: string): Error {
  return Object.assign(new Error(`${code}: ${message}`), { code })
}
