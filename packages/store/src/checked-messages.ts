import type { BookMessage } from '@booktape/market'
import type { PoolClient } from 'pg'
import { quoted } from './array-text.ts'
import { type Chunk, chunksWith, decodeChunkText } from './chunk-text.ts'
import { CopyText } from './copy-text.ts'
import { instantCell, instantText } from './instant-text.ts'
import { Pages, takingTurns } from './message-pages.ts'
import { addBookMessage } from './rows.ts'
import { decodeRow, type MessageRange, ROWS_A_PAGE, type Row, rowsAfter, rowsWith } from './stored-messages.ts'
import { timestampText } from './timestamp.ts'

/**
 * One message that is stored as a row, or all of a chunk, held against its checksum.
 *
 *   checksum    its content is not what was written
 *   columns     its content is, but what repeats or sums it up in other columns says otherwise
 *   unreadable  it makes no message at all
 */
export type CheckedRun = Readonly<{
  isSettled: boolean
  firstSeq: bigint
  lastSeq: bigint
  symbol: string
  feed: string
  line: string
  receivedTime: string // of the first message
  messages: readonly BookMessage[] // none where it is unreadable
  flaw: 'checksum' | 'columns' | 'unreadable' | null
  bytes: number // of what was checked
}>

/** As `storedMessages`, with chunks whole. `client` likewise in a transaction of isolation `repeatable read`. Throws `StoreError`. */
export async function* checkedMessages(client: PoolClient, range: MessageRange): AsyncGenerator<readonly CheckedRun[]> {
  const { epochId, lastSeq, fromTime, untilTime, afterSeq } = range
  const chunks = new Pages({
    read: async (after) => {
      const values = [epochId, after, lastSeq, fromTime, untilTime, CHUNKS_A_PAGE]
      return (await client.query<StoredChunk>(CHUNKS, values)).rows
    },
    size: CHUNKS_A_PAGE,
    afterSeq,
    decode: (chunk, into: CheckedRun[]) => void into.push(checkedChunk(chunk)),
    atOnce: CHUNKS_A_PAGE,
  })
  const rows = new Pages({
    read: async (after) => (await client.query<StoredRow>(ROWS, rowsAfter(range, after))).rows,
    size: ROWS_A_PAGE,
    afterSeq,
    decode: (row, into: CheckedRun[]) => void into.push(checkedRow(row)),
    atOnce: ROWS_A_PAGE,
  })
  for await (const { page } of takingTurns(chunks, rows)) yield page
}

/** Whole chunks are some thousand changes each. */
const CHUNKS_A_PAGE = 50

type StoredRow = Row & Readonly<{ line: string; checksum: bigint; received: string }>

type StoredChunk = Chunk &
  Readonly<{
    line: string
    checksum: bigint
    received_from: string
    received_to: string
    least_update_id: bigint
    last_update_id: bigint
    are_units_right: boolean
  }>

const ROWS = rowsWith(`, m.line, m.checksum, ${instantCell('m.received_time')} as received`)

const CHUNKS = chunksWith(`, c.line, c.checksum, ${instantCell('c.received_from')} as received_from,
  ${instantCell('c.received_to')} as received_to, c.least_update_id, c.last_update_id,
  (c.price_unit is null or c.price_unit = booktape.unit_of(scale(c.price_unit)))
  and (c.quantity_unit is null or c.quantity_unit = booktape.unit_of(scale(c.quantity_unit))) as are_units_right`)

function checkedRow(row: StoredRow): CheckedRun {
  const receivedTime = instantText(row.received)
  return checked(
    row,
    row.line,
    false,
    receivedTime,
    (stored, into) => decodeRow(stored, stored.line, into),
    ([message]) => message !== undefined && timestampText(message.receivedTimeNs) === receivedTime,
  )
}

function checkedChunk(chunk: StoredChunk): CheckedRun {
  const receivedTime = instantText(chunk.received_from)
  return checked(chunk, chunk.line, true, receivedTime, decodeChunkText, (messages) => {
    const first = messages[0]
    const last = messages.at(-1)
    if (first === undefined || last === undefined) return false
    let [earliest, latest, leastId] = [first.receivedTimeNs, first.receivedTimeNs, first.lastUpdateId]
    for (const { receivedTimeNs, lastUpdateId } of messages) {
      if (receivedTimeNs < earliest) earliest = receivedTimeNs
      if (receivedTimeNs > latest) latest = receivedTimeNs
      if (lastUpdateId < leastId) leastId = lastUpdateId
    }
    return (
      chunk.are_units_right &&
      BigInt(first.messageSeq) === chunk.first_seq &&
      BigInt(last.messageSeq) === chunk.end_seq &&
      timestampText(earliest) === receivedTime &&
      timestampText(latest) === instantText(chunk.received_to) &&
      leastId === chunk.least_update_id &&
      last.lastUpdateId === chunk.last_update_id
    )
  })
}

function checked<Item extends Row | Chunk>(
  item: Item & Readonly<{ checksum: bigint }>,
  line: string,
  isSettled: boolean,
  receivedTime: string,
  decode: (item: Item, into: BookMessage[]) => void,
  areColumnsRight: (messages: readonly BookMessage[]) => boolean,
): CheckedRun {
  const { first_seq: firstSeq, end_seq: lastSeq, symbol, feed, checksum } = item
  const run = { isSettled, firstSeq, lastSeq, symbol, feed, line, receivedTime }
  const messages: BookMessage[] = []
  try {
    decode(item, messages)
    const { sum, bytes } = sumOf(messages, line)
    const flaw = BigInt(sum) !== checksum ? 'checksum' : areColumnsRight(messages) ? null : 'columns'
    return { ...run, messages, flaw, bytes }
  } catch {
    // Whatever the decoder stumbled over: a letter that is no mark, arrays of unequal lengths, digits that are none.
    return { ...run, messages: [], flaw: 'unreadable', bytes: 0 }
  }
}

/** The messages are made rows again, as the writer made them. */
function sumOf(messages: readonly BookMessage[], line: string): Readonly<{ sum: number; bytes: number }> {
  written.clear()
  const quotedLine = quoted(line)
  for (const message of messages) addBookMessage(written, message, quotedLine, NOWHERE)
  return { sum: written.checksum, bytes: written.length }
}

const written = new CopyText()
const NOWHERE = { symbol: '', feed: '', hour: '' }
