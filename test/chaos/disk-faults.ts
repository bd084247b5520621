import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { World } from './world.ts'

/** Room for the first books and some minutes of journal. */
const DISK_MIB = 96

/** Mounting takes a privilege that many users and containers do not have: tried once, taken away again. */
export function canMount(): boolean {
  const directory = mkdtempSync(join(tmpdir(), 'booktape-chaos-mount-'))
  const isMounted = mount(directory)
  if (isMounted) unmount(directory)
  rmdirSync(directory)
  return isMounted
}

/**
 * A third line whose disk fills up to the last byte while it records. It must end, and not drop an entry in silence; with
 * room again it goes on from what it had written.
 */
export async function fillDisk(world: World): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'booktape-chaos-disk-'))
  if (!mount(directory)) throw new Error(`no disk could be mounted at ${directory}`)
  const remove = (): void => {
    unmount(directory)
    rmdirSync(directory)
  }
  world.leftovers.add(remove)
  // A new disk is a new journal, and a line has one: each round is a line of its own.
  const line = `disk-${world.retired.length + 1}`
  const recorder = world.recorder(line, { BOOKTAPE_DATA_DIR: join(directory, 'recorder') })
  try {
    recorder.start()
    await world.recovered()
    recorder.expectEnd()
    const filler = join(directory, 'filler')
    fill(filler, directory)
    world.count()
    const end = await recorder.endsByItself(FULL_PATIENCE_MS)
    if (end === null) {
      world.violated(`line ${line} lives on with its disk full\n${recorder.log.story()}`)
      await recorder.kill()
    } else if (end.code !== 1)
      world.violated(`a full disk ended line ${line} with ${end.code}\n${recorder.log.story()}`)
    rmSync(filler)
    recorder.start()
    await world.recovered()
    await recorder.stop()
  } finally {
    if (recorder.isRunning) await recorder.kill()
    world.recorders.delete(line)
    world.retired.push(recorder)
    world.leftovers.delete(remove)
    remove()
  }
}

const FULL_PATIENCE_MS = 60_000
const PIECE = Buffer.alloc(64 * 1_024)

function fill(file: string, directory: string): void {
  while (statfsSync(directory).bavail > 0) {
    try {
      writeFileSync(file, PIECE, { flag: 'a' })
    } catch {
      return // full in the middle of a piece
    }
  }
}

function mount(directory: string): boolean {
  return spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MIB}m`, 'tmpfs', directory]).status === 0
}

function unmount(directory: string): void {
  spawnSync('umount', [directory])
}
