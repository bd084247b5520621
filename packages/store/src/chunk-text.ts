import { type BookMessage, type DecimalText, type Feed, invariant, type LevelChange } from '@booktape/market'
import { elementsOf } from './array-text.ts'
import { changeOfMark } from './marks.ts'
import { placePoint } from './unit-texts.ts'

const CHUNK_COLUMNS = `c.first_seq, c.last_seq as end_seq, c.symbol, c.feed, c.epoch_id, c.marks,
  c.seq_steps::text as seq_steps, c.id_steps::text as id_steps, c.id_spans::text as id_spans, c.event_steps::text as event_steps,
  c.received_steps::text as received_steps, c.change_counts::text as change_counts, scale(c.price_unit) as price_digits,
  coalesce(c.prices::text, c.exact_prices::text) as prices, scale(c.quantity_unit) as quantity_digits,
  coalesce(c.quantities::text, c.exact_quantities::text) as quantities`

export const chunksWith = (more: string): string => `select ${CHUNK_COLUMNS}${more}
from booktape.book_chunks c
where c.epoch_id = $1 and c.first_seq >= (select booktape.first_chunk($1, $2, $4, $5))
  and c.last_seq > $2 and c.first_seq <= $3
  and c.received_from >= $4::timestamptz - booktape.clock_step() - booktape.chunk_span()
  and c.received_from <= $5::timestamptz + booktape.clock_step()
order by c.first_seq
limit $6`

export type Chunk = Readonly<{
  first_seq: bigint
  end_seq: bigint
  symbol: string
  feed: Feed
  epoch_id: string
  marks: string
  seq_steps: string
  id_steps: string
  id_spans: string
  event_steps: string
  received_steps: string
  change_counts: string
  price_digits: number | null // null: `prices` are decimals as they stand
  prices: string
  quantity_digits: number | null
  quantities: string
}>

/**
 * As view booktape.settled_changes does in SQL: values are integers at the chunk's scale, all else are steps. Plain, and apart from the
 * decoder that replays read with (stored-chunks.ts): what is verified is not read by what it is to check.
 */
export function decodeChunkText(chunk: Chunk, into: BookMessage[]): void {
  const idSteps = elementsOf(chunk.id_steps)
  const idSpans = elementsOf(chunk.id_spans)
  const eventSteps = elementsOf(chunk.event_steps)
  const receivedSteps = elementsOf(chunk.received_steps)
  const changeCounts = elementsOf(chunk.change_counts)
  const prices = elementsOf(chunk.prices)
  const quantities = elementsOf(chunk.quantities)
  const { marks, price_digits: priceDigits, quantity_digits: quantityDigits } = chunk
  let messageSeq = 0
  let lastUpdateId = 0n
  let eventTimeNs = 0n
  let receivedTimeNs = 0n
  let place = 0
  for (const [i, step] of elementsOf(chunk.seq_steps).entries()) {
    const eventStep = eventSteps[i] as string
    messageSeq += Number(step) // as above
    const firstUpdateId = lastUpdateId + BigInt(idSteps[i] as string)
    lastUpdateId = firstUpdateId + BigInt(idSpans[i] as string)
    if (eventStep !== 'NULL') eventTimeNs += BigInt(eventStep)
    receivedTimeNs += BigInt(receivedSteps[i] as string)
    const end = place + Number(changeCounts[i]) // an integer column
    const changes: LevelChange[] = []
    for (; place < end; place++) {
      const price = prices[place] as string
      const quantity = quantities[place] as string
      changes.push(
        changeOf(
          marks,
          place,
          priceDigits === null ? price : placePoint(price, priceDigits),
          quantityDigits === null ? quantity : placePoint(quantity, quantityDigits),
        ),
      )
    }
    into.push({
      kind: 'book_message',
      epochId: chunk.epoch_id,
      symbol: chunk.symbol,
      feed: chunk.feed,
      messageSeq,
      firstUpdateId,
      lastUpdateId,
      eventTimeNs: eventStep === 'NULL' ? null : eventTimeNs,
      receivedTimeNs,
      changes,
    })
  }
}

function changeOf(marks: string, at: number, price: string, quantity: string | undefined): LevelChange {
  invariant(quantity !== undefined, 'a stored price has its quantity')
  return changeOfMark(marks.charCodeAt(at), price as DecimalText, quantity as DecimalText)
}
