import type { Logger } from '@booktape/runtime'
import {
  claimVenue,
  type Database,
  ensurePartitions,
  MigrationError,
  orStoreError,
  pendingMigrations,
  StoreError,
  type VenueName,
} from '@booktape/store'

/** This database must not be written to by this recorder; the message says why and what to do. */
export class WrongDatabaseError extends Error {
  override name = 'WrongDatabaseError'
}

/**
 * The first contact with the database, made before anything is stored: it has the tables we write, it belongs to the
 * same venue, and today's partitions are there. Throws `StoreError` (`AWAY`: ask again) or `WrongDatabaseError`.
 */
export async function makeContact(database: Database, venue: VenueName, today: string, log: Logger): Promise<void> {
  const pending = await orStoreError(() => pendingMigrations(database.pool).catch(newerDatabase))
  if (pending.length > 0) {
    throw new StoreError(
      'AWAY',
      `the database lacks ${pending.join(', ')}: run "booktape migrate"; until then the journal keeps everything`,
    )
  }
  const claim = await claimVenue(database, venue)
  if (typeof claim === 'object') {
    throw new WrongDatabaseError(
      `the database holds data of "${claim.other}" and this recorder is at "${venue}": set DATABASE_URL to a database of its own`,
    )
  }
  if (claim === 'claimed') log.info({ venue, database: database.name }, 'a new database')
  await ensurePartitions(database, today)
}

/** Of a later version: which may store what we write down, so we go on writing it down. */
function newerDatabase(error: unknown): never {
  if (!(error instanceof MigrationError)) throw error
  throw new StoreError('SCHEMA', `${error.message}; until then the journal keeps everything`, { cause: error })
}
