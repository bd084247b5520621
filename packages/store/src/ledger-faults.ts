import type { PoolClient } from 'pg'
import { COUNTED_BY } from './counted-by.ts'
import { orStoreError } from './failure.ts'
import { instantCell, instantText } from './instant-text.ts'
import { ledgerChecksum } from './ledger-checksums.ts'
import { isOfHours, isOfPlace, spanValues, type VerifySpan } from './verify-span.ts'

/** A row of the ledger that is not what was written, or that no other row bears out. */
export type LedgerFault = Readonly<{
  relation: string
  fault: keyof typeof FAULTS | 'altered'
  key: string // what names the row
  symbol: string | null
  feed: string | null
  line: string | null
  at: string | null
}>

const MOST_ID = '9223372036854775807'
/** Of each kind: whoever has more has lost the ledger. */
export const MAX_FAULTS_A_KIND = 1_000

/** Sessions, epochs, gaps and what surrounds them, of a span. `client` is in a transaction. Throws `StoreError`. */
export async function* ledgerFaults(client: PoolClient, span: VerifySpan): AsyncGenerator<LedgerFault> {
  for (const [fault, sql] of [...ALTERED.map((query) => ['altered', query] as const), ...Object.entries(FAULTS)]) {
    type Row = Omit<LedgerFault, 'fault'>
    const values = sql.includes('$1') ? spanValues(span) : []
    const { rows } = await orStoreError(() => client.query<Row>(`${sql} limit ${MAX_FAULTS_A_KIND}`, values))
    for (const row of rows) {
      yield { ...row, fault: fault as LedgerFault['fault'], at: row.at === null ? null : instantText(row.at) }
    }
  }
}

type SpanTable = 'sessions' | 'epochs' | 'gaps' | 'instruments'

/** What names a row, and from when to when it is true: without an end, still. */
const TABLES: Readonly<Record<SpanTable, Readonly<{ key: string; began: string; ended: string }>>> = {
  sessions: { key: `'session ' || r.session_id`, began: 'opened_at', ended: 'closed_at' },
  epochs: { key: `'epoch ' || r.epoch_id`, began: 'started_at', ended: 'ended_at' },
  gaps: { key: `'gap ' || r.gap_id`, began: 'started_at', ended: 'ended_at' },
  instruments: { key: `'the entry of ' || r.symbol`, began: 'valid_from', ended: 'valid_to' },
}

/** The rows `r` of a table that touch the span; what began before it and goes on in it is of the span too. */
function rowsOf(table: SpanTable, condition: string): string {
  const { key, began, ended } = TABLES[table]
  const by = COUNTED_BY[table]
  const place = (column: string): string => (column === `''` ? 'null::text' : `r.${column}`)
  return `select '${table}' as relation, ${key} as key, ${place(by.symbol)} as symbol, ${place(by.feed)} as feed,
      ${place(by.line)} as line, ${instantCell(`r.${began}`)} as at
    from booktape.${table} r
    where ($2::timestamptz is null or r.${began} < $2)
      and ($1::timestamptz is null or r.${ended} is null or r.${ended} >= $1 or r.${began} >= $1)
      and ${isOfPlace(by, 'r')} and ${condition}`
}

/** A row that is of no span. */
const loneRow = (relation: string, key: string): string =>
  `select '${relation}' as relation, ${key} as key, null as symbol, null as feed, null as line, null as at`

const ALTERED: readonly string[] = [
  ...(['venue', 'journals'] as const).map((table) => {
    const key = table === 'venue' ? `'the venue'` : `'journal ' || r.journal_id`
    return `${loneRow(table, key)} from booktape.${table} r where r.checksum <> ${ledgerChecksum(table, 'r')}`
  }),
  ...(['sessions', 'epochs', 'gaps', 'instruments'] as const).map((table) =>
    rowsOf(table, `r.checksum <> ${ledgerChecksum(table, 'r')}`),
  ),
  `select 'omitted_runs' as relation, 'the run from message ' || r.first_seq || ' of epoch ' || r.epoch_id as key, r.symbol, r.feed,
     r.line, ${instantCell('r.from_time')} as at
   from (
     select o.*, e.symbol, e.feed, e.line, booktape.checksum_of(o) as expected
     from booktape.omitted_runs o left join booktape.epochs e using (epoch_id)
   ) r
   where r.checksum <> r.expected and ${isOfHours('r.from_time')}
     and (r.symbol is null or ${isOfPlace(COUNTED_BY.omitted_runs, 'r')})`,
  `${loneRow('archived_days', `'the note that ' || to_char(r.day, 'YYYY-MM-DD') || ' is archived'`)}
   from booktape.archived_days r where r.checksum <> booktape.checksum_of(r)`,
]

const isSameBook = (of: string): string => `${of}.symbol = r.symbol and ${of}.feed = r.feed and ${of}.line = r.line`

/** A session that the database refused is in quarantine, and its epochs are known to lack it (docs/adr/0005-poison-rows.md). */
const IS_REFUSED_SESSION = `exists (select from booktape.quarantine q
  where q.reason like 'unstorable row of sessions,%' and position(convert_to(r.session_id::text, 'UTF8') in q.payload) > 0)`

const FAULTS = {
  no_venue: `${loneRow('venue', `'the venue'`)} where exists (select from booktape.sessions) and not exists (select from booktape.venue)`,
  no_session: rowsOf(
    'epochs',
    `not exists (select from booktape.sessions s where s.session_id = r.session_id) and not ${IS_REFUSED_SESSION}`,
  ),
  no_journal: (['sessions', 'epochs', 'gaps'] as const)
    .map((table) => rowsOf(table, 'not exists (select from booktape.journals j where j.journal_id = r.journal_id)'))
    .join(' union all '),
  live_after_close: rowsOf(
    'epochs',
    `r.ended_at is null
      and exists (select from booktape.sessions s where s.session_id = r.session_id and s.closed_at is not null)`,
  ),
  backwards: `${rowsOf('epochs', '(r.ended_at < r.started_at or r.last_update_id < r.first_update_id)')}
    union all ${rowsOf('gaps', '(r.ended_at < r.started_at or r.to_id < r.from_id)')}`,
  // What ended is followed by a gap, by the next epoch of a rotation, or by one that begins at the very id.
  nothing_after: rowsOf(
    'epochs',
    `r.ended_at is not null and r.end_reason <> 'rotation'
      and not exists (
        select from booktape.gaps g where ${isSameBook('g')} and g.stream = 'book' and (
          g.from_id = r.last_update_id
          or g.started_at <= r.ended_at and (g.ended_at is null or g.ended_at >= r.ended_at)))
      and not exists (
        select from booktape.epochs n
        where ${isSameBook('n')} and n.epoch_id <> r.epoch_id and n.first_update_id = r.last_update_id)`,
  ),
  // Without an end by the book alone; with one by time and by id, since our clock may be set back and the venue may count anew. What follows
  // the last good audit of a book that was found wrong is stored, and not believed; of a damaged journal more may be stored than it knows.
  gap_over_epoch: rowsOf(
    'gaps',
    `r.stream = 'book' and r.cause <> 'journal_damaged' and r.epoch_id is null
      and exists (
        select from booktape.epochs e
        where ${isSameBook('e')} and case
          when r.ended_at is null then e.ended_at is null
          else e.end_reason is distinct from 'divergence'
            and r.started_at < coalesce(e.ended_at, 'infinity') and r.ended_at > e.started_at
            and r.from_id < coalesce(e.last_update_id, ${MOST_ID}) and r.to_id > e.first_update_id end)`,
  ),
} as const
