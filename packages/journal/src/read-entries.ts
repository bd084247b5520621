import { join } from 'node:path'
import { type Disk, type DiskFile, readFully } from './disk.ts'
import type { Entry } from './entry.ts'
import { JournalDamageError, JournalError, systemCode } from './errors.ts'
import type { Segment } from './recovery.ts'
import { HEADER_BYTES, readHeader } from './segment-header.ts'
import { SegmentScanner } from './segment-scanner.ts'

/**
 * The entries `from` .. `to`, all of them durable, in batches. `segments` is the journal's own list, in order, and may grow
 * and lose its oldest meanwhile.
 * @throws JournalError RELEASED; JournalDamageError, after all that is proven has been given.
 */
export async function* readEntries(
  disk: Disk,
  directory: string,
  segments: readonly Segment[],
  from: number,
  to: number,
): AsyncGenerator<readonly Entry[]> {
  let chain: number | null = null // of the segment read before
  for (let wanted = from; wanted <= to; ) {
    const segment = segments.findLast((candidate) => candidate.firstPosition <= wanted)
    if (segment === undefined) throw released(wanted, segments[0]?.firstPosition)
    const next = segments[segments.indexOf(segment) + 1]
    const lastHere = next === undefined ? to : Math.min(to, next.firstPosition - 1)
    const damaged = (reason: string): JournalDamageError =>
      new JournalDamageError(segment.name, wanted, next?.firstPosition ?? to + 1, reason)

    const file = await openSegment(disk, join(directory, segment.name), damaged, () => !segments.includes(segment))
    try {
      const head = new Uint8Array(HEADER_BYTES)
      const reading = readHeader(head.subarray(0, await readFully(file, head, 0)))
      if (reading.kind !== 'read' || reading.header.firstPosition !== segment.firstPosition) throw damaged('bad header')
      if (chain !== null && reading.header.chain !== chain) throw damaged('not the successor of the segment before')
      const start = { firstPosition: segment.firstPosition, headerChecksum: reading.checksum }
      const scanner = new SegmentScanner(file, start, lastHere)
      for (let batch = await scanner.next(); batch !== null; batch = await scanner.next()) {
        const asked = batch.filter((entry) => entry.position >= wanted)
        if (asked.length > 0) yield asked
        wanted = Math.max(wanted, scanner.nextPosition)
      }
      if (wanted <= lastHere) throw damaged(scanner.broken ?? 'the file ends early')
      chain = scanner.chain
    } finally {
      await file.close()
    }
  }
}

async function openSegment(
  disk: Disk,
  path: string,
  damaged: (reason: string) => JournalDamageError,
  wasReleased: () => boolean,
): Promise<DiskFile> {
  try {
    return await disk.open(path, 'read')
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error
    throw wasReleased()
      ? new JournalError('RELEASED', `${path} was released while it was read`)
      : damaged('no such file')
  }
}

function released(position: number, first: number | undefined): JournalError {
  return new JournalError(
    'RELEASED',
    `position ${position} was released${first === undefined ? '' : `; the oldest that is kept is ${first}`}. ` +
      'Read from there on, or keep segments longer (retention)',
  )
}
