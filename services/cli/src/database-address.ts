import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ConfigError, type Environment, readSettings } from '@booktape/runtime'

/** Where a running `npm start` leaves its addresses, readable by its user alone. */
const FILES = { database: 'database-url', recorder: 'recorder-url', rest: 'rest-url' } as const
type Address = keyof typeof FILES
const PLACES = ['simulated', 'live']

/** Lets `booktape query` and `booktape status` find a running `npm start` by themselves. */
export async function leaveAddress(dataDir: string, what: Address, url: string): Promise<void> {
  const file = join(dataDir, FILES[what])
  await rm(file, { force: true })
  await writeFile(file, `${url}\n`, { mode: 0o600 })
}

export async function takeAddressesAway(dataDir: string): Promise<void> {
  for (const file of Object.values(FILES)) await rm(join(dataDir, file), { force: true })
}

/** DATABASE_URL, or else the database of a running `npm start` in this directory. @throws ConfigError when there is neither. */
export async function findDatabase(env: Environment = process.env): Promise<string> {
  const found = await findDatabaseIfAny(env)
  if (found !== null) return found
  throw new ConfigError([
    'DATABASE_URL is not set, and no "npm start" is running here: name the database, such as postgres://user@host/booktape.',
  ])
}

/** The same for a command that can do without: null when there is neither. */
export async function findDatabaseIfAny(env: Environment = process.env): Promise<string | null> {
  const given = readSettings(env, (read) => ({ url: read.secret('DATABASE_URL') })).url
  return given ?? (await addressLeft(env, 'database'))
}

/**
 * The recorder on this machine: of BOOKTAPE_HTTP_HOST and BOOKTAPE_HTTP_PORT, or else of a running `npm start` in this directory.
 * Whether it answers is another matter.
 */
export async function findRecorder(env: Environment = process.env): Promise<string> {
  const given = readSettings(env, (read) => ({
    host: read.text('BOOKTAPE_HTTP_HOST', { default: '127.0.0.1' }),
    port: read.integer('BOOKTAPE_HTTP_PORT', { default: 0, min: 0, max: 65_535 }),
  }))
  const left = given.port === 0 ? await addressLeft(env, 'recorder') : null
  const host = EVERYWHERE.get(given.host) ?? given.host
  return left ?? `http://${host.includes(':') ? `[${host}]` : host}:${given.port || DEFAULT_PORT}`
}

/**
 * The environment that says where REST answers: as it is, or, where it names neither a database nor an exchange, with the exchange of a
 * running `npm start`, whose database is then taken too.
 */
export async function findRest(env: Environment = process.env): Promise<Environment> {
  const isSaid = ['DATABASE_URL', 'DATABASE_URL_FILE', 'BOOKTAPE_GEMINI_REST_URL', 'BOOKTAPE_SANDBOX'].some(
    (name) => (env[name] ?? '').trim() !== '',
  )
  const left = isSaid ? null : await addressLeft(env, 'rest')
  return left === null ? env : { ...env, BOOKTAPE_GEMINI_REST_URL: left }
}

const DEFAULT_PORT = 9464
/** One that listens everywhere is asked here. */
const EVERYWHERE: ReadonlyMap<string, string> = new Map([
  ['0.0.0.0', '127.0.0.1'],
  ['::', '::1'],
])

async function addressLeft(env: Environment, what: Address): Promise<string | null> {
  const root = (env['BOOKTAPE_DATA_DIR'] ?? '').trim() || '.booktape'
  for (const directory of [root, ...PLACES.map((place) => join(root, place))]) {
    const url = await readFile(join(directory, FILES[what]), 'utf8').catch(() => '')
    if (url.trim() !== '') return url.trim()
  }
  return null
}
