import { setTimeout as delay } from 'node:timers/promises'
import { SYMBOL_PRESETS } from '@booktape/exchange'
import { symbolsOfShard } from '@booktape/recorder'
import type { IStatefulSet } from 'kubernetes-models/apps/v1/StatefulSet'
import { findTradeFaults } from '../chaos/trade-ledger.ts'
import { World } from '../chaos/world.ts'
import { manifestsOf, recordersOf, settingsOf } from '../manifests.ts'
import { databaseTime, findMissing, findStreamFaults } from './both-lines.ts'
import { type Drill, mebibytes, percentile, seconds } from './drill.ts'
import { Rollout } from './rollout.ts'

/** Two lines of some shards become two lines of one more, by the manifests of all of Gemini, while the exchange is busy. */
export const reshard: Drill = {
  about: 'a shard more on each of two lines: few symbols move, no update missing, no gap in market.coverage',
  usual: { from: 2, to: 3, seed: 1, rate: 2, symbols: 24 },
  async run(numbers, say) {
    const symbols = SYMBOL_PRESETS.map(({ symbol }) => symbol).slice(0, numbers('symbols'))
    const world = await World.start({ seed: numbers('seed'), symbols, rate: numbers('rate') })
    try {
      world.scenario = 'reshard'
      const manifests = manifestsOf('gemini')
      const { BOOKTAPE_SYMBOLS: _all, ...settings } = settingsOf(manifests)
      const sets = [...recordersOf(manifests).values()]
      const most = Math.max(numbers('from'), numbers('to'))
      const rollout = await Rollout.begin(world, sets, most)
      const apply = async (shards: number): Promise<void> => {
        const told = { ...settings, BOOKTAPE_SHARDS: String(shards) }
        await Promise.all(sets.map((set) => rollout.apply(withReplicas(set, shards), told)))
      }
      await apply(numbers('from'))
      await world.recovered()
      const from = await databaseTime(world)
      await apply(numbers('to'))
      const to = await databaseTime(world)
      // How far a quiet book of v1 is proven is known with its next heartbeat.
      await delay(TWO_HEARTBEATS_MS)
      const untilNs = world.clock.wallNs()
      await rollout.end()
      for (const recorder of world.running) await recorder.stop()

      const shardOf = (symbol: string, shards: number): number =>
        Array.from({ length: shards }, (_, shard) => shard).find(
          (shard) => symbolsOfShard([symbol], shard, shards).length > 0,
        ) ?? -1
      const moved = symbols.filter((symbol) => shardOf(symbol, numbers('from')) !== shardOf(symbol, numbers('to')))
      if (moved.length === 0) world.violated('no symbol moved: nothing was tried')
      const together = await findMissing(world, from, to)
      const streams = await findStreamFaults(world, from, to)
      const trades = await findTradeFaults(world, untilNs)
      for (const fault of [...together.faults, ...streams.faults, ...trades.faults]) world.violated(fault)
      for (const { line, unasked, log } of world.recorders.values()) {
        for (const end of unasked) world.violated(`line ${line} ended unasked: ${end}`)
        for (const bug of log.bugs) world.violated(`line ${line} says: ${bug}`)
      }
      say(
        `${moved.length} of ${symbols.length} symbols moved; ${rollout.hooks.length} pods replaced, ${2 * (numbers('to') - numbers('from'))} added`,
      )
      say(
        `waited for the other line at most ${seconds(Math.max(...rollout.hooks))}; SIGTERM to exit at most ${seconds(Math.max(...rollout.stops))}; ` +
          `start to ready p50 ${seconds(percentile(rollout.starts, 0.5))}, at most ${seconds(Math.max(...rollout.starts))}`,
      )
      say(
        `${together.changes} v1 changes and ${together.updates} updates of the new API held against the exchange: ${together.faults.length} missing from both lines; ` +
          `${together.spans} spans of market.coverage; ${streams.changes} changes of market.changes_between replayed; ${trades.compared} trades`,
      )
      say(
        `memory at most ${mebibytes(Math.max(...[...world.recorders.values()].map(({ peakMemoryBytes }) => peakMemoryBytes)))} a process`,
      )
      return world.violations
    } finally {
      await world.close()
    }
  },
}

const TWO_HEARTBEATS_MS = 10_000

const withReplicas = (set: IStatefulSet, replicas: number): IStatefulSet => {
  const { spec } = set
  return spec === undefined ? set : { ...set, spec: { ...spec, replicas } }
}
