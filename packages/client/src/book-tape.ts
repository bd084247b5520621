import { type BookSpan, openingBook, type ReplayQuestion, storedMessages } from '@booktape/store'
import type { PoolClient } from 'pg'
import type { TapeEvent } from './tape-event.ts'
import { type Bounds, tapeParts } from './tape-parts.ts'

/**
 * The book of one symbol: where it is known, the whole book and what changes it; a `gap` wherever it is not, so that the events leave
 * out no instant of the span asked for. `client` is in a transaction of isolation `repeatable read`.
 */
export async function* bookTape(
  client: PoolClient,
  question: ReplayQuestion,
  bounds: Bounds,
): AsyncGenerator<readonly TapeEvent[]> {
  for (const part of await tapeParts(client, question, bounds)) {
    if (part.kind === 'gap') yield [part]
    else yield* spanEvents(client, part.span)
  }
}

async function* spanEvents(client: PoolClient, span: BookSpan): AsyncGenerator<readonly TapeEvent[]> {
  const { symbol, feed, line, epochId, messageSeq, updateId, eventTimeNs } = span
  const { bids, asks } = await openingBook(client, span)
  const receivedTimeNs = span.beginsNs
  yield [{ kind: 'book', symbol, feed, line, epochId, messageSeq, updateId, eventTimeNs, receivedTimeNs, bids, asks }]
  yield* storedMessages(client, span.messages)
}
