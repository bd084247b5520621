import { type Area, atMost, figureOf, OURS } from '../measure.ts'
import { planOf } from '../pipeline-run.ts'
import { measureRuns } from './pipeline.ts'

/** All of Gemini: at most ten frames a second of each of 347 symbols, and what was seen at most. */
const SYMBOLS = 347
const FRAMES_PER_SECOND = 3_500

/** What a recorder of every symbol costs while the venue sends as much as it can. */
export const idle: Area = {
  name: 'idle',
  run: async (options) => {
    const shape = options.isSmoke
      ? { symbols: 25, levelsPerSide: 20, framesPerCycle: 10, cycles: 1, seed: options.seed }
      : { symbols: SYMBOLS, levelsPerSide: 300, framesPerCycle: 50, cycles: 8, seed: options.seed }
    const plan = planOf(shape)
    const runs = await measureRuns(options, plan, FRAMES_PER_SECOND)
    const share = runs('share of a core', 'cores', 'less', (run) => run.cpuShare)
    const memory = runs('peak memory', 'MiB', 'less', (run) => run.residentMib)
    return {
      area: 'idle',
      workload: `${shape.symbols} symbols of ${shape.levelsPerSide} levels a side, ${FRAMES_PER_SECOND} frames a second, ${plan.messages} frames`,
      metrics: [share, memory, runs('processor time', '\u00b5s a message', 'less', (run) => run.cpuMicroseconds)],
      goals: [
        atMost('share of a core', figureOf(share, OURS), 0.05, 'cores'),
        atMost('peak memory', figureOf(memory, OURS), 250, 'MiB'),
      ],
    }
  },
}
