import { type GapCause, type GapStream, invariant } from '@booktape/market'
import type { DISCLOSED_COLUMNS, StoredTable } from './stored-columns.ts'

/** A row as it was to be stored, by column. */
export type Cells = Readonly<Record<string, string | null>>

/** A row of `DISCLOSED_COLUMNS`; the gap's own id where it has one, and without what only the writer knows. */
export type PoisonGap = Readonly<
  { stream: GapStream; gap_id: string | null } & Record<
    Exclude<keyof typeof DISCLOSED_COLUMNS, 'stream' | 'gap_id' | 'journal_id' | 'line'>,
    string | null
  >
>

/**
 * What is not known without a refused row:
 *
 *   a message              the book from that message on, until a later whole book is stored
 *   the first whole book   the same; of a later one nothing, for the messages give that book too
 *   an epoch               the book until another epoch
 *   a trade                that trade, at its own time
 *   a gap                  that very gap: it is stored under its id without what may have been refused
 *   anything else          nothing: the row alone is missing
 */
export function gapOf(table: StoredTable | 'instruments', cells: Cells): PoisonGap | null {
  switch (table) {
    case 'book_messages':
      return bookGap(cells, idBefore(cells['first_update_id'], cells['update_id']), at(cells, 'received_time'))
    case 'book_snapshots':
      if (cells['reason'] !== 'initial') return null
      return bookGap(cells, storableId(cells['update_id']), at(cells, 'received_time'))
    case 'epochs':
      return bookGap(cells, storableId(cells['first_update_id']), at(cells, 'started_at'))
    case 'trades':
      return tradeGap(cells)
    case 'gaps':
      return {
        ...OPEN,
        gap_id: at(cells, 'gap_id'),
        stream: cells['stream'] === 'trades' ? 'trades' : 'book',
        symbol: at(cells, 'symbol'),
        feed: at(cells, 'feed'),
        started_at: at(cells, 'started_at'),
      }
    case 'sessions':
    case 'quotes':
    case 'instruments':
    case 'audits':
    case 'quarantine':
      return null
  }
}

const OPEN = {
  gap_id: null,
  from_id: null,
  to_id: null,
  ended_at: null,
  cause: 'unstorable' satisfies GapCause,
  state: 'open',
  epoch_id: null,
  message_seq: null,
}

/** Its start is moved back by the statement to the last instant at which the book is known. */
function bookGap(cells: Cells, fromId: string | null, startedAt: string): PoisonGap {
  return {
    ...OPEN,
    stream: 'book',
    symbol: at(cells, 'symbol'),
    feed: at(cells, 'feed'),
    from_id: fromId,
    started_at: startedAt,
    epoch_id: at(cells, 'epoch_id'),
    message_seq: cells['message_seq'] ?? null,
  }
}

/** At the venue's time, by which bars place trades. A page of REST fills the new API's gaps, so it counts as that feed. */
function tradeGap(cells: Cells): PoisonGap {
  const time = at(cells, 'event_time')
  const id = storableId(cells['trade_id'])
  return {
    ...OPEN,
    stream: 'trades',
    symbol: at(cells, 'symbol'),
    feed: cells['source'] === 'v1' ? 'v1' : 'ws',
    from_id: id === null ? null : (BigInt(id) - 1n).toString(),
    to_id: id,
    started_at: time,
    ended_at: time,
    state: 'closed',
  }
}

/** The last id before a message: updates of the new API begin at the id where the last one ended. */
function idBefore(first: string | null | undefined, last: string | null | undefined): string | null {
  const id = storableId(first)
  return id === null || first !== last ? id : (BigInt(id) - 1n).toString()
}

/** The id where a column can hold it, which may be just what was refused. */
function storableId(id: string | null | undefined): string | null {
  const value = BigInt(id ?? MAX_ID + 1n)
  return value >= 0n && value <= MAX_ID ? value.toString() : null
}

const MAX_ID = 2n ** 63n - 1n

function at(cells: Cells, name: string): string {
  const cell = cells[name]
  invariant(cell !== undefined && cell !== null, `a row has its ${name}`)
  return cell
}
