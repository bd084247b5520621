import { readFile, readlink, rm } from 'node:fs/promises'
import { join } from 'node:path'

/** The main process of a Postgres that runs on a cluster. */
export type Postmaster = Readonly<{ pid: number; port: number }>

/**
 * Who runs on this cluster, by its lock file; `null` when nobody does. A lock file whose process is dead or is not
 * Postgres (the number was given to another) is removed, because Postgres asks only whether the number lives. That is safe: backends that
 * outlive a killed postmaster hold its shared memory, and a new one refuses to start until they are gone.
 */
export async function findPostmaster(clusterPath: string): Promise<Postmaster | null> {
  const lockFile = join(clusterPath, 'postmaster.pid')
  const text = await readFile(lockFile, 'utf8').catch(() => '')
  const lines = text.split('\n') // pid, data directory, start time, port, ...
  const pid = Number(lines[0])
  const port = Number(lines[3])
  if (!Number.isSafeInteger(pid) || pid <= 0 || !(port > 0)) return null // absent, or being written
  if (await runsOn(pid, clusterPath)) return { pid, port }
  await rm(lockFile, { force: true })
  return null
}

/** Lives: exists and is no zombie. A zombie holds nothing but its number, sometimes for seconds. */
export async function isAlive(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => null)
  if (stat === null) return process.platform !== 'linux' || canSignal(pid) // no /proc here, or it ended just now
  const state = stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3) // "pid (name) S ..."
  return state !== 'Z' && state !== 'X'
}

/** Whether a living process works in the cluster's directory, as a postmaster does from its first moments on. */
export async function runsOn(pid: number, clusterPath: string): Promise<boolean> {
  if (!(await isAlive(pid))) return false
  if (process.platform !== 'linux') return true
  const folder = await readlink(`/proc/${pid}/cwd`).catch(() => null)
  return folder === clusterPath
}

function canSignal(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
