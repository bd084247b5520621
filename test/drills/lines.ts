import { setTimeout as delay } from 'node:timers/promises'
import { judge } from '../chaos/oracle.ts'
import { World } from '../chaos/world.ts'
import { Dice } from '../simulation/dice.ts'
import { type Drill, mebibytes, percentile, seconds } from './drill.ts'

/** Two lines into one database, of which one or the other is killed all the time, and never both are down. */
export const lines: Drill = {
  about: 'two lines killed in turn: no gap in market.coverage, no row twice',
  usual: { minutes: 10, seed: 1, rate: 1.5, samples: 200 },
  async run(numbers, say) {
    const seed = numbers('seed')
    const world = await World.start({ seed, symbols: SYMBOLS, rate: numbers('rate') })
    try {
      world.scenario = 'lines'
      const kills = await killInTurn(world, new Dice(seed, 'lines'), numbers('minutes') * 60_000)
      const { epochs, gaps, changes, trades, books } = await judge(world, numbers('samples'))
      const { wsMs, allMs } = {
        wsMs: world.recoveries.map((recovery) => recovery.wsMs),
        allMs: world.recoveries.map((recovery) => recovery.allMs),
      }
      say(`${kills} kills of two lines in turn, ${gaps} gaps in single lines`)
      say(`${epochs} epochs, ${changes} v1 changes, ${trades} trades, ${books} books held against the truth`)
      say(
        `a line's recovery: new API p50 ${seconds(percentile(wsMs, 0.5))}, p99 ${seconds(percentile(wsMs, 0.99))}, worst ${seconds(percentile(wsMs, 1))}; ` +
          `both feeds p50 ${seconds(percentile(allMs, 0.5))}, worst ${seconds(percentile(allMs, 1))}; ` +
          `memory at most ${mebibytes(Math.max(...[...world.recorders.values()].map(({ peakMemoryBytes }) => peakMemoryBytes)))}`,
      )
      return world.violations
    } finally {
      await world.close()
    }
  },
}

const SYMBOLS = ['btcusd', 'ethusd', 'xrpusd', 'btcgusdperp', 'ethgusdperp', 'solgusdperp']
const FEEDS = ['v1', 'ws', null] as const

/** Each is killed only when both have every book live; in the end no instant since then is without one. Gives the kills. */
async function killInTurn(world: World, dice: Dice, forMs: number): Promise<number> {
  const recorders = [world.recorder('a'), world.recorder('b')]
  for (const recorder of recorders) recorder.start()
  await world.recovered()
  const from = await databaseTime(world)
  const endsNs = world.clock.monoNs() + BigInt(Math.round(forMs)) * 1_000_000n
  let kills = 0
  do {
    const recorder = recorders[kills % recorders.length]
    await delay(dice.logBetween(20, 3_000))
    await recorder?.kill()
    world.count()
    kills++
    const killedNs = world.clock.monoNs()
    await delay(dice.logBetween(20, 2_000))
    recorder?.start()
    await world.recovered(killedNs)
  } while (world.clock.monoNs() < endsNs)
  const to = await databaseTime(world)
  for (const symbol of world.symbols) {
    for (const feed of FEEDS) {
      const spans = await world.postgres.query<{ span: string }>(
        `select state || ' from ' || from_time || ' to ' || to_time as span
         from market.coverage($1, $2, $3, $4) where state <> 'live'`,
        [symbol, feed, from, to],
      )
      for (const { span } of spans) world.violated(`${symbol} on ${feed ?? 'either feed'}: ${span}`)
    }
  }
  return kills
}

async function databaseTime(world: World): Promise<string> {
  const [row] = await world.postgres.query<{ now: string }>('select clock_timestamp()::text as now')
  return row?.now ?? ''
}
