import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { ExportedFile } from './output.ts'
import { syncDirectory } from './output.ts'
import { isoTime, type Part } from './part.ts'
import type { Seen } from './playback.ts'

/** What makes two exports of a part the same: with it the part is skipped. */
export type PartKey = Readonly<{
  format: string
  data: readonly string[]
  symbol: string
  asked_feed: string | null
  from_ns: string
  to_ns: string
  shift_ns: string
  instants: number
}>

export type PartManifest = PartKey &
  Readonly<{
    booktape: string // version
    day: string
    feed: string | null // whose book it is; null where none is known
    from: string
    to: string
    files: readonly ExportedFile[]
    counts: Readonly<Record<string, number>>
    /** Per kind of data, what its encoder says beside rows: precision, shifts, counts of what it changed. */
    facts: Readonly<Record<string, Readonly<Record<string, string | number | boolean>>>>
    /** What the sidecar file holds: rows by treatment. None: everything is in the files but for `limits`. */
    sidecar: Readonly<Record<string, number>>
    precision: Readonly<{ price_digits: number; quantity_digits: number }>
    receive_times_raised: Readonly<{ count: number; worst_ns: string }>
    epochs: readonly Readonly<Record<string, string>>[]
    gaps: readonly Readonly<{ from_ns: string; to_ns: string; causes: readonly string[] }>[]
    /** The recorded book after all that was received before an instant: SHA-256 as column `digest` of market.book_snapshots has it. */
    book_digests: readonly Readonly<{
      at_ns: string
      update_id: string | null
      levels: number
      digest: string | null
    }>[]
  }>

export function partManifest(
  key: PartKey,
  part: Part,
  feed: string | null,
  version: string,
  seen: Seen,
  made: Pick<PartManifest, 'files' | 'facts' | 'sidecar'>,
): PartManifest {
  return {
    ...key,
    booktape: version,
    day: part.day,
    feed,
    from: isoTime(part.fromNs),
    to: isoTime(part.toNs),
    ...made,
    counts: {
      books: seen.books,
      messages: seen.messages,
      changes: seen.changes,
      trades: seen.trades,
      trades_from_rest: seen.tradesFromRest,
      broken_trades: seen.brokenTrades,
      gaps: seen.gaps.length,
    },
    precision: { price_digits: seen.priceDigits, quantity_digits: seen.quantityDigits },
    receive_times_raised: { count: seen.timesRaised, worst_ns: `${seen.worstRaiseNs}` },
    epochs: seen.epochs.map(({ epochId, line, fromNs, firstUpdateId, lastUpdateId }) => ({
      epoch_id: epochId,
      line,
      from_ns: `${fromNs}`,
      first_update_id: `${firstUpdateId}`,
      last_update_id: `${lastUpdateId}`,
    })),
    gaps: seen.gaps.map(({ fromNs, toNs, causes }) => ({ from_ns: `${fromNs}`, to_ns: `${toNs}`, causes })),
    book_digests: seen.prints.map(({ atNs, updateId, digest, levels }) => ({
      at_ns: `${atNs}`,
      update_id: updateId === null ? null : `${updateId}`,
      levels,
      digest,
    })),
  }
}

/** The manifest of a part that is finished just so, with all its files there; null otherwise. */
export async function finishedPart(root: string, name: string, key: PartKey): Promise<PartManifest | null> {
  const found = await readPart(root, name)
  if (found === null) return null
  for (const [field, value] of Object.entries(key)) {
    if (JSON.stringify(found[field as keyof PartKey]) !== JSON.stringify(value)) return null
  }
  for (const file of found.files) {
    const size = await stat(join(root, file.name)).then(
      (entry) => entry.size,
      () => null,
    )
    if (size !== file.bytes) return null
  }
  return found
}

/** Where the manifests of parts are. */
export const PARTS = 'manifest'

/** Of all parts in a directory, whichever run made them, by symbol and day. */
export async function allParts(root: string): Promise<readonly PartManifest[]> {
  const names = await readdir(join(root, PARTS)).catch(() => [])
  const parts: PartManifest[] = []
  for (const name of names.filter((one) => one.endsWith('.json')).sort()) {
    const part = await readPart(root, `${PARTS}/${name}`)
    if (part !== null) parts.push(part)
  }
  return parts
}

/** Takes a part away that is to be made again: first what says that it is there. */
export async function removePart(root: string, name: string): Promise<void> {
  const found = await readPart(root, name)
  if (found === null) return
  await rm(join(root, name), { force: true })
  for (const file of found.files) await rm(join(root, file.name), { force: true })
}

async function readPart(root: string, name: string): Promise<PartManifest | null> {
  const text = await readFile(join(root, name), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
  if (text === null) return null
  try {
    return JSON.parse(text) as PartManifest
  } catch {
    return null // not ours, or not whole: the part is made again
  }
}

export async function writeJson(root: string, name: string, content: unknown): Promise<void> {
  const path = join(root, name)
  await mkdir(dirname(path), { recursive: true })
  const temporary = `${path}.unfinished`
  const handle = await open(temporary, 'w')
  try {
    await handle.writeFile(`${JSON.stringify(content, null, 2)}\n`)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(temporary, path)
  await syncDirectory(dirname(path))
}
