import { invariant } from '@booktape/market'
import { Dice } from '../simulation/dice.ts'
import type { Scenario } from './scenario.ts'
import type { World } from './world.ts'

/** Of so many rounds one waits for the old feed too; the others go on while its dials are held back. */
const V1_AWAITED_EVERY = 4

/**
 * Does scenarios for `minutes`: always one of which the least share of what is asked was done, so that however long the run is, all
 * are done in the same measure. The order and the faults are the seed's. Begins with recorder `a` live, and ends so.
 */
export async function torment(
  world: World,
  options: { scenarios: readonly Scenario[]; minutes: number; seed: number; onRound: (sentence: string) => void },
): Promise<void> {
  const possible = options.scenarios.filter(({ isPossible }) => isPossible?.() ?? true)
  if (possible.length === 0) return
  world.recorder('a').start()
  await world.recovered()
  const endsNs = world.clock.monoNs() + BigInt(Math.round(options.minutes * 60_000)) * 1_000_000n
  const order = new Dice(options.seed, 'order')
  let last: Scenario | null = null
  for (let round = 0; round === 0 || world.clock.monoNs() < endsNs; round++) {
    // Never twice in a row: what a scenario makes a recorder wait for would be counted as the next one's.
    const others = possible.length > 1 ? possible.filter((each) => each !== last) : possible
    const scenario = leastDone(world, others, order)
    last = scenario
    const before = world.faults.get(scenario.name) ?? 0
    const dice = new Dice(options.seed, `${scenario.name} ${round}`)
    const { wsMs, v1Ms } = await play(world, scenario, dice, (round + 1) % V1_AWAITED_EVERY === 0)
    const done = (world.faults.get(scenario.name) ?? 0) - before
    const v1 = v1Ms === null ? '' : `, v1 after ${(v1Ms / 1_000).toFixed(1)} s`
    options.onRound(`${scenario.name}: ${done} faults, live again after ${(wsMs / 1_000).toFixed(1)} s${v1}`)
  }
  await world.recovered()
}

/** One round of a scenario, and the recovery from it. */
export async function play(world: World, scenario: Scenario, dice: Dice, isV1Awaited = true) {
  world.scenario = scenario.name
  await scenario.run(world, dice)
  world.heal()
  return await world.recovered(undefined, isV1Awaited)
}

function leastDone(world: World, scenarios: readonly Scenario[], dice: Dice): Scenario {
  const shares = scenarios.map(({ name, asked }) => (world.faults.get(name) ?? 0) / asked)
  const least = Math.min(...shares)
  const chosen = dice.pick(scenarios.filter((_, i) => shares[i] === least))
  invariant(chosen !== undefined, 'there is a scenario to choose')
  return chosen
}
