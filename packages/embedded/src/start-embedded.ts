import { setTimeout as delay } from 'node:timers/promises'
import { findBinaries } from './binaries.ts'
import { bringUp, OWNER_WAIT_MS, type Running, stopPostmaster } from './bring-up.ts'
import { prepareCluster, ROLE } from './cluster.ts'
import { EmbeddedError } from './errors.ts'
import { trimLog } from './launch.ts'
import { runsOn } from './postmaster.ts'

export type EmbeddedOptions = Readonly<{
  /** Where the cluster lives; made when absent, reused otherwise. */
  directory: string
  /** Created when absent. Default: `booktape`. */
  database?: string
  /** Says what happens, a sentence at a time. */
  log?: (sentence: string) => void
  /** `false`: no fsync, for tests only. */
  durable?: boolean
  /** Starts Postgres again when it ends by itself. Default: true. */
  keepAlive?: boolean
  /** The folder of another Postgres's `initdb` and `postgres`. Default: the bundled one. */
  binaries?: string
  /** How long to wait for another booktape to let go of the directory. */
  ownerWaitMs?: number
}>

export type EmbeddedPostgres = Readonly<{
  /** `postgres://…` on loopback TCP, with its password; the same for as long as this lives, and usually across starts. */
  url: string
  /** Of the postmaster now running; changes when it had to be started again. */
  pid(): number
  /** Ends all sessions, writes everything down, resolves when the process is gone. May be called twice. */
  stop(): Promise<void>
}>

/** Waits between failed restarts: doubling, from the first to the last. */
export const FIRST_RESTART_WAIT_MS = 500
export const LAST_RESTART_WAIT_MS = 30_000

const LOG_CHECK_MS = 30_000

/**
 * The bundled Postgres, ready for connections. It outlives a killed owner, and the next start takes it over.
 * Throws `EmbeddedError`, whose message is for the operator.
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const { database = 'booktape', log = () => undefined, durable = true, keepAlive = true } = options
  const stopping = new AbortController()
  const binaries = await findBinaries(options.binaries)
  const cluster = await prepareCluster(options.directory, binaries, durable)
  const asked = { binaries, cluster, durable, signal: stopping.signal }

  let running: Running | null = await bringUp({ ...asked, ownerWaitMs: options.ownerWaitMs ?? OWNER_WAIT_MS })
  const { port } = running.postmaster
  let pid = running.postmaster.pid
  log(`${running.wasRunning ? 'took over' : 'started'} Postgres (process ${pid}) on port ${port}`)
  await running.ownership.createDatabase(database).catch(async (error: unknown) => {
    await stopPostmaster(pid)
    throw new EmbeddedError('START', `The database ${database} could not be made: see ${cluster.logFile}.`, {
      cause: error,
    })
  })
  running.ownership.rest()
  const logWatch = setInterval(() => void trimLog(cluster.logFile).catch(() => undefined), LOG_CHECK_MS).unref()
  const kept = keepAlive ? keepRunning() : Promise.resolve()

  async function keepRunning(): Promise<void> {
    let waitMs = FIRST_RESTART_WAIT_MS
    while (!stopping.signal.aborted) {
      await running?.ownership.lost
      if (stopping.signal.aborted) return
      running = null
      try {
        running = await bringUp({ ...asked, port, ownerWaitMs: 0 })
        running.ownership.rest()
        pid = running.postmaster.pid
        waitMs = FIRST_RESTART_WAIT_MS
        log(`the connection to Postgres was lost; it runs again (process ${pid})`)
      } catch (error) {
        if (stopping.signal.aborted) return
        log(
          `Postgres does not run; next try in ${waitMs} ms: ${error instanceof Error ? error.message : String(error)}`,
        )
        await delay(waitMs, undefined, { signal: stopping.signal, ref: false }).catch(() => undefined)
        waitMs = Math.min(waitMs * 2, LAST_RESTART_WAIT_MS)
      }
    }
  }

  async function stopOnce(): Promise<void> {
    clearInterval(logWatch)
    stopping.abort()
    if (running === null) await kept // a restart is being called off, or has just succeeded
    // Only what is ours: when a restart found another owner, there is nothing to stop.
    if (running !== null && (await runsOn(running.postmaster.pid, cluster.path))) {
      await stopPostmaster(running.postmaster.pid)
    }
    await running?.ownership.release()
    await kept
  }

  let stopped: Promise<void> | undefined
  return {
    url: `postgres://${ROLE}:${cluster.password}@127.0.0.1:${port}/${database}`,
    pid: () => pid,
    stop: () => (stopped ??= stopOnce()),
  }
}
