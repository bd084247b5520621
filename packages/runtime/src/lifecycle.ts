import { type Clock, systemClock } from './clock.ts'
import { ConfigError, type Environment } from './settings.ts'

/** Exit code after a bug of ours (EX_SOFTWARE of sysexits.h). */
export const EXIT_BUG = 70
/** Exit code when a stop did not finish in time. */
export const EXIT_LATE = 1

/** A stop must finish within Kubernetes' 30 s, with room to be killed cleanly (guarantee G15). */
export const STOP_DEADLINE_MS = 25_000
/** Ctrl-C under npm arrives twice, from the terminal and from npm: within this time it is one request. */
export const SAME_REQUEST_MS = 500
/** How long the last deed after a bug may take. */
export const LAST_DEED_MS = 2000
/** The oldest Node that runs booktape's TypeScript with every feature it uses. */
export const OLDEST_NODE = 24

/** What a lifecycle needs of the process; `process` itself fits. */
export type ProcessEvents = Readonly<{
  on(event: string, listener: (...args: unknown[]) => void): unknown
  removeListener(event: string, listener: (...args: unknown[]) => void): unknown
  exit(code: number): unknown
}>

export type LifecycleOptions = Readonly<{
  /** Says a sentence: `stop` for a requested stop, `fatal` for a bug with its error. */
  log: Readonly<{ stop(sentence: string): void; fatal(error: unknown, sentence: string): void }>
  /** The best-effort last deed after a bug, such as syncing the journal. */
  lastDeed?: () => Promise<void> | void
  deadlineMs?: number
  process?: ProcessEvents
  clock?: Clock
}>

export type Lifecycle = Readonly<{
  /** Fires at the first SIGTERM or SIGINT: stop dialing, flush, end honestly. */
  stopping: AbortSignal
  /** Fires at the second: make durable what is in memory and go. */
  hurrying: AbortSignal
  /** Asks for a stop as a signal would. */
  stop(reason: string): void
  /** The work is over: lets go of the signals and the deadline. */
  close(): void
}>

const SIGNALS = ['SIGTERM', 'SIGINT'] as const
const BUGS = ['uncaughtException', 'unhandledRejection'] as const

/**
 * Turns signals into two `AbortSignal`s, and bugs into an exit.
 *
 *   first signal    stopping fires; the deadline starts
 *   second signal   hurrying fires (an echo of the first does nothing)
 *   deadline        a sentence, exit 1
 *   bug             the error, the last deed, exit 70: never continue in a state known to be wrong
 */
export function watchLifecycle(options: LifecycleOptions): Lifecycle {
  const { log, deadlineMs = STOP_DEADLINE_MS, clock = systemClock() } = options
  const events: ProcessEvents = options.process ?? process
  const stopping = new AbortController()
  const hurrying = new AbortController()
  let deadline: NodeJS.Timeout | undefined
  let askedNs = 0n
  let dying = false

  function stop(reason: string): void {
    if (stopping.signal.aborted) {
      if (hurrying.signal.aborted || clock.monoNs() - askedNs < BigInt(SAME_REQUEST_MS) * 1_000_000n) return
      log.stop(`${reason} again: hurrying`)
      hurrying.abort()
      return
    }
    askedNs = clock.monoNs()
    log.stop(`${reason}: stopping`)
    deadline = setTimeout(() => {
      log.stop(
        `the stop did not finish within ${deadlineMs} ms: leaving; the journal makes up for it at the next start`,
      )
      events.exit(EXIT_LATE)
    }, deadlineMs)
    stopping.abort()
  }

  function onBug(error: unknown): void {
    if (dying) return // the last deed failed too, or a second bug follows the first
    dying = true
    log.fatal(error, 'a bug stopped this process; the next start continues from the journal')
    const limit = new Promise<void>((resolve) => setTimeout(resolve, LAST_DEED_MS))
    const deed = new Promise<void>((resolve) => resolve(options.lastDeed?.())).catch((trouble: unknown) => {
      log.fatal(trouble, 'the last deed failed')
    })
    void Promise.race([deed, limit]).then(() => events.exit(EXIT_BUG))
  }

  const onSignal = (signal: unknown): void => stop(String(signal))
  for (const signal of SIGNALS) events.on(signal, onSignal)
  for (const bug of BUGS) events.on(bug, onBug)

  return {
    stopping: stopping.signal,
    hurrying: hurrying.signal,
    stop,
    close: () => {
      clearTimeout(deadline)
      for (const signal of SIGNALS) events.removeListener(signal, onSignal)
      for (const bug of BUGS) events.removeListener(bug, onBug)
    },
  }
}

/** Throws `ConfigError` where this process must not start at all. */
export function assertNode(version: string = process.version, env: Environment = process.env): void {
  const problems: string[] = []
  const major = Number(/^v(\d+)\./.exec(version)?.[1] ?? 0)
  if (major < OLDEST_NODE) {
    problems.push(`Node ${version} is too old for booktape: start it by npm or npx, which bring Node ${OLDEST_NODE}.`)
  }
  // A wrong certificate would then be taken for the venue's (fault S1).
  if (env['NODE_TLS_REJECT_UNAUTHORIZED'] === '0') {
    problems.push('NODE_TLS_REJECT_UNAUTHORIZED is 0, which lets anyone pose as the venue: unset it.')
  }
  if (problems.length > 0) throw new ConfigError(problems)
}
