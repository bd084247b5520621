import type { Logger } from '@booktape/runtime'
import {
  claimVenue,
  type Database,
  MigrationError,
  orStoreError,
  pendingMigrations,
  StoreError,
  type VenueName,
} from '@booktape/store'

/** This database must not be written to by this service; the message says why and what to do. */
export class WrongDatabaseError extends Error {
  override name = 'WrongDatabaseError'
}

/**
 * Made before anything is stored: the database has the tables we write, and is of the same venue. Throws `StoreError` (`AWAY`: ask again)
 * or `WrongDatabaseError`.
 */
export async function makeContact(database: Database, venue: VenueName, log: Logger): Promise<void> {
  const pending = await orStoreError(() =>
    pendingMigrations(database.pool).catch((error: unknown) => {
      if (!(error instanceof MigrationError)) throw error
      throw new StoreError('SCHEMA', `${error.message}; until then the journal keeps everything`, { cause: error })
    }),
  )
  if (pending.length > 0) {
    throw new StoreError(
      'AWAY',
      `the database lacks ${pending.join(', ')}: run "booktape migrate"; until then the journal keeps everything`,
    )
  }
  const claim = await claimVenue(database, venue)
  if (typeof claim === 'object') {
    throw new WrongDatabaseError(
      `the database holds data of "${claim.other}" and this account is at "${venue}": set DATABASE_URL to the database of its market`,
    )
  }
  if (claim === 'claimed') log.info({ venue, database: database.name }, 'a new database')
}
