import { hash } from 'node:crypto'
import { Journal } from '@booktape/journal'
import type { MarketRecord } from '@booktape/market'
import { readEntry } from '@booktape/recorder'
import { advance, newCorridorState } from '@booktape/session'
import type { CrashingPostgres } from '../chaos/crashing-postgres.ts'

/**
 * Whether the database has what the journal of an ended recorder says, each level change, quote and trade exactly once: the
 * journal is replayed from its first entry on, and the records are held against the rows by count and by a sum of hashes.
 */
export async function compareWithJournal(
  postgres: Pick<CrashingPostgres, 'query'>,
  line: string,
  directory: string,
): Promise<JournalVerdict> {
  const journal = await openEnded(directory)
  try {
    const said = await replayed(journal)
    const faults: string[] = []
    for (const [what, tallies, query] of [
      ['changes', said.changes, STORED_CHANGES],
      ['quotes', said.quotes, STORED_QUOTES],
    ] as const) {
      const stored = await postgres.query<{ key: string; count: string; sum: string }>(query, [line])
      for (const { key, count, sum } of stored) {
        const tally = tallies.get(key) ?? NOTHING
        if (String(tally.count) !== count || String(tally.sum) !== sum) {
          faults.push(
            `line ${line}: the journal has ${tally.count} ${what} of ${key}, the database ${count}, and not the same`,
          )
        }
        tallies.delete(key)
      }
      for (const [key, { count }] of tallies) {
        faults.push(`line ${line}: the journal has ${count} ${what} of ${key}, the database none`)
      }
    }
    for (const [symbol, ids] of said.trades) {
      const stored = await postgres.query<{ id: string }>(
        'select trade_id::text as id from market.trades where symbol = $1',
        [symbol],
      )
      const rows = new Set(stored.map(({ id }) => id))
      const lost = [...ids].filter((id) => !rows.has(id))
      if (lost.length > 0)
        faults.push(`line ${line}: ${lost.length} trades of ${symbol} are in the journal and not in the database`)
    }
    return { entries: journal.recovery.lastPosition, changes: said.changeCount, quotes: said.quoteCount, faults }
  } finally {
    await journal.close()
  }
}

export type JournalVerdict = Readonly<{ entries: number; changes: number; quotes: number; faults: readonly string[] }>

/** Nothing of it is let go, and nothing is written. */
export async function openEnded(directory: string): Promise<Journal> {
  return await Journal.open(directory, {
    retentionMs: Number.MAX_SAFE_INTEGER,
    limitBytes: Number.MAX_SAFE_INTEGER,
    onFailure: (error) => {
      throw error
    },
  })
}

type Tally = { count: number; sum: bigint }
const NOTHING: Tally = { count: 0, sum: 0n }

async function replayed(journal: Journal) {
  const state = newCorridorState(null)
  const changes = new Map<string, Tally>()
  const quotes = new Map<string, Tally>()
  const trades = new Map<string, Set<string>>()
  let changeCount = 0
  let quoteCount = 0
  const take = (record: MarketRecord): void => {
    if (record.kind === 'book_message') {
      const { epochId, messageSeq, lastUpdateId } = record
      for (const [index, { side, price, quantity }] of record.changes.entries()) {
        add(changes, epochId, `${messageSeq} ${index} ${lastUpdateId} ${side} ${price} ${quantity}`)
        changeCount++
      }
    } else if (record.kind === 'quote') {
      const { bidPrice, bidQuantity, askPrice, askQuantity } = record.top
      const top = [bidPrice, bidQuantity, askPrice, askQuantity].map((text) => text ?? '').join(' ')
      add(quotes, `${record.symbol} ${record.feed}`, `${record.updateId} ${record.receivedTimeNs} ${top}`)
      quoteCount++
    } else if (record.kind === 'trade') {
      const known = trades.get(record.symbol) ?? new Set()
      trades.set(record.symbol, known.add(String(record.tradeId)))
    }
  }
  for await (const entries of journal.read(1, journal.recovery.lastPosition)) {
    for (const entry of entries) {
      const event = readEntry(entry)
      if (event !== null) advance(state, event).records.forEach(take)
    }
  }
  return { changes, quotes, trades, changeCount, quoteCount }
}

function add(tallies: Map<string, Tally>, key: string, content: string): void {
  const tally = tallies.get(key) ?? { count: 0, sum: 0n }
  tally.count++
  tally.sum += BigInt(`0x${hash('md5', content).slice(0, HASH_DIGITS)}`)
  tallies.set(key, tally)
}

/** 60 bits: what bigint holds, in JavaScript and in Postgres the same. */
const HASH_DIGITS = 15
const sumOf = (content: string): string =>
  `count(*)::text as count, sum(('x' || left(md5(${content}), ${HASH_DIGITS}))::bit(60)::bigint)::text as sum`

const STORED_CHANGES = `select epoch_id::text as key,
    ${sumOf("concat_ws(' ', message_seq, change_index, update_id, side, price, quantity)")}
  from market.book_changes where line = $1 and not is_snapshot group by 1`

const STORED_QUOTES = `select symbol || ' ' || feed as key,
    ${sumOf("concat(update_id, ' ', received_time_ns, ' ', bid_price, ' ', bid_quantity, ' ', ask_price, ' ', ask_quantity)")}
  from market.quotes where line = $1 group by 1`
