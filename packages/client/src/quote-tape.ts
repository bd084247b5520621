import { type ReplayQuestion, storedQuotes } from '@booktape/store'
import type { PoolClient } from 'pg'
import type { TapeQuote } from './tape-event.ts'
import { type Bounds, tapeParts } from './tape-parts.ts'

/**
 * The quotes of one symbol, of the line whose book is replayed, and within a gap of the one before it. `client` is in a transaction of
 * isolation `repeatable read`.
 */
export async function* quoteTape(
  client: PoolClient,
  question: ReplayQuestion,
  { fromNs, toNs }: Bounds,
): AsyncGenerator<readonly TapeQuote[]> {
  const parts = await tapeParts(client, question, { fromNs, toNs })
  const spans = parts.flatMap((part) => (part.kind === 'span' ? [part.span] : []))
  for (const [i, { symbol, feed, line, beginsNs }] of spans.entries()) {
    const begins = i === 0 ? fromNs : beginsNs
    yield* storedQuotes(client, { symbol, feed, line, fromNs: begins, untilNs: spans[i + 1]?.beginsNs ?? toNs })
  }
}
