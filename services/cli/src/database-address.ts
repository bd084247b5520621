import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ConfigError, type Environment, readSettings } from '@booktape/runtime'

/** Where a running `npm start` leaves its database's address, readable by its user alone. */
const FILE = 'database-url'
const PLACES = ['simulated', 'live']

/** Lets `booktape query` and `booktape status` find the database of a running `npm start` by themselves. */
export async function leaveAddress(dataDir: string, url: string): Promise<void> {
  const file = join(dataDir, FILE)
  await rm(file, { force: true })
  await writeFile(file, `${url}\n`, { mode: 0o600 })
}

export async function takeAddressAway(dataDir: string): Promise<void> {
  await rm(join(dataDir, FILE), { force: true })
}

/** DATABASE_URL, or else the database of a running `npm start` in this directory. @throws ConfigError when there is neither. */
export async function findDatabase(env: Environment = process.env): Promise<string> {
  const given = readSettings(env, (read) => ({ url: read.secret('DATABASE_URL') })).url
  if (given !== null) return given
  const root = (env['BOOKTAPE_DATA_DIR'] ?? '').trim() || '.booktape'
  for (const directory of [root, ...PLACES.map((place) => join(root, place))]) {
    const url = await readFile(join(directory, FILE), 'utf8').catch(() => '')
    if (url.trim() !== '') return url.trim()
  }
  throw new ConfigError([
    'DATABASE_URL is not set, and no "npm start" is running here: name the database, such as postgres://user@host/booktape.',
  ])
}
