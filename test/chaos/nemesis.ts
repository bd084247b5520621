import { Dice } from '../simulation/dice.ts'
import type { Scenario } from './scenario.ts'
import type { World } from './world.ts'

/**
 * Does scenarios for `minutes`, each as often as its weight says, in an order that the seed gives; after each everything is
 * healed and waited for. Begins with recorder `a` live, and ends so.
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
  let round = 0
  while (round === 0 || world.clock.monoNs() < endsNs) {
    for (const scenario of shuffled(
      possible.flatMap((each) => Array<Scenario>(each.weight).fill(each)),
      order,
    )) {
      if (round > 0 && world.clock.monoNs() >= endsNs) break
      const before = world.faults.get(scenario.name) ?? 0
      await play(world, scenario, new Dice(options.seed, `${scenario.name} ${round++}`))
      const { allMs } = world.recoveries.at(-1) ?? { allMs: 0 }
      const done = (world.faults.get(scenario.name) ?? 0) - before
      options.onRound(`${scenario.name}: ${done} faults, live again after ${(allMs / 1_000).toFixed(1)} s`)
    }
  }
}

/** One round of a scenario, and the recovery from it. */
export async function play(world: World, scenario: Scenario, dice: Dice): Promise<void> {
  world.scenario = scenario.name
  await scenario.run(world, dice)
  world.heal()
  await world.recovered()
}

function shuffled(deck: readonly Scenario[], dice: Dice): Scenario[] {
  const cards = deck.map((scenario) => ({ scenario, place: dice.unit() }))
  return cards.sort((a, b) => a.place - b.place).map(({ scenario }) => scenario)
}
