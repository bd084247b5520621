import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmod, mkdir, readdir, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Binaries, launchEnvironment, launchOf, readFailure } from './binaries.ts'
import { EmbeddedError, USE_YOUR_OWN } from './errors.ts'
import { isAlive } from './postmaster.ts'

/** The one role: it owns the cluster. */
export const ROLE = 'booktape'

/**
 * A place for one Postgres:
 *
 *   cluster/            what initdb made, and booktape.password beside it; comes into being whole, by one rename
 *   port                the port used last, to be used again
 *   postgres.log        (and .1)
 */
export type Cluster = Readonly<{ directory: string; path: string; portFile: string; logFile: string; password: string }>

/** Slow disks sync for a while: initdb writes about 40 MB in 1,000 files. */
export const INITDB_DEADLINE_MS = 120_000

const PASSWORD_FILE = 'booktape.password'
const UNFINISHED = /^cluster\.new-(\d+)$/

/** Makes what is missing. Two starters may do this at once: the first rename wins, the other's work is thrown away. */
export async function prepareCluster(wanted: string, binaries: Binaries, durable: boolean): Promise<Cluster> {
  try {
    await mkdir(wanted, { recursive: true, mode: 0o700 })
    const directory = await realpath(wanted) // Postgres is recognised by its real path
    await chmod(directory, 0o700)
    const path = join(directory, 'cluster')
    const password = (await readPassword(path)) ?? (await initialize(directory, path, binaries, durable))
    return {
      directory,
      path,
      password,
      portFile: join(directory, 'port'),
      logFile: join(directory, 'postgres.log'),
    }
  } catch (error) {
    if (error instanceof EmbeddedError) throw error
    const cause = error instanceof Error ? error.message : String(error)
    const sentence = `The database's directory ${wanted} cannot be used (${cause}): set BOOKTAPE_DATA_DIR to another one, ${USE_YOUR_OWN}.`
    throw new EmbeddedError('DIRECTORY', sentence, { cause: error })
  }
}

async function initialize(directory: string, path: string, binaries: Binaries, durable: boolean): Promise<string> {
  await removeUnfinished(directory)
  const draft = join(directory, `cluster.new-${process.pid}`)
  const password = randomBytes(24).toString('base64url')
  const passwordFile = `${draft}.password`
  try {
    await writeFile(passwordFile, password, { mode: 0o600 })
    await runInitdb(binaries.initdb, [
      `--pgdata=${draft}`,
      `--username=${ROLE}`,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256', // loopback is shared with every other user of this machine
      '--encoding=UTF8',
      '--locale=C', // text orders by bytes, the same on every machine and after every upgrade
      '--data-checksums',
      ...(durable ? [] : ['--no-sync']),
    ])
    await rename(passwordFile, join(draft, PASSWORD_FILE))
    await rename(draft, path)
    return password
  } catch (error) {
    const winners = await readPassword(path)
    if (winners === null) throw error
    return winners
  } finally {
    await rm(draft, { recursive: true, force: true })
    await rm(passwordFile, { force: true })
  }
}

/** `null`: there is no cluster yet. */
async function readPassword(path: string): Promise<string | null> {
  try {
    return await readFile(join(path, PASSWORD_FILE), 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
}

/** Drafts of starters that were killed. */
async function removeUnfinished(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const pid = Number(UNFINISHED.exec(name)?.[1] ?? 0)
    if (pid === 0 || (await isAlive(pid))) continue
    await rm(join(directory, name), { recursive: true, force: true })
    await rm(join(directory, `${name}.password`), { force: true })
  }
}

function runInitdb(initdb: string, args: readonly string[]): Promise<void> {
  const { program, prefix } = launchOf(initdb)
  return new Promise((resolve, reject) => {
    execFile(
      program,
      [...prefix, ...args],
      { env: launchEnvironment(), timeout: INITDB_DEADLINE_MS },
      (error, stdout, stderr) => {
        if (error === null) resolve()
        else
          reject(
            readFailure(
              'Making the database',
              `${stdout}\n${stderr}\n${error.code === 'ENOENT' ? error.message : ''}`,
              'INITIALIZE',
            ),
          )
      },
    )
  })
}
