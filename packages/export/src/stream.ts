import { ExportError, type ExportPlan, encodePart, type TapeSource } from './export.ts'
import { PENDING_BYTES } from './output.ts'
import type { Part } from './part.ts'
import type { OpenSink, Sink } from './sink.ts'

/** What standard output got, and what it could not: rows of the sidecar, by treatment. */
export type StreamOutcome = Readonly<{
  rows: number
  changes: number
  trades: number
  sidecar: Readonly<Record<string, number>>
}>

/**
 * One part as text, uncompressed, to whoever reads it, as fast as they do. Throws `ExportError` for what is no text or more than one file,
 * and what the source and `write` throw.
 */
export async function streamPart(
  source: TapeSource,
  part: Part,
  plan: Pick<ExportPlan, 'format' | 'data' | 'options' | 'stopping' | 'onProgress'>,
  write: (text: string) => Promise<void>,
): Promise<StreamOutcome> {
  const { format, data } = plan
  const [only] = data
  if (only === undefined || data.length > 1)
    throw new ExportError(
      `Standard output takes one kind of data: choose with --data ${data.join(' or ')}, or give a directory.`,
    )
  if (!format.streamed.includes(only))
    throw new ExportError(`${format.name} ${only} is no single text: give a directory with --out.`)
  let pending: string[] = []
  let pendingBytes = 0
  let rows = 0
  const sink: Sink = {
    write: (bytes, count) => {
      if (typeof bytes !== 'string') throw new RangeError(`${format.name} writes bytes`)
      pending.push(bytes)
      pendingBytes += bytes.length
      rows += count
    },
    close: () => undefined,
  }
  const notHeld: Sink = { write: () => undefined, close: () => undefined }
  const open: OpenSink = (name) => (name.endsWith('.not-held.csv') ? notHeld : sink)
  const flush = (): Promise<void> => {
    const text = pending.join('')
    pending = []
    pendingBytes = 0
    return write(text)
  }
  const { seen, sidecar } = await encodePart(source, part, { ...plan, instants: 0 }, open, () =>
    pendingBytes > PENDING_BYTES ? flush() : null,
  )
  await flush()
  return { rows, changes: seen.changes, trades: seen.trades, sidecar }
}
