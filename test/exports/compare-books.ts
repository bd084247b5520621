import { type ExportPlan, FORMATS, type PartOutcome } from '@booktape/export'
import type { ExportReaders } from './export-readers.ts'
import type { ExportedRecording } from './exported-recording.ts'
import { digestsAt, type Told } from './rebuilt-book.ts'

export type Compared = Readonly<{ known: number; unknown: number; different: readonly string[] }>

/** The book of an export at each instant of its manifest: rebuilt from the file, as the manifest says, and as the venue had it. */
export async function compareBooks(
  recording: ExportedRecording,
  readers: ExportReaders,
  { part, manifest }: PartOutcome,
): Promise<Compared> {
  const { symbol, feed } = part
  const levels = FORMATS.find(({ name }) => name === manifest.format)?.levels ?? null
  const prints = manifest.book_digests.map(({ at_ns, digest }) => ({ atNs: BigInt(at_ns), digest }))
  const instants = prints.map(({ atNs }) => atNs)
  const rebuilt = await digestsAt(toldBy(readers, manifest), instants, levels ?? undefined)
  const different: string[] = []
  let known = 0
  for (const [i, { atNs, digest }] of prints.entries()) {
    const updateId = feed === null ? null : recording.updateIdAt(symbol, feed, atNs)
    const truth = updateId === null ? null : recording.digest(symbol, updateId, levels)
    if (truth !== null) known++
    if (digest !== truth) different.push(`${atNs}: the manifest says ${digest}, it was ${truth}`)
    if (truth !== null && rebuilt[i] !== truth) different.push(`${atNs}: the file gives ${rebuilt[i]}, it was ${truth}`)
  }
  return { known, unknown: prints.length - known, different }
}

function toldBy(
  readers: ExportReaders,
  { format, files }: PartOutcome['manifest'],
): AsyncIterable<Told> | Iterable<Told> {
  const names = files.map(({ name }) => name)
  const name = (part: string): string => {
    const found = names.find((one) => one.includes(part))
    if (found === undefined) throw new Error(`no file of ${part} among ${names.join(', ')}`)
    return found
  }
  switch (format) {
    case 'tardis':
      return readers.tardisBook(names.filter((one) => one.includes('incremental_book_L2')))
    case 'csv':
      return readers.plainBook(name('book_changes'))
    case 'ndjson':
      return readers.ndjsonBook(name('.ndjson'))
    case 'databento':
      return readers.databentoBook(name('mbp-10'))
    case 'nautilus':
      return readers.nautilusBook([name('order_book_deltas')])
    case 'hftbacktest':
      return readers.hftbacktestBook(name('.npz'))
    default:
      throw new Error(`nobody reads ${format}`)
  }
}

/** All that a format has. */
export function planOf(name: string, directory: string, instants: number): ExportPlan {
  const format = FORMATS.find((one) => one.name === name)
  if (format === undefined) throw new Error(`no format ${name}`)
  return {
    format,
    data: Object.keys(format.data),
    options: { shiftNs: 0n },
    directory,
    version: 'test',
    instants,
    onProgress: () => undefined,
    stopping: new AbortController().signal,
  }
}
