import { join } from 'node:path'
import type { Disk } from './disk.ts'
import { withFile, writeFully } from './disk.ts'
import { MAX_DAMAGED_BYTES } from './limits.ts'

const SUFFIX = '.damaged'

/** Gives a file a name the journal never reads again: `<name>.<n>.damaged`, with the first n that is free. */
export async function setFileAside(disk: Disk, directory: string, name: string): Promise<void> {
  await disk.rename(join(directory, name), join(directory, await freeName(disk, directory, name)))
  await disk.syncDirectory(directory)
}

/** Keeps bytes that are about to be cut off a file, in a file of their own. */
export async function setBytesAside(disk: Disk, directory: string, name: string, bytes: Uint8Array): Promise<void> {
  await withFile(disk, join(directory, await freeName(disk, directory, name)), 'create', async (file) => {
    await writeFully(file, bytes, 0)
    await file.sync()
  })
  await disk.syncDirectory(directory)
}

async function freeName(disk: Disk, directory: string, name: string): Promise<string> {
  const taken = new Set(await disk.list(directory))
  let n = 1
  while (taken.has(`${name}.${n}${SUFFIX}`)) n += 1
  return `${name}.${n}${SUFFIX}`
}

/** Deletes the oldest files set aside until the rest is within the limit; returns the names of the deleted. */
export async function trimSetAside(
  disk: Disk,
  directory: string,
  limitBytes = MAX_DAMAGED_BYTES,
): Promise<readonly string[]> {
  const files: { name: string; bytes: number; modifiedMs: number }[] = []
  for (const name of await disk.list(directory)) {
    if (name.endsWith(SUFFIX)) files.push({ name, ...(await disk.stat(join(directory, name))) })
  }
  files.sort((a, b) => a.modifiedMs - b.modifiedMs || (a.name < b.name ? -1 : 1))
  let bytes = files.reduce((sum, file) => sum + file.bytes, 0)
  const deleted: string[] = []
  for (const file of files) {
    if (bytes <= limitBytes) break
    await disk.remove(join(directory, file.name))
    bytes -= file.bytes
    deleted.push(file.name)
  }
  if (deleted.length > 0) await disk.syncDirectory(directory)
  return deleted
}
