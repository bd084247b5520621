import { ACCOUNT_COLUMNS, type AccountTable } from './account-tables.ts'

/**
 * Stores rows of one kind: `$1` is the journal, `$2` the rows as one JSON array. They are few, and its strings become numerics and bigints
 * by Postgres's own reading. The first statement counts; each may be run again and changes nothing then.
 */
export function statementsFor(table: AccountTable): readonly string[] {
  switch (table) {
    case 'gaps':
      return [INSERT_GAPS, END_OLD_GAPS]
    case 'gap_ends':
      return [END_GAPS]
    case 'gap_fills':
      return [FILL_GAPS]
    case 'fills':
      return [insert(table), COMPLETE_FILLS]
    default:
      return [insert(table)]
  }
}

/** Makes the orders anew that a batch told something of. */
export const REFRESH_ORDERS = 'select account.refresh_orders($1::bigint[])'

function insert(table: AccountTable): string {
  const names = Object.keys(ACCOUNT_COLUMNS[table]).join(', ')
  return `insert into account.${table} (journal_id, ${names})
    select $1, ${names} from ${rowsOf(table)} on conflict do nothing`
}

function rowsOf(table: AccountTable): string {
  const typed = Object.entries(ACCOUNT_COLUMNS[table]).map(([name, type]) => `${name} ${type}`)
  return `jsonb_to_recordset($2::jsonb) as r(${typed.join(', ')})`
}

/**
 * Both feeds tell a fill, and each knows something that the other does not: v1 the currency of the fee, the new API the nanosecond. Which
 * came first makes no difference.
 */
const COMPLETE_FILLS = `update account.fills f set fee = coalesce(f.fee, r.fee), fee_currency = coalesce(f.fee_currency, r.fee_currency),
    liquidity = coalesce(f.liquidity, r.liquidity), venue_time = greatest(f.venue_time, r.venue_time),
    venue_time_ns = greatest(f.venue_time_ns, r.venue_time_ns)
  from (select order_id, trade_id, max(fee) as fee, max(fee_currency) as fee_currency, max(liquidity) as liquidity,
      max(venue_time) as venue_time, max(venue_time_ns) as venue_time_ns
    from ${rowsOf('fills')} group by order_id, trade_id) r
  where $1::uuid is not null and f.order_id = r.order_id and f.trade_id = r.trade_id and (f.fee is null and r.fee is not null
    or f.fee_currency is null and r.fee_currency is not null or f.liquidity is null and r.liquidity is not null
    or f.venue_time_ns < r.venue_time_ns)`

/**
 * A journal that begins follows one of the same key that was lost or given up: the gap that one left open ends where this one's begins, or
 * this one's begins where that one ended. What nobody recorded began before all time.
 */
const INSERT_GAPS = `insert into account.gaps (journal_id, position, key_fingerprint, feed, from_sequence, to_sequence, started_at, cause)
  select $1, position, key_fingerprint, feed, from_sequence, to_sequence, coalesce(r.started_at,
      (select r.told_at from account.gaps g
       where g.key_fingerprint = r.key_fingerprint and g.feed = r.feed and g.state = 'open' and g.journal_id <> $1 limit 1),
      (select max(j.recorded_until) from account.journals j
       where j.journal_id <> $1 and exists (
         select from account.gaps g
         where g.journal_id = j.journal_id and g.feed = r.feed and g.key_fingerprint = r.key_fingerprint)),
      '-infinity'), cause
  from ${rowsOf('gaps')} on conflict do nothing`

const END_OLD_GAPS = `update account.gaps g set ended_at = greatest(r.told_at, g.started_at), state = 'closed'
  from ${rowsOf('gaps')}
  where r.started_at is null and g.key_fingerprint = r.key_fingerprint and g.feed = r.feed and g.state = 'open' and g.journal_id <> $1`

const END_GAPS = `update account.gaps g set ended_at = greatest(r.ended_at, g.started_at), state = 'closed'
  from ${rowsOf('gap_ends')} where g.journal_id = $1 and g.position = r.position and g.feed = r.feed and g.state = 'open'`

/** REST told what happened in them. */
const FILL_GAPS = `update account.gaps g set state = 'filled'
  from ${rowsOf('gap_fills')}
  where $1::uuid is not null and g.journal_id = r.gap_journal_id and g.position = r.position and g.feed = r.feed and g.state = 'closed'`
