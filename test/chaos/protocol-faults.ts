import { setTimeout as delay } from 'node:timers/promises'
import type { FaultName, FaultRequest } from '@booktape/exchange'
import type { Dice } from '../simulation/dice.ts'
import type { World } from './world.ts'

/*
 * What the venue itself may do wrong, by the exchange's plan of faults. Not `corrupt`: a wrong number that fits is found by an
 * audit minutes later and is not the truth until then (test/drills/corruption.ts). Not the loss of a ws trade message: trades have
 * no sequence there, and the reading of REST by the clock that finds it comes once in ten minutes.
 */

/** Books of frames that go wrong one here, one there, as `faults` says; counted is what took effect. */
export async function disturbFrames(
  world: World,
  dice: Dice,
  times: number,
  kinds: readonly FaultName[],
): Promise<void> {
  const before = effectsOf(world, kinds)
  for (let i = 0; i < times; i++) {
    const fault = dice.pick(kinds) ?? 'drop'
    const symbol = dice.pick(world.symbols) ?? ''
    const request: FaultRequest = { fault, nth: dice.between(1, 4), delayMs: dice.between(10, 2_000), symbol }
    // Mostly the new API, whose symbols are mended by themselves: v1 connects again once a minute.
    const isV1 = fault !== 'unknown_symbol' && dice.chance(V1_SHARE)
    world.exchange.exchange.faults.inject({ ...request, ...(isV1 ? { feed: 'v1' } : { feed: 'ws', kind: 'depth' }) })
    await delay(dice.between(0, 80))
  }
  await untilSpent(world)
  world.count(effectsOf(world, kinds) - before)
}

const V1_SHARE = 0.01

/** A flood of messages that mean nothing or harm, among those that are good: known ones must all be taken. */
export async function sendHostileFrames(world: World, dice: Dice, times: number): Promise<void> {
  const kinds = ['unknown_type', 'unknown_symbol', 'malformed', 'binary'] as const
  const before = effectsOf(world, kinds)
  const { faults } = world.exchange.exchange
  faults.inject({ fault: 'unknown_type', feed: 'ws', times: Math.ceil(times / 2) })
  faults.inject({ fault: 'unknown_type', feed: 'v1', times: Math.ceil(times / 2) })
  await untilSpent(world)
  faults.inject({ fault: 'unknown_symbol', feed: 'ws', kind: 'depth', times: Math.ceil(times / 20) })
  await untilSpent(world)
  const floodEffects = effectsOf(world, kinds) - before
  await disturbFrames(world, dice, MALFORMED_A_FLOOD, ['malformed', 'binary'])
  world.count(floodEffects)
}

/** Each makes a book begin anew, and would leave none live if all were like them. */
const MALFORMED_A_FLOOD = 10

/** Messages of one symbol stop coming while everything else goes on. */
export async function silenceSymbol(world: World, dice: Dice): Promise<void> {
  const { faults } = world.exchange.exchange
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

/** How often faults of these kinds have taken effect. */
export function effectsOf(world: World, kinds: readonly FaultName[]): number {
  const { counts } = world.exchange.exchange.faults
  return kinds.reduce((sum, kind) => sum + counts[kind], 0)
}

/** Until every fault has met its frame, or long enough for a book that is silent. */
async function untilSpent(world: World): Promise<void> {
  const patience = AbortSignal.timeout(SPENT_PATIENCE_MS)
  while (world.exchange.exchange.faults.armed.length > 0 && !patience.aborted) await delay(20)
}

const SPENT_PATIENCE_MS = 6_000
