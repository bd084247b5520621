import { BookOracle } from './book-oracle.ts'
import { checkDeadLines } from './dead-lines.ts'
import type { FaultKind } from './fault-kinds.ts'
import { checkJustified, checkLive, checkLiveness, lastIdsOf, longestWaitUs } from './live-checks.ts'
import { Nemesis } from './nemesis.ts'
import { checkReplay, type Moment, replay } from './replay.ts'
import { checkTrades } from './trade-oracle.ts'
import { TruthIndex } from './truth-index.ts'
import { US_PER_S } from './virtual-time.ts'
import { type Tale, World } from './world.ts'

export type Outcome = Readonly<{
  seed: number
  hash: string
  violations: readonly Tale[]
  story: readonly Tale[]
  faults: ReadonlyMap<FaultKind, number>
  simulatedS: number
  restarts: number
  rotations: number
  entries: number
  records: number
}>

const CHAOS_S = [240, 840] as const
/** After the last fault: every book is live again, and the backlog stored, within this (G12). */
const LIVENESS_S = 150
/** Where the recorder had reason to wait longer (a refused symbol, Retry-After), this long after its wait. */
const AFTER_WAIT_S = 90
/** By then everything that was under way when the faults ended has had its effect. */
const AFTERMATH_S = 15
/** What the venue published longer ago than this has arrived: a burst of many ids may be under way at any instant. */
const ON_THE_WAY_S = 5
/** A stop ends within this (G15). */
const STOP_S = 25

/** One world from its beginning to the verdict. The same seed gives the same outcome. `onEnd` may look at it before it is gone. */
export async function runSeed(seed: number, onEnd?: (world: World) => Promise<void>): Promise<Outcome> {
  const world = new World(seed)
  const onRejection = (error: unknown): void => {
    world.violate(`G18: a rejection that nobody expected: ${error instanceof Error ? error.stack : String(error)}`)
  }
  process.on('unhandledRejection', onRejection)
  try {
    const { time } = world
    world.tell(`${world.run.feeds.join(' and ')} of ${world.run.symbols.join(', ')}`)
    world.onSecond = () => checkLive(world)
    const nemesis = new Nemesis(world)
    world.startProcess()
    nemesis.start()
    const chaosUs = world.dice.between(...CHAOS_S) * US_PER_S
    await world.pass(time.nowUs + chaosUs)
    nemesis.heal()
    const healedUs = time.nowUs
    await world.pass(healedUs + AFTERMATH_S * US_PER_S)
    const waitUs = longestWaitUs(world)
    const endUs = Math.max(healedUs + LIVENESS_S * US_PER_S, time.nowUs + waitUs + AFTER_WAIT_S * US_PER_S)
    await world.pass(endUs - ON_THE_WAY_S * US_PER_S)
    const lastIds = lastIdsOf(world)
    await world.pass(endUs)
    checkLiveness(world, lastIds)
    await stopInTime(world)
    try {
      judge(world)
    } catch (error) {
      world.violate(`G18: a replay failed: ${error instanceof Error ? error.stack : String(error)}`)
    }
    await onEnd?.(world)
    return {
      seed,
      hash: world.hash,
      violations: world.violations,
      story: world.story,
      faults: world.faults,
      simulatedS: time.nowUs / US_PER_S,
      restarts: world.restarts,
      rotations: world.database.records().filter((it) => it.kind === 'epoch_ended' && it.reason === 'rotation').length,
      entries: world.entries,
      records: world.database.records().length,
    }
  } finally {
    process.off('unhandledRejection', onRejection)
    world.process?.kill()
  }
}

async function stopInTime(world: World): Promise<void> {
  world.isOver = true
  world.process?.stop()
  await world.pass(world.time.nowUs + STOP_S * US_PER_S)
  if (world.process !== null) return world.violate(`G15: the process did not end within ${STOP_S} s of being told to`)
  for (const [journalId, entries] of world.accepted) {
    const last = entries.at(-1)?.position ?? 0
    const isLast = [...world.accepted.keys()].at(-1) === journalId
    const stored = world.database.position(journalId)
    if (isLast && stored !== last) world.violate(`G2: the journal ends at ${last}, and the database at ${stored}`)
  }
}

function judge(world: World): void {
  const moments: readonly Moment[] = replay(world)
  checkReplay(world, moments)
  const isRobbed = world.robbed.size > 0
  const offsetOf = (sessionId: string): bigint => world.cables.get(sessionId)?.idOffset ?? 0n
  for (const symbol of world.run.symbols) {
    const truth = new TruthIndex(world.exchange, symbol)
    for (const feed of world.run.feeds) {
      const oracle = new BookOracle(feed, symbol, world.exchange, truth, offsetOf, isRobbed, (text) =>
        world.violate(text),
      )
      for (const record of world.database.records()) {
        if ('symbol' in record && 'feed' in record && (record.symbol !== symbol || record.feed !== feed)) continue
        oracle.take(record)
      }
      oracle.finish()
    }
  }
  checkTrades(world, moments)
  checkDeadLines(world, moments)
  checkJustified(world, moments)
}
