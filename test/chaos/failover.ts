import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { invariant } from '@booktape/market'
import type { Dice } from '../simulation/dice.ts'
import { promote, startStandby, stopFollowing } from '../standby.ts'
import type { World } from './world.ts'

/**
 * An asynchronous standby takes over without the last commits of the primary, which is gone: its files take the place of the
 * primary's, so that the world's Postgres goes on at its address. Only where that has disks of its own.
 */
export async function failOver(world: World, dice: Dice): Promise<void> {
  const { postgres } = world
  invariant(postgres.disks !== null, 'a failover needs a Postgres whose directory is known')
  const { directory } = postgres.disks
  const home = mkdtempSync(join(tmpdir(), 'booktape-chaos-standby-'))
  const remove = (): void => rmSync(home, { recursive: true, force: true })
  world.leftovers.add(remove)
  const standby = await startStandby({ url: postgres.url, directory }, join(home, 'postgres'))
  try {
    await stopFollowing(standby)
    await delay(dice.between(...LACKING_MS))
    await postgres.crash()
    await promote(standby)
  } finally {
    await standby.stop()
  }
  replace(join(directory, 'cluster'), join(home, 'postgres', 'cluster'))
  world.count()
  await postgres.restart()
  world.leftovers.delete(remove)
  remove()
}

/** How long the primary commits what the standby never gets. */
const LACKING_MS = [200, 3_000] as const

/** The content of one cluster by another's. The folder of its log may be a link, and stays one. */
function replace(cluster: string, by: string): void {
  for (const folder of [join(cluster, 'pg_wal'), cluster]) {
    for (const name of readdirSync(folder)) {
      if (name !== 'pg_wal') rmSync(join(folder, name), { recursive: true })
    }
  }
  for (const name of readdirSync(by)) {
    if (name !== 'pg_wal') cpSync(join(by, name), join(cluster, name), { recursive: true })
  }
  const log = join(by, 'pg_wal')
  for (const name of readdirSync(log)) cpSync(join(log, name), join(cluster, 'pg_wal', name), { recursive: true })
}
