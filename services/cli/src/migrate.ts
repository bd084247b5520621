import { readSettings } from '@booktape/runtime'
import { MigrationError, migrate, orStoreError, redactDatabaseUrl } from '@booktape/store'

/** `booktape migrate`: says what it applied. */
export async function migrateFromEnvironment(json: boolean): Promise<void> {
  const url = databaseUrlFromEnvironment()
  const applied = await migrated(url)
  if (json) {
    process.stdout.write(`${JSON.stringify({ database: redactDatabaseUrl(url), applied })}\n`)
    return
  }
  const what = applied.length === 0 ? 'was up to date' : `now has ${applied.join(', ')}`
  process.stdout.write(`${redactDatabaseUrl(url)} ${what}\n`)
}

/** What the connection itself complains of comes as pg gives it: made a sentence here. */
async function migrated(url: string): Promise<readonly string[]> {
  const outcome = await orStoreError(() =>
    migrate(url).catch((error: unknown) => {
      if (error instanceof MigrationError) return error
      throw error
    }),
  )
  if (outcome instanceof MigrationError) throw outcome
  return outcome
}

/** @throws ConfigError when DATABASE_URL is not set. */
export function databaseUrlFromEnvironment(): string {
  return readSettings(process.env, (read) => {
    const url = read.secret('DATABASE_URL')
    if (url === null) read.problem('DATABASE_URL is not set: name the database, such as postgres://user@host/booktape.')
    return { url: url ?? '' }
  }).url
}
