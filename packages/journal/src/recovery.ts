import { join } from 'node:path'
import { type Disk, type DiskFile, readFully, withFile } from './disk.ts'
import { JournalError } from './errors.ts'
import { READ_BATCH_BYTES } from './limits.ts'
import { HEADER_BYTES, HEADER_READ_BYTES, type HeaderReading, readHeader, segmentFirst } from './segment-header.ts'
import { type ScanBreak, SegmentScanner } from './segment-scanner.ts'
import { setBytesAside, setFileAside, trimSetAside } from './set-aside.ts'

export type BreakReason = ScanBreak | 'bad header' | 'other journal' | 'missing segment' | 'wrong length'

/**
 * Where the journal stopped being readable. `position` is the first entry that is lost; the entries before are all kept. A
 * `torn tail` of the last segment is what a crash leaves and was never synced; anything else may have been.
 */
export type Damage = Readonly<{ position: number; reason: BreakReason; bytesDropped: number; segment: string }>

export type Recovery = Readonly<{
  lastPosition: number // the next entry gets the one after
  damage: Damage | null
  /** Files set aside by earlier recoveries that were deleted now, because they passed MAX_DAMAGED_BYTES. */
  deletedAside: readonly string[]
}>

/** A segment on disk that is read. `lastWallNs` is the wallNs of its last entry. */
export type Segment = { readonly name: string; readonly firstPosition: number; bytes: number; lastWallNs: bigint }

/** Where writing goes on. `segments` is in order; the last one is written on. */
export type Recovered = Readonly<{ recovery: Recovery; segments: Segment[]; chain: number }>

export type FoundSegment = Readonly<{ name: string; firstPosition: number; bytes: number; reading: HeaderReading }>

/**
 * What is there, in order. Nothing is changed.
 * @throws JournalError NEWER_FORMAT when any segment was written by a newer booktape.
 */
export async function findSegments(disk: Disk, directory: string): Promise<readonly FoundSegment[]> {
  const found: FoundSegment[] = []
  for (const name of await disk.list(directory)) {
    const firstPosition = segmentFirst(name)
    if (firstPosition === null) continue
    const path = join(directory, name)
    const { bytes } = await disk.stat(path)
    const head = new Uint8Array(Math.min(bytes, HEADER_READ_BYTES))
    const count = await withFile(disk, path, 'read', (file) => readFully(file, head, 0))
    const reading = readHeader(head.subarray(0, count))
    if (reading.kind === 'newer') {
      throw new JournalError(
        'NEWER_FORMAT',
        `segment ${name} has format ${reading.version}, written by a newer booktape; ` +
          'start that version again, or give this one another data directory. Nothing was changed',
      )
    }
    found.push({ name, firstPosition, bytes, reading })
  }
  return found.sort((a, b) => a.firstPosition - b.firstPosition)
}

/**
 * Brings the directory to a proven state: everything before the first break is kept, everything after is set aside (a plain
 * torn tail is cut off). The last segment is read whole; the older ones are proven complete by the headers, and proven intact
 * when they are read.
 */
export async function recover(
  disk: Disk,
  directory: string,
  journalId: string,
  found: readonly FoundSegment[],
): Promise<Recovered> {
  const damages: Damage[] = []
  const kept = found.slice(0, provenLinks(found, journalId))
  // The newest goes first: a crash in between leaves a journal that breaks at the same place.
  for (let index = found.length - 1; index >= kept.length; index -= 1) {
    const segment = found[index]
    if (segment === undefined) break
    const reason = linkBreak(found[index - 1], segment, journalId) ?? 'missing segment'
    damages.push(await dropSegment(disk, directory, segment, reason, index === found.length - 1))
  }
  const lastKept = kept.at(-1)
  let end: SegmentEnd | null = null
  if (lastKept?.reading.kind === 'read') {
    end = await recoverLast(disk, directory, lastKept, lastKept.reading, kept.length === found.length)
    await disk.syncDirectory(directory) // the same of its name: a kill may have come between the two syncs of a new segment
    if (end.damage !== null) damages.push(end.damage)
  }
  const deletedAside = damages.length === 0 ? [] : await trimSetAside(disk, directory)
  // Positions of a journal are never given twice, so one whose every segment is gone goes on where its first began.
  const lastPosition = end === null ? (found[0]?.firstPosition ?? 1) - 1 : end.lastPosition
  const segments = kept.map((segment, index) => ({
    name: segment.name,
    firstPosition: segment.firstPosition,
    bytes: segment.bytes,
    lastWallNs: previousWallNs(kept[index + 1]),
  }))
  const last = segments.at(-1)
  if (last !== undefined && end !== null) {
    last.bytes = end.bytes
    last.lastWallNs = end.lastWallNs
  }
  return { recovery: { lastPosition, damage: joined(damages), deletedAside }, segments, chain: end?.chain ?? 0 }
}

const previousWallNs = (segment: FoundSegment | undefined): bigint =>
  segment?.reading.kind === 'read' ? segment.reading.header.previousWallNs : 0n

/** How many segments, from the oldest on, are each the successor of the one before. */
function provenLinks(found: readonly FoundSegment[], journalId: string): number {
  const broken = found.findIndex((segment, index) => linkBreak(found[index - 1], segment, journalId) !== null)
  return broken === -1 ? found.length : broken
}

function linkBreak(previous: FoundSegment | undefined, segment: FoundSegment, journalId: string): BreakReason | null {
  const { reading } = segment
  if (reading.kind === 'cut') return 'torn tail'
  if (reading.kind !== 'read') return 'bad header'
  const { header } = reading
  if (header.journalId !== journalId) return 'other journal'
  if (header.firstPosition !== segment.firstPosition) return 'bad header'
  if (previous === undefined) return null // what came before was released
  if (header.previousFirst !== previous.firstPosition) return 'missing segment'
  return header.previousBytes === previous.bytes ? null : 'wrong length'
}

async function dropSegment(
  disk: Disk,
  directory: string,
  segment: FoundSegment,
  reason: BreakReason,
  isLast: boolean,
): Promise<Damage> {
  const path = join(directory, segment.name)
  const zeros = await withFile(disk, path, 'read', (file) => isZeroFrom(file, 0))
  if (zeros) {
    await disk.remove(path)
    await disk.syncDirectory(directory)
  } else {
    await setFileAside(disk, directory, segment.name)
  }
  // A cut header is what a crash leaves only where the crash was: in the last segment, with nothing behind the header.
  const torn = isLast && (zeros || segment.bytes < HEADER_BYTES)
  return {
    position: segment.firstPosition,
    reason: reason === 'torn tail' && !torn ? 'bad header' : reason,
    bytesDropped: segment.bytes,
    segment: segment.name,
  }
}

type SegmentEnd = Readonly<{
  lastPosition: number
  chain: number
  bytes: number
  lastWallNs: bigint
  damage: Damage | null
}>

async function recoverLast(
  disk: Disk,
  directory: string,
  segment: FoundSegment,
  reading: Extract<HeaderReading, { kind: 'read' }>,
  wasLast: boolean,
): Promise<SegmentEnd> {
  return withFile(disk, join(directory, segment.name), 'write', async (file) => {
    const start = { firstPosition: segment.firstPosition, headerChecksum: reading.checksum }
    const scanner = new SegmentScanner(file, start, Number.MAX_SAFE_INTEGER)
    while ((await scanner.next()) !== null);
    const { offset, broken } = scanner
    let damage: Damage | null = null
    if (broken !== null) {
      const zeros = await isZeroFrom(file, offset)
      const reason = zeros ? 'torn tail' : broken
      // A crash tears only the last segment: in another one the cut bytes are evidence.
      if (!zeros && !(wasLast && reason === 'torn tail')) {
        const tail = new Uint8Array(segment.bytes - offset)
        await readFully(file, tail, offset)
        await setBytesAside(disk, directory, `${segment.name}.from-${offset}`, tail)
      }
      await file.truncate(offset)
      const bytesDropped = segment.bytes - offset
      damage = { position: scanner.nextPosition, reason, bytesDropped, segment: segment.name }
    }
    // After a kill the last writes may be readable but not yet durable: what counts as synced from here on must be.
    await file.sync()
    const lastPosition = scanner.nextPosition - 1
    return { lastPosition, chain: scanner.chain, bytes: offset, lastWallNs: scanner.lastWallNs, damage }
  })
}

async function isZeroFrom(file: DiskFile, offset: number): Promise<boolean> {
  const bytes = new Uint8Array(READ_BATCH_BYTES)
  for (let at = offset; ; ) {
    const count = await readFully(file, bytes, at)
    if (bytes.subarray(0, count).some((byte) => byte !== 0)) return false
    if (count < bytes.length) return true
    at += count
  }
}

/** One damage for all: it begins where the first does, and drops what all drop together. */
function joined(damages: readonly Damage[]): Damage | null {
  const first = damages.reduce<Damage | null>(
    (least, damage) => (least === null || damage.position < least.position ? damage : least),
    null,
  )
  if (first === null) return null
  const bytesDropped = damages.reduce((sum, damage) => sum + damage.bytesDropped, 0)
  return bytesDropped === 0 ? null : { ...first, bytesDropped }
}
