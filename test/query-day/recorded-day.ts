import { createHash } from 'node:crypto'
import { type BookText, Exchange, SYMBOL_PRESETS } from '@booktape/exchange'
import { deriveId, type MarketRecord } from '@booktape/market'
import { type Database, ensurePartitions, openDatabase, settle, Writer } from '@booktape/store'
import { Dice } from '../simulation/dice.ts'
import { STEP_NS, VirtualRecorder } from '../virtual-recorder.ts'

/** 2026-03-02T00:00:00Z: the day that is recorded. */
export const DAY = '2026-03-02'
const DAY_NS = 1_772_409_600_000_000_000n
const BATCH_RECORDS = 20_000
/** How often what was made is stored, in virtual time. */
const SLICE_MS = 20_000
const HOUR_MS = 3_600_000
const MINUTE_NS = 60_000_000_000n

export type DayOptions = Readonly<{ hours: number; symbols: number; instants: number; seed: number }>

/** What the exchange knew of one symbol at one instant, when everything up to it had been received. */
export type Truth = Readonly<{
  symbol: string
  at: string
  book: BookText
  digest: string
  lastMinute: readonly string[] // changes received in the minute before: `<update id>,<side>,<price>,<quantity>`
}>

export type TrueTrade = ReturnType<Exchange['truth']['trades']>[number]

export type RecordedDay = Readonly<{
  symbols: readonly string[]
  from: string
  to: string
  truths: readonly Truth[]
  changes: number
  trades: number
  tradesOf: ReadonlyMap<string, readonly TrueTrade[]> // by symbol, oldest first
}>

/**
 * Records `hours` of simulated markets at their usual pace, over v1, into a migrated database, by the recorder's own parts but for
 * sockets and disk, which settles what it recorded every hour. `instants` truths are kept on the way, of symbols and instants drawn by the seed.
 */
export async function recordDay(url: string, options: DayOptions, say: (line: string) => void): Promise<RecordedDay> {
  const specs = SYMBOL_PRESETS.slice(0, options.symbols)
  const symbols = specs.map(({ symbol }) => symbol)
  // Every truth is taken while it is the newest book, so little needs to be remembered.
  const exchange = new Exchange({ seed: options.seed, symbols: specs, startNs: DAY_NS, rememberedChanges: 8_192 })
  const recorder = new VirtualRecorder(exchange, { feeds: ['v1'] })
  const database = openDatabase(url, { applicationName: 'booktape query day', max: 2 })
  try {
    const store = await openStore(database)
    const truths: Truth[] = []
    const endMs = Math.round(options.hours * 3_600_000)
    const wanted = drawInstants(options, symbols, endMs)
    let nowMs = 0
    while (nowMs < endMs) {
      const sliceEnd = Math.min(nowMs + SLICE_MS, endMs)
      while (wanted[0] !== undefined && wanted[0].atMs <= sliceEnd) {
        const { symbol, atMs } = wanted.shift() ?? { symbol: '', atMs: 0 }
        if (atMs > nowMs) recorder.pass(atMs - nowMs)
        nowMs = atMs
        truths.push(truthOf(exchange, symbol))
      }
      if (sliceEnd > nowMs) recorder.pass(sliceEnd - nowMs)
      nowMs = sliceEnd
      recorder.observations = []
      const made = recorder.records
      recorder.records = []
      await store(made, exchange.nowNs)
      if (nowMs % HOUR_MS !== 0) continue
      await settleAsOf(database, exchange.nowNs)
      say(`recorded ${nowMs / HOUR_MS} h`)
    }
    const counts = symbols.map((symbol) => exchange.truth.counts(symbol))
    recorder.stop()
    await store(recorder.records, exchange.nowNs)
    return {
      symbols,
      from: instantText(DAY_NS),
      to: instantText(exchange.nowNs),
      truths,
      changes: counts.reduce((sum, { changes }) => sum + changes, 0),
      trades: counts.reduce((sum, { trades }) => sum + trades, 0),
      tradesOf: new Map(symbols.map((symbol) => [symbol, exchange.truth.trades(symbol)])),
    }
  } finally {
    await database.close()
  }
}

/** What a recorder does by itself, on the day's own clock. */
async function settleAsOf(database: Database, nowNs: bigint): Promise<void> {
  const { rows } = await database.pool.query<{ before: string }>('select booktape.settleable_before($1) as before', [
    instantText(nowNs),
  ])
  const before = rows[0]?.before ?? null
  await settle(database, DAY, new AbortController().signal, { before })
}

/** In order of time, at whole steps of the virtual recorder, none in the first minute. */
function drawInstants(
  { instants, seed }: DayOptions,
  symbols: readonly string[],
  endMs: number,
): { symbol: string; atMs: number }[] {
  const dice = new Dice(seed, 'instants')
  const firstMs = Math.min(60_000, endMs / 2)
  return Array.from({ length: instants }, (_, i) => ({
    symbol: symbols[i % symbols.length] ?? '',
    atMs: Math.floor((firstMs + dice.unit() * (endMs - firstMs)) / 20) * 20,
  })).sort((a, b) => a.atMs - b.atMs)
}

function truthOf(exchange: Exchange, symbol: string): Truth {
  const book = exchange.truth.bookAfter(symbol, exchange.truth.lastUpdateId(symbol))
  const lines = [...book.bids.map(([p, q]) => `bid ${p} ${q}\n`), ...book.asks.map(([p, q]) => `ask ${p} ${q}\n`)]
  const digest = createHash('sha256').update(lines.join('')).digest('hex')
  return {
    symbol,
    at: instantText(exchange.nowNs),
    book: { bids: book.bids, asks: book.asks },
    digest,
    lastMinute: changesReceived(exchange, symbol, exchange.nowNs - MINUTE_NS, exchange.nowNs),
  }
}

/**
 * In (fromNs, toNs), both at ends of steps: what happens within a step is received when it ends. What was received at `fromNs` itself is in
 * the book with which `changes_between` begins.
 */
function changesReceived({ truth }: Exchange, symbol: string, fromNs: bigint, toNs: bigint): string[] {
  const [oldest = 0n] = truth.updateIds(symbol)
  return truth
    .changes(symbol, oldest, truth.lastUpdateId(symbol))
    .filter(({ eventTimeNs }) => eventTimeNs > fromNs && eventTimeNs <= toNs - STEP_NS)
    .map(({ updateId, side, price, quantity }) => `${updateId},${side},${price},${quantity}`)
}

/** Gives a function that stores records, in batches, as those of one journal. */
async function openStore(database: Database) {
  await ensurePartitions(database, DAY, 1)
  const writer = new Writer(database, { journalId: deriveId('journal', 'query day'), line: 'a', shard: 0 })
  let position = await writer.readPosition()
  return async (records: readonly MarketRecord[], recordedUntilNs: bigint): Promise<void> => {
    for (let i = 0; i < records.length; i += BATCH_RECORDS) {
      const batch = records.slice(i, i + BATCH_RECORDS).map(withSessionId)
      const result = await writer.write({
        fromPosition: position,
        toPosition: position + 1,
        recordedUntilNs,
        records: batch,
      })
      if (result.outcome !== 'committed') throw new Error(`a batch was not committed: ${JSON.stringify(result)}`)
      position++
    }
  }
}

/** The virtual recorder names its sessions plainly; the database wants a UUID. */
function withSessionId(record: MarketRecord): MarketRecord {
  return 'sessionId' in record ? { ...record, sessionId: deriveId('session', record.sessionId) } : record
}

const instantText = (ns: bigint): string =>
  `${new Date(Number(ns / 1_000_000n)).toISOString().slice(0, -1)}${String((ns / 1000n) % 1000n).padStart(3, '0')}Z`
