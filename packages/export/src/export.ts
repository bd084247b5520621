import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Tape, TapeEvent } from '@booktape/client'
import type { Feed } from '@booktape/market'
import type { Encoder, Format, FormatOptions } from './encoder.ts'
import {
  allParts,
  finishedPart,
  PARTS,
  type PartKey,
  type PartManifest,
  partManifest,
  removePart,
  writeJson,
} from './manifest.ts'
import { PartFiles, PENDING_BYTES, removeUnfinished } from './output.ts'
import type { Part } from './part.ts'
import { Playback, type Seen } from './playback.ts'
import { Sidecar } from './sidecar.ts'
import type { OpenSink } from './sink.ts'

/** Where the events come from: a database or an archive. */
export type TapeSource = Pick<Tape, 'pages'>

export type ExportPlan = Readonly<{
  format: Format
  data: readonly string[] // of the format's, all of them or some
  options: FormatOptions
  directory: string
  version: string // booktape's
  instants: number // for how many instants a part's manifest gives the book's digest
  onProgress: (part: Part, atNs: bigint, changes: number) => void
  stopping: AbortSignal
}>

/** The directory holds something else, or cannot be used. */
export class ExportError extends Error {
  override name = 'ExportError'
}

export type PartOutcome = Readonly<{ part: Part; manifest: PartManifest; isSkipped: boolean }>

/**
 * Exports parts one after the other. A part that is finished already is skipped; one that is interrupted leaves nothing but its
 * unfinished files, which the next run removes. Throws `ExportError`, what the source throws, and the signal's reason when stopped.
 */
export async function* exportParts(
  source: TapeSource,
  parts: readonly Part[],
  plan: ExportPlan,
): AsyncGenerator<PartOutcome> {
  await orExportError(plan, async () => {
    await mkdir(plan.directory, { recursive: true })
    await removeUnfinished(plan.directory)
    await claim(plan)
  })
  const manifests: PartManifest[] = []
  for (const part of parts) {
    const before = manifests.findLast(({ symbol, feed }) => symbol === part.symbol && feed !== null)
    const asked: Part = { ...part, feed: part.feed ?? ((before?.feed ?? null) as Feed | null) }
    const key = keyOf(part, plan)
    const name = manifestName(part)
    const finished = await finishedPart(plan.directory, name, key)
    const manifest = finished ?? (await orExportError(plan, () => makePart(source, asked, key, name, plan)))
    manifests.push(manifest)
    yield { part, manifest, isSkipped: finished !== null }
  }
  const all = await allParts(plan.directory)
  await writeJson(plan.directory, MANIFEST, { ...headOf(plan), parts: all.map(summaryOf) })
}

/** What the file system refuses, as a sentence for whoever chose the directory. */
async function orExportError<Result>({ directory }: ExportPlan, deed: () => Promise<Result>): Promise<Result> {
  try {
    return await deed()
  } catch (error) {
    if (
      !(error instanceof Error) ||
      !('code' in error) ||
      !('syscall' in error) ||
      !('path' in error || error.code === 'ENOSPC')
    )
      throw error
    const remedy =
      error.code === 'ENOSPC'
        ? 'free some space, and the same command goes on'
        : 'name a directory that this user may write'
    throw new ExportError(`${directory} cannot be written (${String(error.code)}): ${remedy}.`, { cause: error })
  }
}

export const MANIFEST = 'manifest.json'

async function makePart(
  source: TapeSource,
  part: Part,
  key: PartKey,
  name: string,
  plan: ExportPlan,
): Promise<PartManifest> {
  const { directory, version } = plan
  await removePart(directory, name)
  const files = new PartFiles(directory)
  try {
    const { seen, feed, facts, sidecar } = await encodePart(source, part, plan, files.open, () =>
      files.pendingBytes > PENDING_BYTES ? files.drain() : null,
    )
    const made = { files: await files.publish(), facts, sidecar }
    const manifest = partManifest(key, part, feed, version, seen, made)
    await writeJson(directory, name, manifest)
    return manifest
  } finally {
    await files.discard()
  }
}

type Encoded = Readonly<{ seen: Seen; feed: Feed | null }> & Pick<PartManifest, 'facts' | 'sidecar'>

/** Plays a part through its encoders. `breathe`: asked after each event whether bytes must be written first. */
export async function encodePart(
  source: TapeSource,
  part: Part,
  plan: Pick<ExportPlan, 'format' | 'data' | 'options' | 'instants' | 'stopping' | 'onProgress'>,
  open: OpenSink,
  breathe: () => Promise<void> | null,
): Promise<Encoded> {
  const { format, data, options, instants, stopping, onProgress } = plan
  const sidecar = new Sidecar(open, `${part.symbol}_${part.day}.not-held.csv`)
  const encoders = new Map<string, Encoder>()
  for (const name of data) {
    const encoder = format.data[name]
    if (encoder !== undefined) encoders.set(name, encoder({ part, open, sidecar, options }))
  }
  const playback = new Playback(part, instants, format.levels)
  let { feed } = part
  for await (const page of source.pages(questionOf(part))) {
    for (const event of page) {
      feed ??= feedOf(event)
      const step = playback.play(event)
      for (const encoder of encoders.values()) encoder.take(step)
      const writing = breathe()
      if (writing !== null) await writing
    }
    stopping.throwIfAborted()
    onProgress(part, playback.atNs, playback.seen.changes)
  }
  playback.end(part.toNs)
  const facts = Object.fromEntries([...encoders].map(([name, encoder]) => [name, encoder.end(playback.seen)]))
  return { seen: playback.seen, feed, facts, sidecar: sidecar.counts }
}

function feedOf(event: TapeEvent): Feed | null {
  return event.kind === 'book' || event.kind === 'book_message' ? event.feed : null
}

function questionOf({ symbol, feed, fromNs, toNs }: Part) {
  return { symbols: [symbol], from: fromNs, to: toNs, ...(feed === null ? {} : { feed }) }
}

function keyOf(part: Part, { format, data, options, instants }: ExportPlan): PartKey {
  return {
    format: format.name,
    data,
    symbol: part.symbol,
    asked_feed: part.feed,
    from_ns: `${part.fromNs}`,
    to_ns: `${part.toNs}`,
    shift_ns: `${options.shiftNs}`,
    instants,
  }
}

function manifestName({ symbol, day }: Part): string {
  return `${PARTS}/${symbol}_${day}.json`
}

const headOf = ({ format, version }: ExportPlan) => ({
  booktape: version,
  format: format.name,
  limits: format.limits,
})

function summaryOf({ symbol, day, feed, files, counts, sidecar }: PartManifest) {
  return { manifest: `${PARTS}/${symbol}_${day}.json`, symbol, day, feed, files: files.length, counts, sidecar }
}

/** One directory holds one format: the parts of two would take each other's manifests. Said before the first part is made. */
async function claim(plan: ExportPlan): Promise<void> {
  const { directory, format } = plan
  const text = await readFile(join(directory, MANIFEST), 'utf8').catch(() => null)
  if (text === null) return await writeJson(directory, MANIFEST, { ...headOf(plan), parts: [] })
  const found = formatOf(text)
  if (found === format.name) return
  const what = found === null ? `a ${MANIFEST} that no export wrote` : `an export of format ${found}`
  throw new ExportError(`${directory} holds ${what}: choose another directory for ${format.name}.`)
}

function formatOf(manifest: string): string | null {
  try {
    const content: unknown = JSON.parse(manifest)
    const isOurs = typeof content === 'object' && content !== null && 'format' in content && 'parts' in content
    return isOurs && typeof content.format === 'string' ? content.format : null
  } catch {
    return null
  }
}
