import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { Disk, DiskFile } from './disk.ts'
import { nodeDisk } from './disk.ts'
import type { Entry, NewEntry } from './entry.ts'
import { Journal, type JournalOptions } from './journal.ts'
import { HEADER_BYTES } from './segment-header.ts'

export const JOURNAL_ID = '0189f7a1-0000-7000-8000-00000000abcd'

const OPTIONS: JournalOptions = {
  retentionMs: 1000,
  limitBytes: 1024 * 1024 * 1024,
  syncIntervalMs: 0,
  journalId: JOURNAL_ID,
  onFailure: (error) => {
    throw error
  },
}

/** A new empty directory, gone after the test, when the journals that were opened in it are closed. */
export async function temporaryDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'booktape-journal-'))
  t.after(async () => {
    for (const journal of opened.get(t)?.splice(0) ?? []) await journal.close().catch(() => undefined)
    await rm(directory, { recursive: true, force: true })
  })
  return directory
}

const opened = new WeakMap<TestContext, Journal[]>()

/** Opens a journal in which every failure is an error of the test. */
export async function openJournal(
  t: TestContext,
  directory: string,
  options: Partial<JournalOptions> = {},
): Promise<Journal> {
  const journal = await Journal.open(directory, { ...OPTIONS, ...options })
  opened.set(t, [...(opened.get(t) ?? []), journal])
  return journal
}

/** An entry whose every field depends on `n`, with the text as its payload. */
export function entryOf(n: number, text = `entry ${n}`): NewEntry {
  return {
    kind: n % 256,
    wallNs: BigInt(n) * 1_000_000_000n,
    monoNs: BigInt(n),
    connection: n,
    messageSeq: n + 1,
    payload: new TextEncoder().encode(text),
  }
}

/** `count` entries in one journal, closed again. Entries are 52 bytes each up to 9, 53 up to 99. */
export async function writeEntries(directory: string, count: number, options: Partial<JournalOptions>): Promise<void> {
  const journal = await Journal.open(directory, {
    ...OPTIONS,
    ...options,
  })
  const from = journal.lastPosition
  for (let n = from + 1; n <= from + count; n += 1) journal.append(entryOf(n))
  await journal.close()
}

export async function readAll(journal: Journal, from = journal.firstPosition, to?: number): Promise<Entry[]> {
  const entries: Entry[] = []
  for await (const batch of journal.read(from, to)) entries.push(...batch)
  return entries
}

/** `position:payload`, one string an entry: readable in a failure. */
export const texts = (entries: readonly Entry[]): string[] =>
  entries.map((entry) => `${entry.position}:${new TextDecoder().decode(entry.payload)}`)

/** What `texts` gives for the entries `entryOf(from)` .. `entryOf(to)`. */
export function expectedTexts(from: number, to: number): string[] {
  const expected: string[] = []
  for (let n = from; n <= to; n += 1) expected.push(`${n}:entry ${n}`)
  return expected
}

/** Where each record of a segment begins, and where the last one ends. */
export async function recordOffsets(path: string): Promise<number[]> {
  const bytes = await readFile(path)
  const offsets = [HEADER_BYTES]
  for (let at = HEADER_BYTES; at < bytes.length; ) {
    at += 12 + bytes.readUInt32LE(at)
    offsets.push(at)
  }
  return offsets
}

/** The real disk with some calls replaced, for every file it opens. */
export function diskWith(replace: (file: DiskFile, path: string) => Partial<DiskFile>, disk: Partial<Disk> = {}): Disk {
  return {
    ...nodeDisk,
    async open(path, mode) {
      const file = await nodeDisk.open(path, mode)
      return { ...file, ...replace(file, path) }
    },
    ...disk,
  }
}
