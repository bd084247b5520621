import type { Dice } from '../simulation/dice.ts'
import type { World } from './world.ts'

/** One kind of misfortune: does it, counts each fault in the world, and leaves recorder `a` running. The nemesis heals. */
export type Scenario = Readonly<{
  name: string
  /** How many of its faults a run of 20 minutes wants. */
  asked: number
  /** False where this machine cannot do it; the report says so. */
  isPossible?: () => boolean
  run(world: World, dice: Dice): Promise<void>
}>
