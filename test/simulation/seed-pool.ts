import { type ChildProcess, fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { SeedOrder, SeedReport } from './seed-worker.ts'

/** What became of one seed: its report, or why there is none. */
export type SeedEnd = Readonly<{ seed: number } & ({ report: SeedReport } | { failure: string })>

/** A seed takes a second or two, several on a busy machine: one that takes as long as this crawls, or hangs. Real time, for each run. */
export const CRAWLS_AFTER_S = 240

/**
 * A recorder that is killed never hears that its waiting is over, and Node keeps what listens to a composed signal: some megabytes
 * a seed. After this many the process is replaced.
 */
const SEEDS_A_PROCESS = 40

/**
 * Runs seeds in as many processes as there are processors, until `nextOrder` has no more, and tells each end as soon as it is
 * there. A process that dies, or takes longer than `limitS` for a run, is replaced by another.
 */
export async function runSeeds(
  script: URL,
  limitS: number,
  nextOrder: () => SeedOrder | null,
  onEnd: (end: SeedEnd) => void,
): Promise<void> {
  const work = async (): Promise<void> => {
    let worker: ChildProcess | null = null
    let seedsRun = 0
    for (let order = nextOrder(); order !== null; order = nextOrder()) {
      if (worker === null) {
        worker = fork(fileURLToPath(script), { serialization: 'advanced' })
        seedsRun = 0
      }
      const end = await runInWorker(worker, order, limitS)
      onEnd(end)
      if ('report' in end && ++seedsRun < SEEDS_A_PROCESS) continue
      worker.kill('SIGKILL')
      worker = null
    }
    worker?.disconnect()
  }
  await Promise.all(Array.from({ length: availableParallelism() }, work))
}

function runInWorker(worker: ChildProcess, { seed, isTwice }: SeedOrder, limitS: number): Promise<SeedEnd> {
  return new Promise((resolve) => {
    const finish = (end: SeedEnd): void => {
      clearTimeout(timer)
      worker.off('message', onReport)
      worker.off('exit', onExit)
      resolve(end)
    }
    const onReport = (report: SeedReport): void => finish({ seed, report })
    const onExit = (code: number | null): void =>
      finish({ seed, failure: `its process ended with ${code ?? 'a signal'}` })
    const failure = `crawls: it was given up after ${limitS} s a run`
    const timer = setTimeout(() => finish({ seed, failure }), limitS * 1000 * (isTwice ? 2 : 1))
    worker.on('message', onReport)
    worker.on('exit', onExit)
    worker.send({ seed, isTwice } satisfies SeedOrder)
  })
}
