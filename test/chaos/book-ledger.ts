import { invariant } from '@booktape/market'
import type { CrashingPostgres } from './crashing-postgres.ts'

/**
 * Whether epochs and gaps of each book, by line, feed and symbol, are one unbroken account of its update ids:
 *
 *   epoch 10..25   gap (25, 40]   epoch 40..90   epoch 90..95   gap (95, …) open
 *
 * From the first snapshot on every id lies in an epoch or in a gap (G1), and none in both (G3). Within an epoch the stored
 * messages of the new API chain without a hole; v1's are held against the truth elsewhere (stored-truth.ts).
 */
export async function findLedgerFaults(postgres: CrashingPostgres): Promise<Ledger> {
  const epochs = await postgres.query<Epoch>(
    `select line, feed, symbol, epoch_id::text as id, first_update_id::text as first, last_update_id::text as last,
            ended_at is not null as ended, coalesce(end_reason, '') as reason
     from market.epochs order by line, feed, symbol, started_at, first_update_id`,
  )
  const gaps = await postgres.query<Gap>(
    `select line, feed, symbol, gap_id::text as id, from_id::text as from, to_id::text as to, cause, state
     from market.gaps where stream = 'book'`,
  )
  const gapsOf = Map.groupBy(gaps, bookOf)
  const faults: string[] = await storedFaults(postgres)
  for (const [book, own] of Map.groupBy(epochs, bookOf)) faults.push(...faultsOf(book, own, gapsOf.get(book) ?? []))
  return { epochs: epochs.length, gaps: gaps.length, faults }
}

export type Ledger = Readonly<{ epochs: number; gaps: number; faults: readonly string[] }>

type Epoch = {
  line: string
  feed: string
  symbol: string
  id: string
  first: string
  last: string
  ended: boolean
  reason: string
}

type Gap = {
  line: string
  feed: string
  symbol: string
  id: string
  from: string | null
  to: string | null
  cause: string
  state: string
}

const bookOf = ({ line, feed, symbol }: Epoch | Gap): string => `${line} ${feed} ${symbol}`

/** The account of one book, its epochs in order. */
export function faultsOf(book: string, epochs: readonly Epoch[], gaps: readonly Gap[]): string[] {
  const faults: string[] = []
  const unused = new Set(gaps)
  const take = (matches: (gap: Gap) => boolean): boolean => {
    const found = [...unused].find(matches)
    if (found !== undefined) unused.delete(found)
    return found !== undefined
  }
  for (const [i, epoch] of epochs.entries()) {
    const { first, last } = epoch
    if (BigInt(last) < BigInt(first))
      faults.push(`${book}: epoch ${epoch.id} ends at ${last}, before its start ${first}`)
    const before = epochs[i - 1]
    if (before === undefined) {
      take((gap) => gap.from === null && gap.to === first) // refused or silent until then
      continue
    }
    if (!before.ended) faults.push(`${book}: epoch ${before.id} has no end, and ${epoch.id} follows it`)
    // A book found wrong is believed only to its last good audit: its gap begins earlier than its rows end.
    const isWrong = before.reason === 'divergence'
    // A journal that was lost took with it how far the book was known: its successor's gap begins with no id, and a bridge leads to it.
    const isForgotten = before.reason === 'restart'
    take((gap) => isForgotten && gap.cause === 'restart' && gap.from === before.last && gap.to === null)
    const isDisclosed = take((gap) => {
      if (gap.to !== first) return false
      if (gap.from === null) return isForgotten && gap.cause === 'restart'
      return gap.from === before.last || (isWrong && BigInt(gap.from) <= BigInt(before.last))
    })
    if (isDisclosed || before.last === first) continue
    faults.push(
      `${book}: nothing is said of (${before.last}, ${first}], between the epochs ${before.id} and ${epoch.id}`,
    )
  }
  const newest = epochs.at(-1)
  invariant(newest !== undefined, 'a book that is looked at has an epoch')
  if (newest.ended) {
    const isDisclosed = take((gap) => gap.state === 'open' && gap.to === null && gap.from === newest.last)
    if (!isDisclosed) faults.push(`${book}: epoch ${newest.id} has ended, and no open gap follows it`)
  }
  for (const gap of unused) {
    faults.push(
      `${book}: gap ${gap.id} (${gap.cause}, ${gap.state}) claims (${gap.from}, ${gap.to}], which no hole explains`,
    )
  }
  return faults
}

/** What the rows themselves must not show, whatever the exchange did. */
async function storedFaults(postgres: CrashingPostgres): Promise<string[]> {
  const rows = await postgres.query<{ fault: string }>(
    `select symbol || ' ' || line || ' ws: update ' || first_update_id || '..' || update_id || ' follows ' || before || ' in epoch ' || epoch_id as fault
     from (
       select m.*, lag(m.update_id, 1, e.first_update_id) over (partition by m.epoch_id order by m.message_seq) as before
       from booktape.book_messages m join booktape.epochs e using (epoch_id) where m.feed = 'ws'
     ) chain where first_update_id > before or update_id <= before
     union all
     select e.symbol || ' ' || e.line || ' ' || e.feed || ': epoch ' || e.epoch_id || ' says it ended at ' || e.last_update_id || ', its rows end at ' || m.last
     from booktape.epochs e
     join (select epoch_id, max(update_id) as last from booktape.book_messages group by 1) m using (epoch_id)
     where e.ended_at is not null and e.last_update_id <> m.last and e.end_reason <> 'divergence'
     union all
     select 'v1 ' || symbol || ' ' || line || ': update ' || update_id || ' is stored ' || count(*) || ' times'
     from booktape.book_messages where feed = 'v1' group by symbol, line, update_id having count(*) > 1
     union all
     select 'a message of epoch ' || m.epoch_id || ', of which nothing is stored'
     from booktape.book_messages m left join booktape.epochs e using (epoch_id) where e.epoch_id is null
     union all
     select 'gap ' || gap_id || ' of ' || stream || ' (' || symbol || ' ' || line || ' ' || feed || ') ends before it starts'
     from booktape.gaps where ended_at < started_at or to_id < from_id`,
  )
  return rows.map(({ fault }) => fault)
}
