import { type BookSpan, bookSpans, type ReplayQuestion, storedGaps } from '@booktape/store'
import type { PoolClient } from 'pg'
import type { TapeGap } from './tape-event.ts'

/** Nanoseconds since 1970 UTC, half-open. */
export type Bounds = Readonly<{ fromNs: bigint; toNs: bigint }>

/** A part of a span: one in which the book is known, or a gap. */
export type TapePart = Readonly<{ kind: 'span'; span: BookSpan; untilNs: bigint }> | TapeGap

/** What a replay of the question knows of its symbol's book: the parts join, and leave out no instant of the bounds. */
export async function tapeParts(
  client: PoolClient,
  question: ReplayQuestion,
  { fromNs, toNs }: Bounds,
): Promise<readonly TapePart[]> {
  const spans = await bookSpans(client, question)
  const { symbol } = question
  const feed = spans[0]?.feed ?? question.feed
  const gaps = await storedGaps(client, { ...question, feed })
  const parts: TapePart[] = []
  const unknown = (from: bigint, to: bigint): void => {
    const touching = gaps.filter((gap) => gap.startedNs < to && gap.endedNs > from)
    const causes = [...new Set(touching.map(({ cause }) => cause))]
    parts.push({ kind: 'gap', symbol, feed, fromNs: from, toNs: to, causes })
  }
  let knownUntilNs = fromNs
  for (const span of spans) {
    // Ends are known to the microsecond: a book that goes on in the same one follows without a gap.
    if (span.beginsNs - (span.beginsNs % NS_PER_MICROSECOND) > knownUntilNs) unknown(knownUntilNs, span.beginsNs)
    knownUntilNs = span.knownUntilNs < toNs ? span.knownUntilNs : toNs
    parts.push({ kind: 'span', span, untilNs: knownUntilNs })
  }
  if (knownUntilNs < toNs) unknown(knownUntilNs, toNs)
  return parts
}

const NS_PER_MICROSECOND = 1_000n
