import type { Clock } from '@booktape/runtime'

/** A clock that moves only when told to. */
export type FakeClock = Clock &
  Readonly<{
    /** Moves both clocks on, waking sleepers in the order of their times; resolves when the woken have run. */
    advance(ms: number): Promise<void>
    /** Sets the wall clock as an operator or NTP would; the monotonic clock does not notice. */
    stepWall(ms: number): void
    /** How many sleep. */
    sleeping(): number
  }>

const NS_PER_MS = 1_000_000n

/** Starts at 2025-01-01T00:00:00Z unless told otherwise; the monotonic clock starts at one second. */
export function fakeClock(options: Readonly<{ wallNs?: bigint }> = {}): FakeClock {
  let monoNs = 1_000_000_000n
  let wallNs = options.wallNs ?? 1_735_689_600_000_000_000n
  let sleepers: { wakeNs: bigint; wake: () => void }[] = []

  function moveTo(timeNs: bigint): void {
    wallNs += timeNs - monoNs
    monoNs = timeNs
  }

  return {
    monoNs: () => monoNs,
    wallNs: () => wallNs,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted === true) return reject(abortError(signal))
        const sleeper = { wakeNs: monoNs + toNs(ms), wake }
        function wake(): void {
          signal?.removeEventListener('abort', onAbort)
          resolve()
        }
        function onAbort(): void {
          sleepers = sleepers.filter((other) => other !== sleeper)
          reject(abortError(signal))
        }
        signal?.addEventListener('abort', onAbort, { once: true })
        sleepers.push(sleeper)
      }),
    advance: async (ms) => {
      const endNs = monoNs + toNs(ms)
      await settle()
      for (;;) {
        const next = sleepers
          .filter((sleeper) => sleeper.wakeNs <= endNs)
          .sort((a, b) => (a.wakeNs < b.wakeNs ? -1 : a.wakeNs > b.wakeNs ? 1 : 0))[0]
        if (next === undefined) break
        sleepers = sleepers.filter((sleeper) => sleeper !== next)
        moveTo(next.wakeNs)
        next.wake()
        await settle()
      }
      moveTo(endNs)
    },
    stepWall: (ms) => {
      wallNs += toNs(ms)
    },
    sleeping: () => sleepers.length,
  }
}

/** Lets everything run that is ready to: one turn of the event loop after all microtasks. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

function toNs(ms: number): bigint {
  return BigInt(Math.round(ms * 1000)) * (NS_PER_MS / 1000n)
}

function abortError(signal: AbortSignal | undefined): Error {
  const error = new Error('The operation was aborted', { cause: signal?.reason })
  error.name = 'AbortError'
  return error
}
