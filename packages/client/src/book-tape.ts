import type { Feed } from '@booktape/market'
import { type BookSpan, bookSpans, openingBook, type ReplayQuestion, storedGaps, storedMessages } from '@booktape/store'
import type { PoolClient } from 'pg'
import type { TapeEvent, TapeGap } from './tape-event.ts'

/**
 * The book of one symbol: where it is known, the whole book and what changes it; a `gap` wherever it is not, so that the events leave
 * out no instant of the span asked for. `client` is in a transaction of isolation `repeatable read`.
 */
export async function* bookTape(
  client: PoolClient,
  question: ReplayQuestion,
  fromNs: bigint,
  toNs: bigint,
): AsyncGenerator<readonly TapeEvent[]> {
  const spans = await bookSpans(client, question)
  const feed = spans[0]?.feed ?? question.feed
  const gaps = await storedGaps(client, { ...question, feed })
  const unknown = (from: bigint, to: bigint): TapeGap => ({
    kind: 'gap',
    symbol: question.symbol,
    feed,
    fromNs: from,
    toNs: to,
    causes: [...new Set(gaps.filter((gap) => gap.startedNs < to && gap.endedNs > from).map(({ cause }) => cause))],
  })
  let knownUntilNs = fromNs
  for (const span of spans) {
    if (span.beginsNs > knownUntilNs) yield [unknown(knownUntilNs, span.beginsNs)]
    yield* spanEvents(client, span)
    knownUntilNs = span.knownUntilNs
  }
  if (knownUntilNs < toNs) yield [unknown(knownUntilNs, toNs)]
}

async function* spanEvents(client: PoolClient, span: BookSpan): AsyncGenerator<readonly TapeEvent[]> {
  const { symbol, line, epochId, messageSeq, updateId, eventTimeNs } = span
  const feed: Feed = span.feed
  const { bids, asks } = await openingBook(client, span)
  const receivedTimeNs = span.beginsNs
  yield [{ kind: 'book', symbol, feed, line, epochId, messageSeq, updateId, eventTimeNs, receivedTimeNs, bids, asks }]
  for await (const messages of storedMessages(client, span.messages)) {
    yield messages.map((message) => ({ ...message, line }))
  }
}
