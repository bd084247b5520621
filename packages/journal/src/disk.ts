import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, rename, stat, unlink } from 'node:fs/promises'
import { type Lock, takeLock } from './lock.ts'

/** All the journal wants of a disk, small enough that a test can stand in for one and make it fail. */
export type Disk = Readonly<{
  makeDirectory(path: string): Promise<void>
  /** Makes the directory this process's alone. @throws JournalError LOCKED. */
  lock(directory: string): Promise<Lock>
  /** Names of what is in the directory, in no order. */
  list(directory: string): Promise<readonly string[]>
  /** `create` fails when the file exists; `write` and `read` fail when it does not. */
  open(path: string, mode: 'create' | 'write' | 'read'): Promise<DiskFile>
  stat(path: string): Promise<Readonly<{ bytes: number; modifiedMs: number }>>
  rename(from: string, to: string): Promise<void>
  remove(path: string): Promise<void>
  /** Makes created, renamed and removed names durable. */
  syncDirectory(path: string): Promise<void>
}>

export type DiskFile = Readonly<{
  /** Writes `bytes` at `at`; returns how many were written, which may be fewer than given. */
  write(bytes: Uint8Array, at: number): Promise<number>
  /** Fills `into` from `at`; returns how many were read, which may be fewer; 0 at the end of the file. */
  read(into: Uint8Array, at: number): Promise<number>
  /** Makes written bytes and the length durable. After it failed, nothing is known about what was written. */
  sync(): Promise<void>
  truncate(bytes: number): Promise<void>
  close(): Promise<void>
}>

export const nodeDisk: Disk = {
  async makeDirectory(path) {
    // Only the owner reads what was recorded.
    await mkdir(path, { recursive: true, mode: 0o700 })
  },
  lock: takeLock,
  list: (directory) => readdir(directory),
  open: async (path, mode) => diskFile(await open(path, FLAGS[mode], 0o600)),
  async stat(path) {
    const found = await stat(path)
    return { bytes: found.size, modifiedMs: found.mtimeMs }
  },
  rename,
  remove: unlink,
  async syncDirectory(path) {
    const handle = await open(path, constants.O_RDONLY)
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  },
}

const FLAGS = {
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
  write: constants.O_RDWR,
  read: constants.O_RDONLY,
} as const

function diskFile(handle: FileHandle): DiskFile {
  return {
    write: async (bytes, at) => (await handle.write(bytes, 0, bytes.length, at)).bytesWritten,
    read: async (into, at) => (await handle.read(into, 0, into.length, at)).bytesRead,
    sync: () => handle.datasync(),
    truncate: (bytes) => handle.truncate(bytes),
    close: () => handle.close(),
  }
}

/** A write may be short without an error (seen just before a disk was full), so it goes on until all is written. */
export async function writeFully(file: DiskFile, bytes: Uint8Array, at: number): Promise<void> {
  let written = 0
  while (written < bytes.length) {
    const count = await file.write(bytes.subarray(written), at + written)
    if (count <= 0) throw new Error(`the disk wrote ${count} of ${bytes.length - written} bytes without an error`)
    written += count
  }
}

/** Reads until `into` is full or the file ends; returns how many bytes were read. */
export async function readFully(file: DiskFile, into: Uint8Array, at: number): Promise<number> {
  let filled = 0
  while (filled < into.length) {
    const count = await file.read(into.subarray(filled), at + filled)
    if (count === 0) break
    filled += count
  }
  return filled
}

/** Runs `use` on an opened file and closes it whatever happens. */
export async function withFile<T>(
  disk: Disk,
  path: string,
  mode: 'create' | 'write' | 'read',
  use: (file: DiskFile) => Promise<T>,
): Promise<T> {
  const file = await disk.open(path, mode)
  try {
    return await use(file)
  } finally {
    await file.close()
  }
}
