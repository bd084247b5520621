import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { invariant } from '@booktape/market'
import { TEMPORARY_SUFFIX } from './checkpoints.ts'
import { type Disk, readFully, withFile, writeFully } from './disk.ts'
import { systemCode } from './errors.ts'
import type { FoundSegment } from './recovery.ts'
import { isUuid } from './segment-header.ts'

export const ID_NAME = 'journal.id'
const ID_BYTES = 37 // a UUID and a line end

/**
 * The id of the journal in a directory: the one its segments bear (a checksum guards it there); without segments, the one in
 * its file; without either, a new one (`proposed`, or a random one).
 */
export async function settleJournalId(
  disk: Disk,
  directory: string,
  found: readonly FoundSegment[],
  proposed: string | undefined,
): Promise<string> {
  const kept = await readId(disk, directory)
  const borne = found.find((segment) => segment.reading.kind === 'read')?.reading
  const id = borne?.kind === 'read' ? borne.header.journalId : (kept ?? proposed ?? randomUUID())
  invariant(isUuid(id), 'a journal id is a lower-case UUID')
  if (id !== kept) await writeId(disk, directory, id)
  return id
}

async function writeId(disk: Disk, directory: string, id: string): Promise<void> {
  const temporary = join(directory, `${ID_NAME}${TEMPORARY_SUFFIX}`)
  await withFile(disk, temporary, 'create', async (file) => {
    await writeFully(file, new TextEncoder().encode(`${id}\n`), 0)
    await file.sync()
  })
  await disk.rename(temporary, join(directory, ID_NAME))
  await disk.syncDirectory(directory)
}

async function readId(disk: Disk, directory: string): Promise<string | null> {
  const bytes = new Uint8Array(ID_BYTES)
  try {
    await withFile(disk, join(directory, ID_NAME), 'read', (file) => readFully(file, bytes, 0))
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return null
    throw error
  }
  const text = new TextDecoder().decode(bytes).trimEnd()
  return isUuid(text) ? text : null
}
