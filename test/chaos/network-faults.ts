import { setTimeout as delay } from 'node:timers/promises'
import type { Dice } from '../simulation/dice.ts'
import type { World } from './world.ts'

/** Resets some of the connections to the venue, again and again. */
export async function resetConnections(world: World, dice: Dice, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    await delay(dice.between(0, 1_000))
    world.count(world.venue.cut((index) => index > 0 && dice.chance(0.5)))
  }
}

/** The connections stay open and nothing comes any more: only silence tells, and the recorder must hang up by itself. */
export async function halfOpen(world: World): Promise<void> {
  world.count(world.venue.blackhole())
  const patience = AbortSignal.timeout(SILENCE_PATIENCE_MS)
  while (world.venue.unnoticed > 0) {
    if (patience.aborted) {
      return world.violated(`${world.venue.unnoticed} dead connections were not noticed in ${SILENCE_PATIENCE_MS} ms`)
    }
    await delay(50)
  }
}

const SILENCE_PATIENCE_MS = 90_000

export async function stallVenue(world: World, dice: Dice, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    world.venue.isStalled = true
    world.count()
    await delay(dice.between(200, 9_000))
    world.venue.isStalled = false
    await delay(dice.between(0, 1_000))
  }
}

/** One to a few bytes at a time: every message comes in many pieces, and books must not change for it. */
export async function sliceVenue(world: World, dice: Dice, forMs: number): Promise<void> {
  world.venue.sliceBytes = dice.between(1, 60)
  world.count()
  await delay(forMs)
}

/** Less than what the venue sends: everything comes late, and late is no gap. */
export async function narrowVenue(world: World, dice: Dice, forMs: number): Promise<void> {
  world.venue.bytesPerSecond = dice.between(2_000, 20_000)
  world.count()
  await delay(forMs)
}

/** Resets everything and refuses what comes back, as a venue under attack or in maintenance does. */
export async function refuseUpgrades(world: World, dice: Dice): Promise<void> {
  const { faults } = world.exchange.exchange
  const before = faults.counts.refuse_upgrade
  const times = dice.between(1, 6)
  const status = dice.chance(0.5) ? 429 : 503
  const retryAfter = dice.chance(0.5) ? { retryAfterS: dice.between(1, 3) } : {}
  faults.inject({ fault: 'refuse_upgrade', status, times, ...retryAfter })
  world.venue.cut()
  const patience = AbortSignal.timeout(REFUSALS_PATIENCE_MS)
  while (faults.armed.length > 0 && !patience.aborted) await delay(50)
  world.count(faults.counts.refuse_upgrade - before)
}

/** v1 comes back to a symbol after a minute; the refusals that wait longer are for nobody. */
const REFUSALS_PATIENCE_MS = 20_000
