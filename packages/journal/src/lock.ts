import { randomUUID } from 'node:crypto'
import { link, readFile, rename, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { JournalError, systemCode } from './errors.ts'

const LOCK_NAME = 'journal.lock'
const MAX_ATTEMPTS = 5 // each lost attempt means that another process won one; five in a row means something is odd

/** A directory that this process, and no other, may write. */
export type Lock = Readonly<{ release(): Promise<void> }>

/** What the lock is of: the name of its file, and what to tell whoever comes second. */
export type LockSubject = Readonly<{ name: string; taken(directory: string, pid: string): string }>

const JOURNAL_LOCK: LockSubject = {
  name: LOCK_NAME,
  taken: (directory, pid) =>
    `${directory} is in use by the process with pid ${pid}; stop it, or give this one another data directory`,
}

/**
 * Takes the lock of a directory. A file with the owner's pid is not enough after a kill: the pid may belong to another
 * process by then. So the file also says which boot and which start time the owner had, and a lock whose owner is gone is
 * taken over.
 * @throws JournalError LOCKED, naming the owner's pid.
 */
export async function takeLock(directory: string, subject: LockSubject = JOURNAL_LOCK): Promise<Lock> {
  const path = join(directory, subject.name)
  const mine = await ownerText(process.pid)
  // Linking a finished file makes the lock appear whole or not at all.
  const draft = `${path}.${randomUUID()}` // two may try in one process
  await writeFile(draft, mine, { mode: 0o600 })
  try {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      if (await linked(draft, path)) return { release: () => releaseLock(path, mine) }
      const theirs = await readIfThere(path)
      if (theirs === null) continue
      if (await isAlive(theirs)) throw locked(subject, directory, theirs)
      await removeStale(path, `${draft}.stale`, theirs, (owner) => locked(subject, directory, owner))
    }
  } finally {
    await unlink(draft)
  }
  throw new JournalError('LOCKED', `the lock of ${directory} changes hands; stop the other processes and start again`)
}

/**
 * Two processes may find the same stale lock. Renaming it away first, and then looking at what was renamed, keeps the
 * slower one from deleting the lock the faster one has just taken.
 */
async function removeStale(
  path: string,
  away: string,
  stale: string,
  refuse: (owner: string) => JournalError,
): Promise<void> {
  try {
    await rename(path, away)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return
    throw error
  }
  const taken = await readFile(away, 'utf8')
  if (taken !== stale) {
    await linked(away, path)
    await unlink(away)
    throw refuse(taken)
  }
  await unlink(away)
}

async function releaseLock(path: string, mine: string): Promise<void> {
  if ((await readIfThere(path)) === mine) await unlink(path)
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false
    throw error
  }
}

function locked(subject: LockSubject, directory: string, owner: string): JournalError {
  return new JournalError('LOCKED', subject.taken(directory, owner.split(' ')[0] ?? 'unknown'))
}

/** A lock that does not say who owns it was not written by us whole, so its owner cannot be alive. */
async function isAlive(owner: string): Promise<boolean> {
  const pid = Number(/^(\d{1,9}) /.exec(owner)?.[1] ?? 'none') // at most nine digits; NaN without a match
  if (!Number.isSafeInteger(pid)) return false
  return processExists(pid) && (await ownerText(pid)) === owner
}

function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return systemCode(error) === 'EPERM'
  }
}

/** `pid boot start`. Where there is no /proc both are `unknown`, and a living pid keeps its lock. */
async function ownerText(pid: number): Promise<string> {
  const boot = (await readIfThere('/proc/sys/kernel/random/boot_id'))?.trim() ?? 'unknown'
  const stat = await readIfThere(`/proc/${pid}/stat`)
  // The second field is the program's name in parentheses and may hold spaces and parentheses itself.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')
  const isZombie = fields?.[0] === 'Z' // it holds nothing any more
  return `${pid} ${boot} ${isZombie ? 'ended' : (fields?.[START_TIME_FIELD] ?? 'unknown')}\n`
}

/** `starttime` is field 22 of proc(5); the state, field 3, is the first after the name. */
const START_TIME_FIELD = 19

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ESRCH') return null
    throw error
  }
}
