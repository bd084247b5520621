import { setTimeout as delay } from 'node:timers/promises'
import type { Dice } from '../simulation/dice.ts'
import type { World } from './world.ts'

/** Every process of Postgres ends at once, and it is started again after `awayMs`. */
export async function crashPostgres(world: World, dice: Dice, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    await delay(dice.between(0, 1_500))
    await bePostgresAway(world, dice.between(0, 1_000))
    await world.recovered()
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
