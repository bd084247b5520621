import type { TestContext } from 'node:test'
import {
  type BookMessage,
  type DecimalText,
  deriveId,
  type Instrument,
  invariant,
  type MarketRecord,
  readDecimal,
  type TradeRecord,
} from '@booktape/market'
import { temporaryDatabase } from '@booktape/testkit'
import { type Database, openDatabase } from './database.ts'
import { migrate } from './migrate.ts'
import { ensurePartitions } from './partitions.ts'
import { type Batch, Writer } from './writer.ts'

export const DAY = '2026-07-29'
/** 2026-07-29T08:00:00.123456789Z */
export const AT = 1_785_312_000_123_456_789n
export const SESSION = deriveId('session', 1)
export const EPOCH = deriveId('epoch', 1)

/** A migrated database with the partitions of `DAY`, gone after the test. */
export async function openStore(t: TestContext): Promise<Readonly<{ url: string; database: Database }>> {
  const temporary = await temporaryDatabase()
  await migrate(temporary.url)
  const database = openDatabase(temporary.url, { applicationName: 'booktape test', max: 4 })
  t.after(async () => {
    // Waits for whoever holds a connection, and tests let go of theirs after this: the database is dropped under them.
    void database.close()
    await temporary.close()
  })
  await ensurePartitions(database, DAY, 0)
  return { url: temporary.url, database }
}

export const origin = (name: string, line = 'a') => ({ journalId: deriveId('journal', name), line, shard: 0 })

/** A writer of a registered journal. */
export async function registeredWriter(database: Database, name = 'first', line = 'a'): Promise<Writer> {
  const writer = new Writer(database, origin(name, line))
  await writer.readPosition()
  return writer
}

/** The batch of entries (from, from + number of records], one record an entry. */
export function batchOf(
  records: readonly MarketRecord[],
  fromPosition = 0,
): Batch & Readonly<{ records: readonly MarketRecord[] }> {
  const toPosition = fromPosition + Math.max(1, records.length)
  return { fromPosition, toPosition, recordedUntilNs: AT, records }
}

export function decimal(text: string): DecimalText {
  const value = readDecimal(text)
  invariant(value !== null, `${text} is a decimal`)
  return value
}

export function trade(tradeId: bigint, changed: Partial<TradeRecord> = {}): TradeRecord {
  return {
    kind: 'trade',
    symbol: 'btcusd',
    tradeId,
    eventTimeNs: AT - 5_000_000n,
    receivedTimeNs: AT,
    price: decimal('83948.7'),
    quantity: decimal('0.01'),
    takerSide: 'buy',
    source: 'ws',
    broken: false,
    ...changed,
  }
}

export function bookMessage(messageSeq: number, changed: Partial<BookMessage> = {}): BookMessage {
  return {
    kind: 'book_message',
    epochId: EPOCH,
    symbol: 'btcusd',
    feed: 'ws',
    messageSeq,
    firstUpdateId: BigInt(messageSeq - 1),
    lastUpdateId: BigInt(messageSeq),
    eventTimeNs: AT - 5_000_000n,
    receivedTimeNs: AT,
    changes: [{ side: 'bid', price: decimal('83948.7'), quantity: decimal('1.5'), reason: null }],
    ...changed,
  }
}

export function instrument(changed: Partial<Instrument> = {}): Instrument {
  return {
    symbol: 'btcusd',
    baseCurrency: 'BTC',
    quoteCurrency: 'USD',
    priceIncrement: decimal('0.01'),
    quantityIncrement: decimal('0.00000001'),
    minOrderSize: decimal('0.00001'),
    status: 'open',
    productType: 'spot',
    contractType: 'vanilla',
    ...changed,
  }
}

const TABLES = [
  'journals',
  'sessions',
  'epochs',
  'gaps',
  'book_messages',
  'book_snapshots',
  'quotes',
  'trades',
  'instruments',
  'audits',
  'quarantine',
]

/** Every row of every table as Postgres writes it, in one order. */
export async function dump(database: Database): Promise<Record<string, string[]>> {
  const tables: Record<string, string[]> = {}
  for (const table of TABLES) {
    const { rows } = await database.pool.query<{ text: string }>(
      `select stored::text as text from booktape.${table} stored order by stored::text collate "C"`,
    )
    tables[table] = rows.map((row) => row.text)
  }
  return tables
}

/** Resolves when the query's first column is true: for waiting on another connection's progress. */
export async function until(database: Database, condition: string): Promise<void> {
  for (;;) {
    const { rows } = await database.pool.query<{ holds: boolean }>(`select (${condition}) as holds`)
    if (rows[0]?.holds === true) return
  }
}
