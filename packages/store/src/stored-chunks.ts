import { type DecimalText, type Feed, invariant, type LevelChange } from '@booktape/market'
import type { PoolClient } from 'pg'
import { elementsOf } from './array-text.ts'
import { type BinaryArray, type BinaryRows, copyBinary } from './copy-binary.ts'
import { changeOfMark } from './marks.ts'
import type { MessageRange, StoredMessage } from './stored-messages.ts'
import { UnitTexts } from './unit-texts.ts'

/** A chunk in memory, its messages not yet made. */
export type StoredChunk = Readonly<{
  first_seq: bigint
  end_seq: bigint
  symbol: string
  feed: Feed
  epochId: string
  marks: string
  seqSteps: BinaryArray
  idSteps: BinaryArray
  idSpans: BinaryArray
  eventSteps: BinaryArray // null where the message has no time of the venue
  receivedSteps: BinaryArray
  changeCounts: BinaryArray
  prices: DecimalColumn
  quantities: DecimalColumn
}>

/** The chunks of a range that follow `afterSeq`, in their order, at most `limit`. */
export async function readChunks(
  client: PoolClient,
  { epochId, lastSeq, fromTime, untilTime }: MessageRange,
  afterSeq: bigint,
  limit: number,
): Promise<readonly StoredChunk[]> {
  const quote = (text: string): string => client.escapeLiteral(text)
  const rows = await copyBinary(
    client,
    `select c.first_seq, c.last_seq, c.symbol, c.feed, c.marks, c.seq_steps, c.id_steps, c.id_spans, c.event_steps, c.received_steps,
      c.change_counts, scale(c.price_unit), c.prices, c.exact_prices::text, scale(c.quantity_unit), c.quantities, c.exact_quantities::text
    from booktape.book_chunks c
    where c.epoch_id = ${quote(epochId)} and c.last_seq > ${afterSeq} and c.first_seq <= ${lastSeq}
      and c.first_seq >= (
        select booktape.first_chunk(${quote(epochId)}, ${afterSeq}, ${quote(fromTime)}, ${quote(untilTime)}))
      and c.received_from >= ${quote(fromTime)}::timestamptz - booktape.clock_step() - booktape.chunk_span()
      and c.received_from <= ${quote(untilTime)}::timestamptz + booktape.clock_step()
    order by c.first_seq
    limit ${limit}`,
  )
  const chunks: StoredChunk[] = []
  while (rows.next()) chunks.push(readChunk(rows, epochId))
  return chunks
}

function readChunk(rows: BinaryRows, epochId: string): StoredChunk {
  return {
    first_seq: rows.bigint(),
    end_seq: rows.bigint(),
    symbol: rows.text() ?? '',
    feed: rows.text() as Feed,
    epochId,
    marks: rows.text() ?? '',
    seqSteps: present(rows.array()),
    idSteps: present(rows.array()),
    idSpans: present(rows.array()),
    eventSteps: present(rows.array()),
    receivedSteps: present(rows.array()),
    changeCounts: present(rows.array()),
    prices: new DecimalColumn(rows),
    quantities: new DecimalColumn(rows),
  }
}

function present<Value>(value: Value | null): Value {
  invariant(value !== null, 'a chunk has each of its columns')
  return value
}

const TEXTS = new Map<number, UnitTexts>() // by digits after the point

function unitTexts(scale: number): UnitTexts {
  const texts = TEXTS.get(scale) ?? new UnitTexts(scale)
  TEXTS.set(scale, texts)
  return texts
}

/** Values one after another: integers at the chunk's common scale, or decimals as they stand. */
class DecimalColumn {
  readonly #texts: UnitTexts
  readonly #units: BinaryArray | null
  readonly #exact: readonly string[]
  #at = 0

  constructor(rows: BinaryRows) {
    this.#texts = unitTexts(rows.integer() ?? 0)
    this.#units = rows.array()
    this.#exact = elementsOf(rows.text() ?? '{}')
  }

  next(): DecimalText {
    const units = this.#units
    if (units === null) return this.#exact[this.#at++] as DecimalText
    const safe = units.nextSafe()
    return safe < 0 ? this.#texts.largeText(units.next()) : this.#texts.text(safe)
  }
}

/** As view booktape.settled_changes does in SQL: values are integers at the chunk's scale, all else are steps. */
export function decodeChunk(chunk: StoredChunk, line: string, into: StoredMessage[]): void {
  const { symbol, feed, epochId, marks, seqSteps, idSteps, idSpans, eventSteps, receivedSteps, changeCounts } = chunk
  const { prices, quantities } = chunk
  let messageSeq = 0
  let lastUpdateId = 0n
  let eventTimeNs = 0n
  let receivedTimeNs = 0n
  let place = 0
  for (let i = 0; i < seqSteps.length; i++) {
    messageSeq += seqSteps.nextSafe() // counted by us in one session: far below 2^53
    const firstUpdateId = lastUpdateId + idSteps.next()
    lastUpdateId = firstUpdateId + idSpans.next()
    const eventStep = eventSteps.nextOrNull()
    if (eventStep !== null) eventTimeNs += eventStep
    receivedTimeNs += receivedSteps.next()
    const changes: LevelChange[] = []
    for (const end = place + changeCounts.nextInteger(); place < end; place++) {
      changes.push(changeOfMark(marks.charCodeAt(place), prices.next(), quantities.next()))
    }
    into.push({
      kind: 'book_message',
      epochId,
      symbol,
      feed,
      messageSeq,
      firstUpdateId,
      lastUpdateId,
      eventTimeNs: eventStep === null ? null : eventTimeNs,
      receivedTimeNs,
      changes,
      line,
    })
  }
}
