import { type Area, atMost, figureOf, OURS } from '../measure.ts'
import { planOf } from '../pipeline-run.ts'
import { measureRuns, PACED_FRAMES_PER_SECOND } from './pipeline.ts'

/** Half of them ask for books of the past, half export. */
const READERS = 4

/** Whether reading the same database hurts recording at 25,000 changes a second. */
export const readers: Area = {
  name: 'readers',
  run: async (options) => {
    const { isSmoke, seed } = options
    const plan = planOf(
      isSmoke
        ? { symbols: 3, levelsPerSide: 50, framesPerCycle: 20, cycles: 10, seed }
        : { symbols: 40, levelsPerSide: 1_000, framesPerCycle: 500, cycles: 5, seed },
    )
    const runs = await measureRuns(options, plan, isSmoke ? 100 : PACED_FRAMES_PER_SECOND, READERS)
    const p50 = runs('receive to commit, p50', 'ms', 'less', (run) => run.lagP50Ms)
    const p99 = runs('receive to commit, p99', 'ms', 'less', (run) => run.lagP99Ms)
    return {
      area: 'readers',
      workload: `25,000 changes a second of ${plan.works.length} symbols, while ${READERS} connections query the same database without a pause`,
      metrics: [
        p50,
        p99,
        runs('queries answered meanwhile', 'a second', 'more', (run) => run.answersPerSecond),
        runs('peak memory', 'MiB', 'less', (run) => run.residentMib),
      ],
      goals: [
        atMost('receive to commit, p50', figureOf(p50, OURS), 100, 'ms'),
        atMost('receive to commit, p99', figureOf(p99, OURS), 250, 'ms'),
      ],
    }
  },
}
