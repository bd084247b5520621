import { judge } from '../chaos/oracle.ts'
import { World } from '../chaos/world.ts'
import { manifestsOf, recordersOf, settingsOf } from '../manifests.ts'
import { databaseTime, findMissing } from './both-lines.ts'
import { type Drill, mebibytes, percentile, seconds } from './drill.ts'
import { Rollout } from './rollout.ts'

/** Two lines, replaced again and again as deploy/kubernetes has it, while the exchange is busy. */
export const rolling: Drill = {
  about:
    'rolling updates of two lines by the manifests of deploy/kubernetes: no update missing, no gap in market.coverage',
  usual: { times: 10, seed: 1, rate: 4, symbols: 20, samples: 200 },
  async run(numbers, say) {
    const manifests = manifestsOf('small')
    const { BOOKTAPE_SYMBOLS: named = '', ...settings } = settingsOf(manifests)
    const symbols = named.split(',').slice(0, numbers('symbols'))
    const world = await World.start({ seed: numbers('seed'), symbols, rate: numbers('rate') })
    try {
      world.scenario = 'rolling'
      const sets = [...recordersOf(manifests).values()]
      const rollout = await Rollout.begin(world, sets, 1)
      await Promise.all(sets.map((set) => rollout.apply(set, settings)))
      await world.recovered()
      const from = await databaseTime(world)
      for (let time = 0; time < numbers('times'); time++) {
        // In turns: a line after the other as an operator does who waits, and both at once as a plain `kubectl apply` does.
        if (time % 2 === 0) for (const set of sets) await rollout.apply(set, settings)
        else await Promise.all(sets.map((set) => rollout.apply(set, settings)))
        say(
          `rolled ${time + 1} of ${numbers('times')}, ${time % 2 === 0 ? 'one line after the other' : 'both lines at once'}`,
        )
      }
      const to = await databaseTime(world)
      await rollout.end()
      const verdict = await judge(world, numbers('samples'))
      const together = await findMissing(world, from, to)
      for (const fault of together.faults) world.violated(fault)
      say(
        `${rollout.hooks.length} pods replaced: waited for the other line p50 ${seconds(percentile(rollout.hooks, 0.5))}, at most ${seconds(Math.max(...rollout.hooks))}; ` +
          `SIGTERM to exit p50 ${seconds(percentile(rollout.stops, 0.5))}, at most ${seconds(Math.max(...rollout.stops))}; ` +
          `start to ready p50 ${seconds(percentile(rollout.starts, 0.5))}, at most ${seconds(Math.max(...rollout.starts))}`,
      )
      say(
        `${together.changes} v1 changes and ${together.updates} updates of the new API held against the exchange: ${together.faults.length} missing from both lines; ` +
          `${together.spans} spans of market.coverage`,
      )
      say(
        `${verdict.epochs} epochs, ${verdict.gaps} gaps of single lines, ${verdict.trades} trades and ${verdict.books} books held against the truth; ` +
          `memory at most ${mebibytes(Math.max(...[...world.recorders.values()].map(({ peakMemoryBytes }) => peakMemoryBytes)))}`,
      )
      return world.violations
    } finally {
      await world.close()
    }
  },
}
