import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

/** What Linux says of processes, from /proc. */

/** Lets the process, all its threads and what they start run on these processors alone. */
export function pin(pid: number, processors: string): void {
  spawnSync('taskset', ['-apc', processors, String(pid)])
}

/** Bytes resident now; 0 when it is gone. */
export function memoryOf(pid: number): number {
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`)) ?? []
  return Number(kib ?? 0) * 1_024
}

/** Milliseconds of processor that a process has used. */
export function processorMsOf(pid: number): number {
  const stat = read(`/proc/${pid}/stat`)
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[UTIME] ?? 0) + Number(fields[STIME] ?? 0)) * MS_PER_CLOCK_TICK
}

export function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((candidate) => {
      const stat = read(`/proc/${candidate}/stat`)
      return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[PARENT]) === pid
    })
}

/** Places of fields in /proc/PID/stat, counted after the name; a clock tick is 10 ms on every Linux of today. */
const PARENT = 1
const UTIME = 11
const STIME = 12
const MS_PER_CLOCK_TICK = 10

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return '' // gone meanwhile
  }
}
