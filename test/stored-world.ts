import assert from 'node:assert/strict'
import { claimVenue, type Database, openDatabase, Writer } from '@booktape/store'
import type { World } from './simulation/world.ts'

/** What the simulated database took, into a real one, by the real writer. */
export async function storeWorld(world: World, url: string): Promise<void> {
  const database = openDatabase(url, { applicationName: 'booktape test', max: 2 })
  try {
    await claimVenue(database, 'simulated')
    const writers = new Map<string, Writer>()
    for (const { journalId, batch } of world.database.commits) {
      let writer = writers.get(journalId)
      if (writer === undefined) {
        writer = new Writer(database, { journalId, line: 'a', shard: 0 })
        await writer.readPosition()
        writers.set(journalId, writer)
      }
      assert.equal((await writer.write(batch)).outcome, 'committed')
    }
  } finally {
    await database.close()
  }
}

/**
 * Gaps that the writer disclosed by itself, because nobody else did. A recorder whose disk kept what it had confirmed tells of
 * each by itself.
 */
export async function gapsOfTheWriter(world: World, database: Database): Promise<readonly string[]> {
  const told = new Set(world.database.records().flatMap((it) => (it.kind === 'gap_opened' ? [it.gapId] : [])))
  const { rows } = await database.pool.query<{ gap_id: string; told: string }>(
    `select gap_id, format('%s %s of %s on %s, %s to %s', stream, cause, symbol, feed, started_at, ended_at) as told from booktape.gaps`,
  )
  return rows.filter(({ gap_id }) => !told.has(gap_id)).map((row) => row.told)
}
