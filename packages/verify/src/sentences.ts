import type { CheckedBook, CheckedRow, CheckedRun, EpochToVerify, LedgerFault, TallyFault } from '@booktape/store'
import { type Finding, placeText } from './finding.ts'

type Place = Pick<Finding, 'symbol' | 'feed' | 'line'>

/** What is wrong with a message or a chunk by itself. */
export function runFinding(run: CheckedRun, { epochId }: EpochToVerify): Finding {
  const { isSettled, firstSeq, lastSeq, symbol, feed, line, flaw, receivedTime: at } = run
  const where = isSettled
    ? `the chunk of messages ${firstSeq} to ${lastSeq} of epoch ${epochId}`
    : `message ${firstSeq} of epoch ${epochId}`
  const how = {
    checksum: isSettled ? 'one of them or more is not what was written' : 'it is not what was written',
    columns: isSettled
      ? 'the messages are what was written, and a column that sums them up is not'
      : 'received_time is not that of received_time_ns',
    unreadable: 'it makes no message any more',
  }
  const relation = isSettled ? 'book_chunks' : 'book_messages'
  return found('altered', relation, { symbol, feed, line }, at, where, how[flaw ?? 'checksum'])
}

export function alteredBook({ snapshot, line, receivedTime: at }: CheckedBook): Finding {
  const { symbol, feed } = snapshot
  return found(
    'altered',
    'book_snapshots',
    { symbol, feed, line },
    at,
    bookName(snapshot),
    'it is not what was written',
  )
}

/** What `BookCheck` says of a message. */
export function chainFinding(epoch: EpochToVerify, at: string | null, problem: string): Finding {
  return found('broken', 'book_messages', epoch, at, `epoch ${epoch.epochId}`, problem)
}

/** What `BookCheck` says of a whole book. */
export function bookFinding({ snapshot, line, receivedTime: at }: CheckedBook, problem: string): Finding {
  const { symbol, feed } = snapshot
  return found('broken', 'book_snapshots', { symbol, feed, line }, at, bookName(snapshot), problem)
}

function bookName({ reason, messageSeq, epochId }: CheckedBook['snapshot']): string {
  return `the whole book (${reason}) after message ${messageSeq} of epoch ${epochId}`
}

export function epochFinding(epoch: EpochToVerify, at: string | null, problem: string): Finding {
  return found('broken', 'epochs', epoch, at, `epoch ${epoch.epochId}`, problem)
}

type NamedRows = {
  trades: CheckedRow<'trades'>
  quotes: CheckedRow<'quotes'>
  audits: CheckedRow<'audits'>
  quarantine: CheckedRow<'quarantine'>
}
export type RowTable = keyof NamedRows

const ROWS: {
  readonly [T in RowTable]: (cells: NamedRows[T]['cells']) => readonly [key: string, place: Place, at: string]
} = {
  trades: (row) => [`trade ${row.trade_id}`, { symbol: row.symbol, feed: row.source, line: row.line }, row.event_time],
  quotes: (row) => [`the quote of message ${row.message_seq} of session ${row.session_id}`, row, row.received_time],
  audits: (row) => [`the audit by ${bare(row.method)} at ${row.audited_at}`, row, row.audited_at],
  quarantine: (row) => [`message ${row.message_seq} of session ${row.session_id}`, row, row.received_time],
}

/** A row that is not what was written. */
export function alteredRow<T extends RowTable>(table: T, { cells }: NamedRows[T]): Finding {
  const [key, { symbol, feed, line }, at] = ROWS[table](cells)
  return found(
    'altered',
    table,
    { symbol: bare(symbol), feed: bare(feed), line: bare(line) },
    at,
    key,
    'it is not what was written',
  )
}

/** A cell without the quotes of an array's element. */
function bare(cell: string | null): string {
  return (cell ?? '').replace(/^"(.*)"$/s, '$1')
}

const LEDGER_FAULTS: Readonly<Record<LedgerFault['fault'], readonly [kind: Finding['kind'], says: string]>> = {
  altered: ['altered', 'it is not what was written'],
  no_venue: ['missing', 'it does not say whose data this is'],
  no_session: ['missing', 'its session is not there'],
  no_journal: ['missing', 'its journal is not there'],
  live_after_close: ['broken', 'it has no end, though its session was closed'],
  backwards: ['broken', 'it ends before it begins'],
  nothing_after: ['broken', 'it has ended, and no gap and no epoch says what came after it'],
  gap_over_epoch: ['broken', 'it calls missing what an epoch holds'],
}

export function ledgerFinding({ relation, fault, key, symbol, feed, line, at }: LedgerFault): Finding {
  const [kind, says] = LEDGER_FAULTS[fault]
  return found(kind, relation, { symbol, feed, line }, at, key, says)
}

export function tallyFinding({ relation, symbol, feed, line, hour, written, found: there }: TallyFault): Finding {
  const place = { symbol: symbol || null, feed: feed || null, line: line || null }
  const key = `the hour of ${hour}`
  if (there < written)
    return found('missing', relation, place, hour, key, `${there} of the ${written} rows that were written are there`)
  if (there > written)
    return found('surplus', relation, place, hour, key, `${there} rows are there, where ${written} were written`)
  return found('altered', relation, place, hour, key, `there are as many rows as were written, and they are others`)
}

function found(
  kind: Finding['kind'],
  relation: string,
  { symbol, feed, line }: Place,
  at: string | null,
  key: string,
  says: string,
): Finding {
  const place = [placeText({ symbol, feed, line }), at ?? '']
    .filter((part) => part !== '' && !key.includes(part))
    .join(', ')
  return {
    kind,
    relation,
    symbol,
    feed,
    line,
    at,
    sentence: `${relation}: ${key}${place === '' ? '' : ` (${place})`}: ${says}`,
  }
}
