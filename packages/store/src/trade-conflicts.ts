import type { PoolClient } from 'pg'
import { TRADE_CONFLICTS } from './statements.ts'

/** Two reports of one trade that say different things. The stored one stays. */
export type TradeConflict = Readonly<{
  symbol: string
  tradeId: bigint
  stored: TradeContent
  given: TradeContent
}>

export type TradeContent = Readonly<{ price: string; quantity: string; takerSide: string }>

/** Enough to raise an alarm and to look into; the number beyond is lost, the stored rows are not. */
export const MAX_CONFLICTS_REPORTED = 100

/** Asked only when an insert left trades out. `parameters`: as given to the insert. */
export async function findTradeConflicts(
  client: PoolClient,
  parameters: string[],
  limit: number,
): Promise<TradeConflict[]> {
  const found = await client.query<ConflictRow>(`${TRADE_CONFLICTS} limit ${limit}`, parameters)
  return found.rows.map((row) => ({
    symbol: row.symbol,
    tradeId: row.trade_id,
    stored: { price: row.stored_price, quantity: row.stored_quantity, takerSide: row.stored_taker_side },
    given: { price: row.given_price, quantity: row.given_quantity, takerSide: row.given_taker_side },
  }))
}

type ConflictRow = Readonly<{
  symbol: string
  trade_id: bigint
  stored_price: string
  stored_quantity: string
  stored_taker_side: string
  given_price: string
  given_quantity: string
  given_taker_side: string
}>
