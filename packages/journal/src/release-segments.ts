import { join } from 'node:path'
import type { Checkpoints } from './checkpoints.ts'
import type { Disk } from './disk.ts'
import type { GroupWriter } from './group-writer.ts'

/** Deletes what no replay needs any more, the oldest first, so that what is left is always the whole newer end. */
export async function releaseSegments(
  disk: Disk,
  directory: string,
  writer: GroupWriter,
  checkpoints: Checkpoints,
  writtenUpTo: number,
  bounds: Readonly<{ olderThanNs: bigint; crowdedBytes: number }>,
): Promise<void> {
  const releasable = (startOfReplay: number): string | null => {
    const [oldest, next] = writer.segments
    if (oldest === undefined || next === undefined || next.firstPosition - 1 > startOfReplay) return null
    const isOld = oldest.lastWallNs < bounds.olderThanNs
    const isCrowded = writer.segmentBytes + checkpoints.bytes > bounds.crowdedBytes
    return isOld || isCrowded ? oldest.name : null
  }
  if (releasable(writtenUpTo) === null) return // so that no checkpoint is read in vain
  const startOfReplay = (await checkpoints.newest(writtenUpTo))?.position ?? 0
  let deleted = 0
  for (let name = releasable(startOfReplay); name !== null; name = releasable(startOfReplay)) {
    writer.forgetOldest()
    await disk.remove(join(directory, name))
    deleted += 1
  }
  const first = writer.segments[0]?.firstPosition
  if (deleted === 0 || first === undefined) return
  await checkpoints.removeBefore(first - 1)
  await disk.syncDirectory(directory)
}
