import { type Instrument, invariant } from '@booktape/market'
import type { PoolClient } from 'pg'
import { cleanText } from './array-text.ts'
import { counting } from './counted-by.ts'
import { changedChecksum, ledgerChecksum } from './ledger-checksums.ts'
import type { InstrumentRecord } from './rows.ts'
import type { CountedRows, Tallies } from './tallies.ts'
import { timestampText } from './timestamp.ts'

/** Texts of the symbol details are words such as `open`; longer ones are not the venue's. */
export const MAX_INSTRUMENT_TEXT_LENGTH = 100

/** A row of the history that is valid until the next one. */
export type Valid = Readonly<{ instrument: Instrument; fromMicros: bigint }>

/** Rows to add in order, and those that stood and now end. */
export type HistoryStep = Readonly<{
  added: readonly Readonly<{ row: Valid; toMicros: bigint | null }>[]
  ended: readonly Readonly<{ symbol: string; toMicros: bigint }>[]
}>

/**
 * A row is added when anything differs from the newest row of its symbol:
 *
 *   newest A from 10:00   observed A at 11:00  nothing
 *   newest A from 10:00   observed B at 11:00  A ends at 11:00, B begins
 *   newest A from 10:00   observed B at 09:00  nothing: a line that lags does not rewrite what came after
 */
export function instrumentHistory(newest: readonly Valid[], observed: readonly InstrumentRecord[]): HistoryStep {
  const current = new Map(newest.map((row) => [row.instrument.symbol, row]))
  const added: { row: Valid; toMicros: bigint | null }[] = []
  const ended: { symbol: string; toMicros: bigint }[] = []
  const open = new Map<string, { row: Valid; toMicros: bigint | null }>()
  for (const record of observed) {
    const instrument = storable(record.instrument)
    const { symbol } = instrument
    const fromMicros = record.receivedTimeNs / NS_PER_MICRO
    const standing = current.get(symbol)
    if (standing !== undefined && (fromMicros <= standing.fromMicros || isSame(standing.instrument, instrument))) {
      continue
    }
    const before = open.get(symbol)
    if (before !== undefined) before.toMicros = fromMicros
    else if (standing !== undefined) ended.push({ symbol, toMicros: fromMicros })
    const row = { instrument, fromMicros }
    const next = { row, toMicros: null }
    current.set(symbol, row)
    open.set(symbol, next)
    added.push(next)
  }
  return { added, ended }
}

/** Moves the stored history by what was observed; gives the number of rows added. Inside a transaction. */
export async function writeInstruments(
  client: PoolClient,
  observed: readonly InstrumentRecord[],
  tallies: Tallies,
): Promise<number> {
  // Both lines see the same change at nearly the same time: one at a time reads and writes the history.
  await client.query(`select pg_advisory_xact_lock(hashtextextended('booktape instruments', 0))`)
  const symbols = [...new Set(observed.map((record) => storable(record.instrument).symbol))]
  const newest = await client.query<NewestRow>(NEWEST, [symbols])
  const { added, ended } = instrumentHistory(newest.rows.map(readNewest), observed)
  if (ended.length > 0) {
    await client.query(END, [ended.map((row) => row.symbol), ended.map((row) => microsText(row.toMicros))])
  }
  if (added.length === 0) return 0
  const inserted = await client.query<CountedRows>(ADD, addedColumns(added))
  invariant(tallies.take(inserted.rows) === added.length, 'a new instrument row begins after every row of its symbol')
  return added.length
}

const NEWEST = `select symbol, base_currency, quote_currency, price_increment, quantity_increment, min_order_size, status,
    product_type, contract_type, (extract(epoch from valid_from) * 1000000)::bigint as from_micros
  from booktape.instruments where valid_to is null and symbol = any($1::text[])`

const END = `update booktape.instruments i set valid_to = given.valid_to, ${changedChecksum('i', 'ended_instruments', 'given')}
  from unnest($1::text[], $2::timestamptz[]) as given(symbol, valid_to) where i.symbol = given.symbol and i.valid_to is null`

const COLUMNS = `symbol, base_currency, quote_currency, price_increment, quantity_increment, min_order_size, status, product_type,
    contract_type, valid_from, valid_to`

const ADD = counting(
  'instruments',
  `insert into booktape.instruments (${COLUMNS}, checksum)
  select ${COLUMNS}, ${ledgerChecksum('instruments', 'given')} from unnest($1::text[], $2::text[], $3::text[], $4::numeric[],
    $5::numeric[], $6::numeric[], $7::text[], $8::text[], $9::text[], $10::timestamptz[], $11::timestamptz[]) as given(${COLUMNS})`,
)

type NewestRow = Readonly<{
  symbol: string
  base_currency: string
  quote_currency: string
  price_increment: Instrument['priceIncrement']
  quantity_increment: Instrument['quantityIncrement']
  min_order_size: Instrument['minOrderSize']
  status: string
  product_type: string
  contract_type: string
  from_micros: bigint
}>

function readNewest(row: NewestRow): Valid {
  return {
    instrument: {
      symbol: row.symbol,
      baseCurrency: row.base_currency,
      quoteCurrency: row.quote_currency,
      priceIncrement: row.price_increment,
      quantityIncrement: row.quantity_increment,
      minOrderSize: row.min_order_size,
      status: row.status,
      productType: row.product_type,
      contractType: row.contract_type,
    },
    fromMicros: row.from_micros,
  }
}

function addedColumns(added: HistoryStep['added']): (string | null)[][] {
  const column = (read: (instrument: Instrument) => string) => added.map(({ row }) => read(row.instrument))
  return [
    column((instrument) => instrument.symbol),
    column((instrument) => instrument.baseCurrency),
    column((instrument) => instrument.quoteCurrency),
    column((instrument) => instrument.priceIncrement),
    column((instrument) => instrument.quantityIncrement),
    column((instrument) => instrument.minOrderSize),
    column((instrument) => instrument.status),
    column((instrument) => instrument.productType),
    column((instrument) => instrument.contractType),
    added.map(({ row }) => microsText(row.fromMicros)),
    added.map(({ toMicros }) => (toMicros === null ? null : microsText(toMicros))),
  ]
}

/** Decimals are canonical texts, and Postgres gives back the scale it was given: equal texts are equal values. */
function isSame(a: Instrument, b: Instrument): boolean {
  return (
    a.baseCurrency === b.baseCurrency &&
    a.quoteCurrency === b.quoteCurrency &&
    a.priceIncrement === b.priceIncrement &&
    a.quantityIncrement === b.quantityIncrement &&
    a.minOrderSize === b.minOrderSize &&
    a.status === b.status &&
    a.productType === b.productType &&
    a.contractType === b.contractType
  )
}

function storable(instrument: Instrument): Instrument {
  const clean = (text: string) => cleanText(text, MAX_INSTRUMENT_TEXT_LENGTH)
  return {
    ...instrument,
    symbol: clean(instrument.symbol),
    baseCurrency: clean(instrument.baseCurrency),
    quoteCurrency: clean(instrument.quoteCurrency),
    status: clean(instrument.status),
    productType: clean(instrument.productType),
    contractType: clean(instrument.contractType),
  }
}

const NS_PER_MICRO = 1_000n

function microsText(micros: bigint): string {
  return timestampText(micros * NS_PER_MICRO)
}
