import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { type NonceKind, nextNonce } from '@booktape/gemini'
import { JournalError, type Lock, type LockSubject, takeLock } from '@booktape/journal'
import { type Clock, ConfigError } from '@booktape/runtime'

/** Longer than a burst ever has to wait, shorter than anybody takes for a hang. */
export const MAX_NONCE_WAIT_MS = 30_000n

const FILE = 'nonce'
const NS_PER_MS = 1_000_000n

const KEY_LOCK: LockSubject = {
  name: 'nonce.lock',
  taken: (_, pid) =>
    `the process with pid ${pid} signs with this API key already, and two would refuse each other's nonces: stop it, or give this one a key of its own (BOOKTAPE_GEMINI_API_KEY)`,
}

/** There is no nonce that the venue could accept now. */
export class NonceError extends Error {
  override name = 'NonceError'
}

/**
 * The nonces of one API key, for one process at a time. Each is on disk before it is given, so that none is given twice whatever
 * the process and the clock do. Every process that uses the key must be given the same directory.
 */
export class NonceStore {
  readonly #directory: string
  readonly #kind: NonceKind
  readonly #clock: Pick<Clock, 'wallNs' | 'sleep'>
  readonly #lock: Lock
  #last: bigint
  #turn: Promise<unknown> = Promise.resolve()

  /** @throws ConfigError where another process has the key, or the directory or its file cannot be used. */
  static async open(
    parts: Readonly<{
      directory: string
      fingerprint: string // of the key
      kind: NonceKind
      clock: Pick<Clock, 'wallNs' | 'sleep'>
    }>,
  ): Promise<NonceStore> {
    const directory = join(parts.directory, parts.fingerprint)
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 })
      const lock = await takeLock(directory, KEY_LOCK)
      try {
        return new NonceStore(directory, parts.kind, parts.clock, lock, await readLast(directory))
      } catch (error) {
        await lock.release()
        throw error
      }
    } catch (error) {
      if (error instanceof ConfigError) throw error
      if (error instanceof JournalError) throw new ConfigError([`${error.message}.`])
      const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
      throw new ConfigError([
        `BOOKTAPE_NONCE_DIR ${parts.directory} cannot be used (${code}): name a directory that this user may write.`,
      ])
    }
  }

  private constructor(
    directory: string,
    kind: NonceKind,
    clock: Pick<Clock, 'wallNs' | 'sleep'>,
    lock: Lock,
    last: bigint,
  ) {
    this.#directory = directory
    this.#kind = kind
    this.#clock = clock
    this.#lock = lock
    this.#last = last
  }

  get kind(): NonceKind {
    return this.#kind
  }

  /** A nonce that was never given before, greater than all of them. Throws `NonceError`, or what the signal throws. */
  take(signal?: AbortSignal): Promise<bigint> {
    const taken = this.#turn.then(() => this.#takeNow(signal))
    this.#turn = taken.catch(() => undefined) // the next one does not fail with it
    return taken
  }

  async close(): Promise<void> {
    await this.#turn
    await this.#lock.release()
  }

  async #takeNow(signal: AbortSignal | undefined): Promise<bigint> {
    for (;;) {
      const next = nextNonce(this.#kind, this.#last, this.#clock.wallNs() / NS_PER_MS)
      if ('nonce' in next) {
        await this.#keep(next.nonce).catch((error: unknown) => {
          const why = error instanceof Error ? error.message : String(error)
          throw new NonceError(`a nonce must be on disk before it is used, and could not be written: ${why}`)
        })
        this.#last = next.nonce
        return next.nonce
      }
      if (next.waitMs > MAX_NONCE_WAIT_MS) {
        throw new NonceError(
          `the last nonce of this key lies ${next.waitMs / 1_000n} s ahead of this machine's clock, which was wrong then or is now: ` +
            `set the clock right; if it is, wait 30 s and remove ${join(this.#directory, FILE)}`,
        )
      }
      await this.#clock.sleep(Number(next.waitMs), signal) // at most MAX_NONCE_WAIT_MS: exact
    }
  }

  /** Whole or not at all, and there after a loss of power. */
  async #keep(nonce: bigint): Promise<void> {
    const path = join(this.#directory, FILE)
    const draft = `${path}.new`
    const file = await open(draft, 'w', 0o600)
    try {
      await file.writeFile(`${nonce}\n`)
      await file.datasync()
    } finally {
      await file.close()
    }
    await rename(draft, path)
    const directory = await open(this.#directory)
    try {
      await directory.sync()
    } finally {
      await directory.close()
    }
  }
}

/** The last nonce given; 0 for a key that has none. @throws ConfigError for a file that is not ours. */
async function readLast(directory: string): Promise<bigint> {
  const path = join(directory, FILE)
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '0\n'
    throw error
  })
  if (!/^\d{1,19}\n$/.test(text)) {
    throw new ConfigError([
      `${path} does not hold a nonce, and a nonce given twice is refused: set this machine's clock right, wait 30 s and remove the file.`,
    ])
  }
  return BigInt(text)
}
