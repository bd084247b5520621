import { type FileHandle, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join, sep } from 'node:path'
import type { AsyncBuffer } from 'hyparquet'
import { ArchiveError } from './errors.ts'
import type { ArchiveStorage } from './storage.ts'

/** On the same file system as the archive, so that a rename publishes; engines leave out what begins with a dot. */
const STAGE = '.incoming'

/** A folder. A file is synced before it is renamed into place, and its directory after that. */
export function localStorage(root: string): ArchiveStorage {
  const orUnreachable = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      if (error instanceof ArchiveError) throw error
      const why = error instanceof Error ? error.message : String(error)
      throw new ArchiveError(
        'UNREACHABLE',
        `The archive ${root} cannot be ${what}: ${why}. Mend that, then run this again.`,
        { cause: error },
      )
    }
  }
  return {
    name: root,
    open: (path) => orUnreachable('read', () => openFile(join(root, path))),
    readText: (path) => orUnreachable('read', () => orNull(() => readFile(join(root, path), 'utf8'))),
    list: (folder) =>
      orUnreachable('read', async () => {
        const entries = await orNull(() => readdir(join(root, folder), { recursive: true, withFileTypes: true }))
        return (entries ?? [])
          .filter((entry) => entry.isFile())
          .map((entry) => join(entry.parentPath, entry.name).slice(join(root, '/').length).split(sep).join('/'))
          .sort()
      }),
    stage: () =>
      orUnreachable('written', async () => {
        const directory = join(root, STAGE)
        await rm(directory, { recursive: true, force: true })
        await mkdir(directory, { recursive: true })
        return directory
      }),
    publish: (stagedFile, path) =>
      orUnreachable('written', async () => {
        const target = join(root, path)
        await mkdir(dirname(target), { recursive: true })
        await sync(stagedFile)
        await rename(stagedFile, target)
        await sync(dirname(target))
      }),
    remove: (path) => orUnreachable('written', () => rm(join(root, path), { force: true })),
    close: () => Promise.resolve(),
  }
}

async function openFile(file: string): Promise<(AsyncBuffer & { close(): Promise<void> }) | null> {
  const handle = await orNull(() => open(file, 'r'))
  if (handle === null) return null
  const { size } = await handle.stat()
  return {
    byteLength: size,
    slice: (start, end = size) => readPart(handle, start, end),
    close: () => handle.close(),
  }
}

async function readPart(handle: FileHandle, start: number, end: number): Promise<ArrayBuffer> {
  const bytes = new Uint8Array(end - start)
  let at = 0
  while (at < bytes.length) {
    const { bytesRead } = await handle.read(bytes, at, bytes.length - at, start + at)
    if (bytesRead === 0) break // the file became shorter: its reader will say that it is damaged
    at += bytesRead
  }
  return bytes.buffer
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Null where there is no such file. */
async function orNull<T>(work: () => Promise<T>): Promise<T | null> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
}
