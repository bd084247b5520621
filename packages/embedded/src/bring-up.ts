import { writeFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { systemClock } from '@booktape/runtime'
import { type Binaries, readFailure } from './binaries.ts'
import type { Cluster } from './cluster.ts'
import { EmbeddedError } from './errors.ts'
import { choosePort, type Launched, launchPostgres } from './launch.ts'
import { type Ownership, tryOwn } from './owner.ts'
import { findPostmaster, isAlive, type Postmaster } from './postmaster.ts'

const clock = systemClock()

/** Crash recovery replays up to `max_wal_size`; on a slow disk that takes minutes. */
export const START_DEADLINE_MS = 300_000
/** A starter that follows on the heels of another waits this long for it to let go. */
export const OWNER_WAIT_MS = 5000
/** Starts that may fail for a reason that passes: a port just taken, memory of a killed server not yet freed. */
export const MAX_STARTS = 20
/** SIGINT ends all sessions and writes a checkpoint: up to `max_wal_size` goes to disk. */
export const STOP_DEADLINE_MS = 20_000
/** SIGQUIT stops at once; the next start recovers. Nothing committed is lost. */
export const ABANDON_DEADLINE_MS = 5000

const LOOK_AGAIN_MS = 25

export type BringUpOptions = Readonly<{
  binaries: Binaries
  cluster: Cluster
  durable: boolean
  ownerWaitMs: number
  port?: number // only this one will do
  signal: AbortSignal
}>

export type Running = Readonly<{ postmaster: Postmaster; ownership: Ownership; wasRunning: boolean }>

/**
 * Whatever state the cluster is in, ends with a Postgres that is ready and owned by this process, or with an
 * `EmbeddedError`. Looks, does the one thing that is missing, and looks again:
 *
 *   nobody runs          start one (again, when the last failed for a passing reason)
 *   ours is starting     look again
 *   one runs, unowned    own it: left over by a killed process, or just started
 *   one runs, owned      wait a little, then refuse
 */
export async function bringUp(options: BringUpOptions): Promise<Running> {
  const { binaries, cluster, durable, signal } = options
  const startedNs = clock.monoNs()
  let launched: Launched | null = null
  let starts = 0

  for (;;) {
    const elapsedMs = Number((clock.monoNs() - startedNs) / 1_000_000n)
    const postmaster = await findPostmaster(cluster.path)
    if (postmaster !== null) {
      const attempt = await tryOwn(cluster, postmaster.port).catch((error: unknown) => {
        throw unwelcome(cluster, error)
      })
      if (attempt !== null && typeof attempt !== 'string') {
        await writeFile(cluster.portFile, `${postmaster.port}\n`, { mode: 0o600 })
        return { postmaster, ownership: attempt, wasRunning: postmaster.pid !== launched?.pid }
      }
      if (typeof attempt === 'string' && elapsedMs >= options.ownerWaitMs) throw inUse(cluster, attempt)
    } else {
      const words = launched === null ? '' : await launched.ended()
      if (words !== null) {
        if (starts >= MAX_STARTS || (launched !== null && !isPassing(words, options.port))) {
          throw readFailure('Starting the database', words, 'START')
        }
        const port = options.port ?? (await choosePort(cluster.portFile))
        launched = await launchPostgres(binaries, cluster, port, durable)
        starts++
      }
    }
    if (signal.aborted) {
      if (launched?.pid !== undefined) await stopPostmaster(launched.pid)
      throw new EmbeddedError('START', 'The start of the database was called off.')
    }
    if (elapsedMs > START_DEADLINE_MS) {
      const seconds = START_DEADLINE_MS / 1000
      throw new EmbeddedError('START', `Postgres was not ready after ${seconds} s: see ${cluster.logFile}.`)
    }
    await delay(LOOK_AGAIN_MS * Math.max(1, starts))
  }
}

/** Ends a postmaster and waits until it is gone. Ours or not: a process left over by another has no other parent. */
export async function stopPostmaster(pid: number): Promise<void> {
  const steps = [
    ['SIGINT', STOP_DEADLINE_MS],
    ['SIGQUIT', ABANDON_DEADLINE_MS],
  ] as const
  for (const [signal, deadlineMs] of steps) {
    if (!(await isAlive(pid)) || !trySignal(pid, signal)) return
    const deadlineNs = clock.monoNs() + BigInt(deadlineMs) * 1_000_000n
    while (clock.monoNs() < deadlineNs) {
      if (!(await isAlive(pid))) return
      await delay(LOOK_AGAIN_MS)
    }
  }
  throw new EmbeddedError(
    'STOP',
    `Postgres (process ${pid}) does not stop: end it by hand; what was committed is safe.`,
  )
}

/** False when nobody is there any more: it may end by itself between the look and the signal. */
function trySignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false
    throw error
  }
}

/** Reasons to try again: another start won, memory of a killed server is not yet free, the port was just taken. */
function isPassing(words: string, fixedPort: number | undefined): boolean {
  if (/lock file "postmaster.pid" already exists|shared memory block .* is still in use/.test(words)) return true
  return fixedPort === undefined && /could not bind|Address already in use/.test(words)
}

function inUse(cluster: Cluster, owner: string): EmbeddedError {
  const sentence = `The database in ${cluster.directory} is in use by ${owner}: stop that one, or set BOOKTAPE_DATA_DIR to another directory.`
  return new EmbeddedError('IN_USE', sentence)
}

function unwelcome(cluster: Cluster, error: unknown): EmbeddedError {
  const cause = error instanceof Error ? error.message : String(error)
  const sentence = `The database in ${cluster.directory} runs but does not let booktape in (${cause}): see ${cluster.logFile}.`
  return new EmbeddedError('START', sentence, { cause: error })
}
