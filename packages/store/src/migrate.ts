import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Client, DatabaseError, type Pool } from 'pg'
import { readDatabaseUrl } from './database-url.ts'

/**
 * Brings a database to the newest migration and gives the names applied now, in order; none when it was up to date.
 *
 * Each file of `folder` runs in a transaction of its own, which also records it in `public.booktape_migrations`.
 * Give a URL rather than the writer's pool: the pool gives up on answers that take as long as an index may.
 * Two starters may call this at once: an advisory lock lets one go first, and the other finds its work done.
 *
 * @throws MigrationError see `MIGRATION_PROBLEMS`; errors of the connection itself come as pg gives them.
 */
export async function migrate(database: string | Pool, folder: string = MIGRATIONS_FOLDER): Promise<string[]> {
  const files = await readMigrations(folder)
  return await withClient(database, async (client) => {
    const applied: string[] = []
    for (;;) {
      const name = await retryLocked(() => applyNext(client, files))
      if (name === null) return applied
      applied.push(name)
    }
  })
}

/** The names `migrate` would apply, in order. Changes nothing. Throws as `migrate` does. */
export async function pendingMigrations(
  database: string | Pool,
  folder: string = MIGRATIONS_FOLDER,
): Promise<string[]> {
  const files = await readMigrations(folder)
  return await withClient(database, async (client) => {
    const found = await client.query<{ exists: boolean }>(
      `select to_regclass('public.booktape_migrations') is not null as exists`,
    )
    const applied = found.rows[0]?.exists === true ? await readApplied(client) : []
    return pendingOf(files, applied).map((file) => file.name)
  })
}

export const MIGRATIONS_FOLDER: string = fileURLToPath(new URL('../../../migrations', import.meta.url))

/** Long enough for a short query to end, short enough that a stuck one does not hold up every other behind our lock. */
export const LOCK_TIMEOUT_MS = 5_000

/** With the lock timeout: a minute of trying, the time a rolling deploy gives its old process to go. */
export const LOCK_ATTEMPTS = 12

export const MIGRATION_PROBLEMS = [
  'CHANGED', // an applied file is not what it was
  'NEWER_DATABASE', // the database has a migration this program does not know
  'OUT_OF_ORDER', // a file that was never applied sorts before one that was
  'BAD_NAME', // a file in the folder has no number, or a number twice
  'LOCKED', // another transaction kept its locks for all attempts
  'FAILED', // Postgres refused a statement
] as const
export type MigrationProblem = (typeof MIGRATION_PROBLEMS)[number]

/** The schema cannot be brought to what this program needs. The message names the file and the next step. */
export class MigrationError extends Error {
  readonly code: MigrationProblem

  constructor(code: MigrationProblem, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'MigrationError'
    this.code = code
  }
}

type MigrationFile = Readonly<{ name: string; sql: string; sha256: string }>
type AppliedMigration = Readonly<{ name: string; sha256: string }>

/** Applies the first pending file in one transaction; null when none is pending. */
async function applyNext(client: Session, files: readonly MigrationFile[]): Promise<string | null> {
  await client.query('begin')
  try {
    // The pool's statement timeout is made for queries; building an index on a big table may take longer.
    await client.query(`set local lock_timeout = ${LOCK_TIMEOUT_MS}; set local statement_timeout = 0`)
    await client.query(`select pg_advisory_xact_lock(hashtextextended('booktape migrations', 0))`)
    await client.query(CREATE_LEDGER)
    const next = pendingOf(files, await readApplied(client))[0]
    if (next !== undefined) await apply(client, next)
    await client.query('commit')
    return next?.name ?? null
  } catch (error) {
    await client.query('rollback').catch(() => undefined) // on a lost connection it fails too; the first error says why
    throw error
  }
}

const CREATE_LEDGER = `create table if not exists public.booktape_migrations (
  name text primary key,
  sha256 text not null,
  applied_at timestamptz not null default now()
)`

async function apply(client: Session, file: MigrationFile): Promise<void> {
  try {
    await client.query(file.sql)
  } catch (error) {
    if (!(error instanceof DatabaseError) || isLockTimeout(error)) throw error
    const place = error.position === undefined ? '' : ` at character ${error.position}`
    throw new MigrationError(
      'FAILED',
      `migration ${file.name} failed${place}: ${error.message} (SQLSTATE ${error.code ?? 'none'}); nothing of it was kept`,
      { cause: error },
    )
  }
  await client.query('insert into public.booktape_migrations (name, sha256) values ($1, $2)', [file.name, file.sha256])
}

async function readApplied(client: Session): Promise<readonly AppliedMigration[]> {
  const ledger = await client.query<AppliedMigration>(
    'select name, sha256 from public.booktape_migrations order by name collate "C"',
  )
  return ledger.rows
}

function pendingOf(files: readonly MigrationFile[], applied: readonly AppliedMigration[]): readonly MigrationFile[] {
  const known = new Map(files.map((file) => [file.name, file.sha256]))
  for (const { name, sha256 } of applied) {
    if (!known.has(name)) {
      throw new MigrationError(
        'NEWER_DATABASE',
        `the database has migration ${name}, which this version of booktape does not know: run the version that applied it, or a newer one`,
      )
    }
    if (known.get(name) !== sha256) {
      throw new MigrationError(
        'CHANGED',
        `migration ${name} was changed after it was applied: put the file back as it was and write the change as a new migration, or begin with an empty database`,
      )
    }
  }
  const pending = files.slice(applied.length)
  const done = new Set(applied.map((migration) => migration.name))
  const skipped = files.slice(0, applied.length).find((file) => !done.has(file.name))
  if (skipped !== undefined) {
    throw new MigrationError(
      'OUT_OF_ORDER',
      `migration ${skipped.name} sorts before ones already applied: give it a number after ${applied.at(-1)?.name ?? ''}`,
    )
  }
  return pending
}

async function readMigrations(folder: string): Promise<readonly MigrationFile[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort()
  const numbers = new Set<string>()
  for (const name of names) {
    const number = /^(\d{4})_[a-z0-9_]+\.sql$/.exec(name)?.[1]
    if (number === undefined || numbers.has(number)) {
      throw new MigrationError('BAD_NAME', `${name} in ${folder} must be named like 0007_words.sql, each number once`)
    }
    numbers.add(number)
  }
  return await Promise.all(
    names.map(async (name) => {
      const sql = await readFile(join(folder, name), 'utf8')
      return { name, sql, sha256: createHash('sha256').update(sql).digest('hex') }
    }),
  )
}

async function retryLocked<T>(attempt: () => Promise<T>): Promise<T> {
  for (let left = LOCK_ATTEMPTS - 1; ; left--) {
    try {
      return await attempt()
    } catch (error) {
      if (!isLockTimeout(error)) throw error
      if (left === 0) {
        throw new MigrationError(
          'LOCKED',
          `another transaction held its locks for ${LOCK_ATTEMPTS} attempts of ${LOCK_TIMEOUT_MS} ms: find it in pg_stat_activity, end it, and run the migrations again`,
          { cause: error },
        )
      }
    }
  }
}

function isLockTimeout(error: unknown): boolean {
  return error instanceof DatabaseError && error.code === '55P03' // lock_not_available
}

/** What a client of its own and a client of a pool have in common. */
type Session = Pick<Client, 'query'>

async function withClient<T>(database: string | Pool, use: (client: Session) => Promise<T>): Promise<T> {
  if (typeof database !== 'string') {
    const client = await database.connect()
    try {
      return await use(client)
    } finally {
      client.release()
    }
  }
  const client = new Client({ ...readDatabaseUrl(database), application_name: 'booktape migrate' })
  // Without a listener a connection that ends between two queries would end the process; the next query reports it.
  client.on('error', () => undefined)
  await client.connect()
  try {
    return await use(client)
  } finally {
    await client.end()
  }
}
