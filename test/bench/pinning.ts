import { execFileSync } from 'node:child_process'
import { cpus } from 'node:os'

// The recorder and its peer have the last core for themselves; everything else of a run stays off it. Without taskset, or with one
// core only, nothing is pinned, and the report says so.

export const isPinned = cpus().length > 1 && hasTaskset()

const LAST = cpus().length - 1
const OTHERS = `0-${LAST - 1}`

/** Node on the last core: the command, and what stands before the arguments. */
export const nodeOnOwnCore: Readonly<{ command: string; before: readonly string[] }> = isPinned
  ? { command: 'taskset', before: ['-c', String(LAST), process.execPath] }
  : { command: process.execPath, before: [] }

/** Keeps a process that runs, all its threads, and whatever it starts from now on, off the last core. */
export function keepOffOwnCore(pid: number): void {
  if (isPinned) execFileSync('taskset', ['-a', '-c', '-p', OTHERS, String(pid)], { stdio: 'ignore' })
}

function hasTaskset(): boolean {
  try {
    execFileSync('taskset', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
