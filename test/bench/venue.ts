import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { keepOffOwnCore } from './pinning.ts'
import type { Shape } from './workload.ts'

export type VenueOptions = Readonly<{
  works: readonly (Shape & { symbol: string })[] // one a symbol
  framesPerCycle: number
  cycles: number // how often all frames are sent
}>

export type VenueCommand =
  | Readonly<{ kind: 'go'; framesPerSecond: number | null }> // null: as fast as they are read
  | Readonly<{ kind: 'stop' }>

export type VenueReport =
  | Readonly<{ kind: 'listening'; port: number }>
  | Readonly<{ kind: 'subscribed' }>
  | Readonly<{ kind: 'sent'; tookMs: number }>

/** The venue in a process of its own. */
export type Venue = Readonly<{
  port: number
  /** Every symbol was asked for. */
  subscribed: Promise<void>
  go(framesPerSecond: number | null): void
  stop(): Promise<void>
}>

export async function startVenue(options: VenueOptions): Promise<Venue> {
  const child = fork(fileURLToPath(new URL('venue-process.ts', import.meta.url)), [JSON.stringify(options)], {
    execArgv: [],
  })
  if (child.pid !== undefined) keepOffOwnCore(child.pid)
  const listening = Promise.withResolvers<number>()
  const subscribed = Promise.withResolvers<void>()
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  subscribed.promise.catch(() => undefined)
  void ended.then(() => {
    const error = new Error('the venue of the benchmark ended')
    listening.reject(error)
    subscribed.reject(error)
  })
  child.on('message', (report: VenueReport) => {
    if (report.kind === 'listening') listening.resolve(report.port)
    else if (report.kind === 'subscribed') subscribed.resolve()
  })
  const tell = (command: VenueCommand): void => void child.send(command)
  return {
    port: await listening.promise,
    subscribed: subscribed.promise,
    go: (framesPerSecond) => tell({ kind: 'go', framesPerSecond }),
    stop: async () => {
      if (child.connected) tell({ kind: 'stop' })
      await ended
    },
  }
}
