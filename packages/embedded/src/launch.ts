import { spawn } from 'node:child_process'
import { copyFile, open, readFile, stat, truncate } from 'node:fs/promises'
import { createServer } from 'node:net'
import { type Binaries, launchEnvironment, launchOf } from './binaries.ts'
import type { Cluster } from './cluster.ts'

export type Launched = Readonly<{
  pid: number | undefined // undefined: the program could not even be started
  /** What it said, once it has ended; `null` while it runs. */
  ended(): Promise<string | null>
}>

/** The log and one older log: Postgres speaks rarely, unless something fails in a loop. */
export const MAX_LOG_BYTES = 10 * 2 ** 20

const HOST = '127.0.0.1'

/** Starts Postgres in a session of its own: neither Ctrl-C nor the death of this process reaches it. */
export async function launchPostgres(
  binaries: Binaries,
  cluster: Cluster,
  port: number,
  durable: boolean,
): Promise<Launched> {
  await trimLog(cluster.logFile)
  const log = await open(cluster.logFile, 'a', 0o600)
  try {
    const { size } = await log.stat()
    const { program, prefix } = launchOf(binaries.postgres)
    const settings = Object.entries(settingsOf(port, durable)).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    const child = spawn(program, [...prefix, '-D', cluster.path, ...settings], {
      cwd: cluster.directory,
      detached: true,
      env: launchEnvironment(),
      stdio: ['ignore', log.fd, log.fd],
    })
    let trouble = ''
    child.once('error', (error) => {
      trouble = error.message
    })
    child.unref()
    return {
      pid: child.pid,
      ended: async () => {
        const isOver = child.exitCode !== null || child.signalCode !== null || trouble !== ''
        if (!isOver) return null
        const words = await readFile(cluster.logFile)
        return `${words.subarray(size).toString()}\n${trouble}`
      },
    }
  } finally {
    await log.close()
  }
}

function settingsOf(port: number, durable: boolean): Readonly<Record<string, string | number>> {
  return {
    listen_addresses: HOST,
    port,
    unix_socket_directories: '', // a socket's path may be 107 bytes long, a data directory's may be longer
    max_connections: 100,
    shared_buffers: '256MB',
    max_wal_size: '2GB', // a steady stream of rows: fewer, larger checkpoints
    synchronous_commit: 'on', // a committed position must not be lost
    timezone: 'UTC',
    log_timezone: 'UTC',
    log_line_prefix: '%m [%p] ',
    ...(durable ? {} : { fsync: 'off', full_page_writes: 'off' }),
  }
}

/** Keeps the log below its limit. Postgres appends to the same file all its life, so the file is copied and emptied. */
export async function trimLog(logFile: string): Promise<void> {
  const size = await stat(logFile).then(
    (found) => found.size,
    () => 0,
  )
  if (size <= MAX_LOG_BYTES) return
  await copyFile(logFile, `${logFile}.1`)
  await truncate(logFile)
}

/** The port of the last start when it is still free, so that a pasted URL stays true; else any free one. */
export async function choosePort(portFile: string): Promise<number> {
  const last = Number(await readFile(portFile, 'utf8').catch(() => '0'))
  const wanted = Number.isSafeInteger(last) && last > 1023 && last < 65_536 ? last : 0
  return (await freePort(wanted)) ?? (await freePort(0)) ?? 0
}

function freePort(wanted: number): Promise<number | null> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(null))
    probe.listen(wanted, HOST, () => {
      const address = probe.address()
      const port = address === null || typeof address === 'string' ? null : address.port
      probe.close(() => resolve(port))
    })
  })
}
