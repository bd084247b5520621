import type { StoredTable } from './stored-columns.ts'

/** By what the rows of a relation are counted in booktape.tallies, as SQL of its columns. */
export type CountedBy = Readonly<{
  symbol: string
  feed: string
  line: string
  time: string // the hour of which it is
  checksum: string // 0 where rows change after they were written
}>

/** Omitted runs are counted by migrations/0011 itself, under the book they are of. */
export type CountedRelation = StoredTable | 'instruments' | 'omitted_runs'

const RECEIVED = { symbol: 'symbol', feed: 'feed', line: 'line', time: 'received_time', checksum: 'checksum' } as const
const STARTED = { ...RECEIVED, time: 'started_at', checksum: '0' } as const

export const COUNTED_BY: Readonly<Record<CountedRelation, CountedBy>> = {
  sessions: { ...STARTED, symbol: `''`, time: 'opened_at' },
  epochs: STARTED,
  gaps: STARTED,
  book_messages: RECEIVED,
  book_snapshots: RECEIVED,
  quotes: RECEIVED,
  // Read by the venue's time, and so counted by it: REST brings trades days later.
  trades: { ...RECEIVED, feed: 'source', time: 'event_time', checksum: '0' },
  instruments: { symbol: 'symbol', feed: `''`, line: `''`, time: 'valid_from', checksum: '0' },
  audits: { ...RECEIVED, time: 'audited_at' },
  quarantine: { ...RECEIVED, symbol: `coalesce(symbol, '')` },
  omitted_runs: { ...RECEIVED, time: 'from_time', checksum: '0' },
}

/** An hour as tallies are keyed here: `2026-07-29T08`, of UTC. */
export const HOUR_LENGTH = 13

/** A statement that adds rows to a relation, so that it gives what to count: `CountedRows`. */
export function counting(relation: CountedRelation, insert: string): string {
  return counted(relation, insert, '')
}

/** The same of one that takes rows away. */
export function discounting(relation: CountedRelation, deletion: string): string {
  return counted(relation, deletion, '-')
}

function counted(relation: CountedRelation, statement: string, sign: '' | '-'): string {
  const { symbol, feed, line, time, checksum } = COUNTED_BY[relation]
  return `with touched as (
    ${statement}
    returning ${symbol} as symbol, ${feed} as feed, ${line} as line, booktape.hour_of(${time}) as hour, ${checksum} as checksum
  )
  select '${relation}' as relation, symbol, feed, line, to_char(hour at time zone 'UTC', 'YYYY-MM-DD"T"HH24') as hour,
    ${sign}count(*) as row_count, booktape.wrapped(${sign}sum(checksum)) as checksum
  from touched group by symbol, feed, line, hour`
}
