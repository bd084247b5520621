import { spawnSync } from 'node:child_process'
import { appendFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type EmbeddedPostgres, startEmbedded } from '@booktape/embedded'
import { Client } from 'pg'

/**
 * An asynchronous standby of a running Postgres: a copy of its files, made as pg_basebackup makes one (which the bundled
 * binaries lack), that follows its log by streaming. `directory` must not be there yet.
 */
export async function startStandby(
  primary: Readonly<{ url: string; directory: string }>,
  directory: string,
  { durable = true } = {},
): Promise<EmbeddedPostgres> {
  const cluster = join(directory, 'cluster')
  await connected(primary.url, async (client) => {
    await client.query(`select pg_backup_start('standby', true)`)
    mkdirSync(directory, { mode: 0o700 })
    // Links are followed: the log may lie on another disk. What vanishes meanwhile is not needed; were anything else missing,
    // the standby would not start.
    spawnSync('cp', ['-aL', join(primary.directory, 'cluster'), cluster])
    const { rows } = await client.query<{ labelfile: string }>('select labelfile from pg_backup_stop(false)')
    writeFileSync(join(cluster, 'backup_label'), rows[0]?.labelfile ?? '')
  })
  for (const own of ['postmaster.pid', 'postmaster.opts']) rmSync(join(cluster, own), { force: true })
  const { hostname, port, username, password } = new URL(primary.url)
  const source = `host=${hostname} port=${port} user=${username} password=${decodeURIComponent(password)}`
  appendFileSync(join(cluster, 'postgresql.auto.conf'), `primary_conninfo = '${source}'\n`)
  writeFileSync(join(cluster, 'standby.signal'), '')
  return await startEmbedded({ directory, keepAlive: false, durable })
}

/** From now on what the primary commits does not reach it; what it has, it keeps. */
export async function stopFollowing(standby: EmbeddedPostgres): Promise<void> {
  await connected(standby.url, async (client) => {
    await client.query(`alter system set primary_conninfo = ''`)
    await client.query('select pg_reload_conf()')
    const following = 'select from pg_stat_wal_receiver'
    while (((await client.query(following)).rowCount ?? 0) > 0) await delay(LOOK_AGAIN_MS)
  })
}

/** It takes over: from now on it is a primary of its own. */
export async function promote(standby: EmbeddedPostgres): Promise<void> {
  await connected(standby.url, (client) => client.query('select pg_promote(true, $1)', [PROMOTION_SECONDS]))
}

const LOOK_AGAIN_MS = 20
const PROMOTION_SECONDS = 60

export async function connected<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url })
  client.on('error', () => undefined) // the question itself fails too
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end().catch(() => undefined)
  }
}
