import { setTimeout as delay } from 'node:timers/promises'
import { invariant } from '@booktape/market'
import type { Dice } from '../simulation/dice.ts'
import type { PostgresDisk } from './postgres-disks.ts'
import { metric } from './recorder-pages.ts'
import type { World } from './world.ts'

/** Every process of Postgres ends at once, and it is started again after `awayMs`. */
export async function crashPostgres(world: World, dice: Dice, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    await delay(dice.between(0, 1_500))
    await bePostgresAway(world, dice.between(0, 1_000))
    await world.recovered(undefined, false)
  }
}

export async function bePostgresAway(world: World, awayMs: number): Promise<void> {
  await world.postgres.crash()
  world.count()
  await delay(awayMs)
  await world.postgres.restart()
}

export async function terminateBackends(world: World, dice: Dice, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    await delay(dice.between(0, 250))
    const ended = await world.postgres.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'booktape recorder'`,
    )
    world.count(ended.length)
  }
}

/** Each time the commit has happened, and the recorder cannot know. */
export async function eatCommitReplies(world: World, times: number): Promise<void> {
  const before = world.database.commitsEaten
  for (let i = 1; i <= times; i++) {
    world.database.eatCommitReplies(1)
    const patience = AbortSignal.timeout(COMMIT_PATIENCE_MS)
    while (world.database.commitsEaten < before + i) {
      if (patience.aborted) return world.violated(`no commit came to be eaten within ${COMMIT_PATIENCE_MS} ms`)
      await delay(5)
    }
    world.count()
  }
}

const COMMIT_PATIENCE_MS = 30_000

/** Someone holds a table for longer than a writer waits. */
export async function lockTable(world: World, lockedMs: number): Promise<void> {
  await world.postgres.connected(async (client) => {
    await client.query('begin; lock table booktape.book_messages in access exclusive mode')
    world.count()
    await delay(lockedMs)
    await client.query('rollback')
  })
}

/** A bad line to the database: slow, in pieces, standing still, cut. */
export async function disturbDatabaseLine(world: World, dice: Dice, times: number): Promise<void> {
  const { database } = world
  for (let i = 0; i < times; i++) {
    const disturbances = [
      () => void database.cut(),
      () => void database.blackhole(),
      () => void (database.isStalled = true),
      () => void (database.latencyMs = dice.between(20, 300)),
      () => void (database.sliceBytes = dice.between(1, 400)),
      () => void (database.isRefusing = true),
    ]
    dice.pick(disturbances)?.()
    world.count()
    await delay(dice.between(200, 3_000))
    database.heal()
  }
  database.cut() // what a blackhole left half-open would wait for its time limit
}

/** The disk of Postgres's tables or of its log is full to the last byte until the recorder has felt it, and some time more. */
export async function fillPostgres(world: World, dice: Dice, disk: PostgresDisk): Promise<void> {
  const { disks } = world.postgres
  invariant(disks !== null, 'this world has disks that can be filled')
  const recorder = world.recorder('a')
  const before = await metric(recorder, FAILURES)
  disks.fill(disk)
  world.count()
  try {
    if (disk === 'wal') await useUpLog(world)
    const patience = AbortSignal.timeout(FULL_PATIENCE_MS)
    while ((await metric(recorder, FAILURES)) === before) {
      if (patience.aborted)
        return world.violated(`nobody noticed in ${FULL_PATIENCE_MS} ms that the ${disk} disk was full`)
      await delay(50)
    }
    await delay(dice.between(0, 3_000))
  } finally {
    disks.empty(disk)
    await world.postgres.revive()
  }
}

const FAILURES = 'booktape_write_failures_total'
const FULL_PATIENCE_MS = 60_000
/** More than min_wal_size keeps. */
const MOST_FILES_AHEAD = 200

/** The log is written into files that were made ahead: they are used up, and the next one cannot be made. */
async function useUpLog(world: World): Promise<void> {
  for (let i = 0; i < MOST_FILES_AHEAD; i++) {
    const hasRoom = await world.postgres
      .query('select pg_logical_emit_message(true, $1, $1), pg_switch_wal()', ['chaos'])
      .then(
        () => true,
        () => false,
      )
    if (!hasRoom) return
  }
}
