import type { Client } from 'pg'
import { digestOf, type Level, trimmed } from './workload.ts'

/** The digest of each symbol's stored book after an update of its live epoch. */
export async function storedDigests(
  client: Client,
  lastIds: ReadonlyMap<string, bigint>,
): Promise<ReadonlyMap<string, string>> {
  const digests = new Map<string, string>()
  for (const [symbol, lastId] of lastIds) {
    const { rows } = await client.query<LevelRow>(
      `select side, price::text as price, quantity::text as quantity
       from market.epochs e, market.book_at_update($1, e.epoch_id, $2::bigint)
       where e.symbol = $1 and e.ended_at is null order by side, level`,
      [symbol, lastId.toString()],
    )
    digests.set(symbol, digestOfRows(rows))
  }
  return digests
}

/** Of one side's levels best first, then the other's. */
export type LevelRow = Readonly<{ side: string; price: string; quantity: string }>

export function digestOfRows(rows: readonly LevelRow[]): string {
  const side = (wanted: string): Level[] =>
    rows.flatMap((row): Level[] => (row.side === wanted ? [[canonical(row.price), canonical(row.quantity)]] : []))
  return digestOf({ bids: side('bid'), asks: side('ask') })
}

/** numeric keeps the zeros it was given; values are compared, not spellings. */
const canonical = (text: string): string => (text.includes('.') ? trimmed(text) : text)
