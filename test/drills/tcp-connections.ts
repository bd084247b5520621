import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

const ESTABLISHED = '01'

/** Local ports of the connections that a process has open to a port of 127.0.0.1, as Linux lists them. */
export function connectionsTo(pid: number, port: number): number[] {
  const own = new Set(
    readdirSync(`/proc/${pid}/fd`).map((name) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${name}`))?.[1]
      } catch {
        return undefined // closed meanwhile
      }
    }),
  )
  return readFileSync(`/proc/${pid}/net/tcp`, 'latin1')
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , remote, state, , , , , , inode]) => {
      return state === ESTABLISHED && portOf(remote) === port && own.has(inode)
    })
    .map(([, local]) => portOf(local))
}

/** Of an address like `0100007F:1F90`. */
function portOf(address: string | undefined): number {
  return Number.parseInt(address?.split(':')[1] ?? '', 16)
}
