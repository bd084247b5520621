import type { Feed } from '@booktape/market'
import type { ArchiveReading } from './archive-reading.ts'
import type { BooksQuestion } from './book-stream.ts'
import { toMicrosecond } from './instants.ts'
import { spanOf } from './layout.ts'
import type { BooksManifest } from './manifest.ts'

/** A part of a span, half-open: of which line and epoch the book is known; null where it is not. */
export type ArchivedPart = Readonly<{ fromNs: bigint; toNs: bigint; epoch: KnownEpoch | null }>

type KnownEpoch = Readonly<{ line: string; epochId: string }>

/** What the manifests say of a book in a question's span. The parts are in their order, join, and leave out no instant. */
export async function archivedParts(
  reading: ArchiveReading,
  { symbol, fromNs, toNs, days }: BooksQuestion,
  feed: Feed | null,
): Promise<readonly ArchivedPart[]> {
  const parts: ArchivedPart[] = []
  for (const date of days) {
    const manifest = feed === null ? null : await reading.books(symbol, feed, date)
    const ofDay = manifest === null ? [{ ...spanOf(date), epoch: null }] : partsOfDay(manifest)
    for (const [i, part] of ofDay.entries()) {
      const before = parts.at(-1)
      // Each day begins anew, with the book or without it.
      const goesOn = i === 0 && before !== undefined && nameOf(before) === nameOf(part)
      if (goesOn) parts[parts.length - 1] = { ...part, fromNs: before.fromNs }
      else parts.push(part)
    }
  }
  return parts
    .map((part) => ({
      ...part,
      fromNs: part.fromNs < fromNs ? fromNs : part.fromNs,
      toNs: part.toNs > toNs ? toNs : part.toNs,
    }))
    .filter((part) => part.fromNs < part.toNs)
}

const nameOf = ({ epoch }: ArchivedPart): string | null => epoch && `${epoch.epochId} ${epoch.line}`

function partsOfDay({ date, spans, gaps, seeks }: BooksManifest): readonly ArchivedPart[] {
  const { fromNs: dayNs } = spanOf(date)
  // Each span begins with a whole book of `book_changes`, at a row of its own.
  const rows = seeks.filter(({ snapshot }) => snapshot === null).map(({ row }) => row)
  const placed = [
    ...gaps.map(({ row, fromNs, toNs }) => ({
      row,
      part: { fromNs: BigInt(fromNs), toNs: BigInt(toNs), epoch: null },
    })),
    ...spans.map(({ line, epochId, fromNs, toNs }, i) => {
      const begins = BigInt(fromNs) // the day's first book stands just before it
      return {
        row: rows[i] ?? 0,
        part: {
          fromNs: begins < dayNs ? dayNs : begins,
          toNs: toMicrosecond(BigInt(toNs)), // as everywhere, an end is known to the microsecond
          epoch: { line, epochId },
        },
      }
    }),
  ]
  return placed.sort((a, b) => a.row - b.row).map(({ part }) => part) // stable: a gap comes before the book of its row
}
