import type { DecimalText, Instrument } from '@booktape/market'
import type { PoolClient } from 'pg'
import { orStoreError } from './failure.ts'

/** The details of each symbol as they held at an instant, or, where none were known yet, the first there are. Throws `StoreError`. */
export async function storedInstruments(
  client: PoolClient,
  symbols: readonly string[],
  at: string,
): Promise<readonly Instrument[]> {
  const { rows } = await orStoreError(() => client.query<Row>(INSTRUMENTS, [symbols, at]))
  return rows.map((row) => ({
    symbol: row.symbol,
    baseCurrency: row.base_currency,
    quoteCurrency: row.quote_currency,
    priceIncrement: row.price_increment,
    quantityIncrement: row.quantity_increment,
    minOrderSize: row.min_order_size,
    status: row.status,
    productType: row.product_type,
    contractType: row.contract_type,
  }))
}

type Row = Readonly<{
  symbol: string
  base_currency: string
  quote_currency: string
  price_increment: DecimalText
  quantity_increment: DecimalText
  min_order_size: DecimalText
  status: string
  product_type: string
  contract_type: string
}>

const INSTRUMENTS = `select distinct on (i.symbol) i.symbol, i.base_currency, i.quote_currency, i.price_increment,
  i.quantity_increment, i.min_order_size, i.status, i.product_type, i.contract_type
from booktape.instruments i
where i.symbol = any($1::text[])
order by i.symbol, i.valid_from > $2::timestamptz, case when i.valid_from > $2 then i.valid_from end,
  i.valid_from desc`
