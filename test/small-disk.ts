import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A disk of its own, so small that it can be filled: a tmpfs. */
export type SmallDisk = Readonly<{
  path: string
  /** Leaves not one free block. */
  fill(): void
  /** Takes the filling away again. */
  makeRoom(): void
  unmount(): void
}>

/** Mounting takes a privilege that many users and containers do not have: tried once, taken away again. */
export function canMount(): boolean {
  const disk = trySmallDisk(1)
  disk?.unmount()
  return disk !== null
}

/** Throws where nothing may be mounted. */
export function smallDisk(mebibytes: number): SmallDisk {
  const disk = trySmallDisk(mebibytes)
  if (disk === null) throw new Error('no disk could be mounted')
  return disk
}

const PIECE = Buffer.alloc(64 * 1_024)

function trySmallDisk(mebibytes: number): SmallDisk | null {
  const path = mkdtempSync(join(tmpdir(), 'booktape-small-disk-'))
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', path]).status !== 0) {
    rmdirSync(path)
    return null
  }
  const filler = join(path, 'filler')
  return {
    path,
    fill: () => {
      try {
        while (statfsSync(path).bavail > 0) writeFileSync(filler, PIECE, { flag: 'a' })
      } catch {
        // full in the middle of a piece
      }
    },
    makeRoom: () => rmSync(filler, { force: true }),
    unmount: () => {
      spawnSync('umount', ['--lazy', path])
      rmdirSync(path)
    },
  }
}
