import { setTimeout as delay } from 'node:timers/promises'
import type { FaultRequest } from '@booktape/exchange'
import type { Dice } from '../simulation/dice.ts'
import type { World } from './world.ts'

/**
 * What the venue itself may do wrong, by the exchange's plan of faults. Not `corrupt`: a wrong number that fits is found by
 * an audit minutes later and is not the truth until then. Not the loss of a ws trade message: trades have no
 * sequence there, and the reading of REST by the clock that finds it comes once in ten minutes.
 */
const FRAME_FAULTS = [
  'drop',
  'duplicate',
  'swap',
  'delay',
  'malformed',
  'binary',
  'unknown_type',
  'unknown_symbol',
] as const

/** Faults of both feeds, several at once, in one storm. */
export async function breakProtocol(world: World, dice: Dice, times: number): Promise<void> {
  const { faults } = world.exchange.exchange
  for (let i = 0; i < times; i++) {
    faults.inject(frameFault(dice, world))
    world.count()
    await delay(dice.between(0, 400))
  }
  const symbol = dice.pick(world.symbols) ?? ''
  faults.inject({ fault: 'stop_publishing', symbol })
  await delay(dice.between(200, 2_000))
  faults.inject({ fault: 'resume_publishing', symbol })
  world.count()
}

/** Faults of the messages that begin a connection or a subscription: armed, then everything is made to begin anew. */
export async function breakBeginnings(world: World, dice: Dice): Promise<void> {
  const { faults } = world.exchange.exchange
  const requests: FaultRequest[] = [
    { fault: 'omit_snapshot', feed: 'ws' },
    { fault: 'late_snapshot', feed: 'ws', delayMs: dice.between(100, 3_000) },
    { fault: 'duplicate_snapshot' },
    { fault: 'late_snapshot', feed: 'v1', delayMs: dice.between(100, 3_000) },
    { fault: 'wrong_first_sequence', sequence: dice.between(1, 9) },
  ]
  for (const request of requests) faults.inject(request)
  world.venue.cut()
  world.count(requests.length)
  await delay(dice.between(1_000, 4_000))
  faults.inject({ fault: 'close', code: dice.pick([1000, 1001, 1006, 1008, 1011]) ?? 1001, feed: 'ws' })
  world.count()
}

function frameFault(dice: Dice, world: World): FaultRequest {
  const fault = dice.pick(FRAME_FAULTS) ?? 'drop'
  const common = { fault, nth: dice.between(1, 20), delayMs: dice.between(10, 2_000) }
  // Mostly the new API, whose symbols are mended by themselves: v1 connects again once a minute.
  if (fault === 'unknown_symbol' || dice.chance(0.8)) return { ...common, feed: 'ws', kind: 'depth' }
  return { ...common, feed: 'v1', symbol: dice.pick(world.symbols) ?? '' }
}
