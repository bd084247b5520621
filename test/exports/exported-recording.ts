import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openTape, type Tape } from '@booktape/client'
import { Exchange, presetOf } from '@booktape/exchange'
import { deriveId, invariant, type MarketRecord } from '@booktape/market'
import { ensurePartitions, migrate, openDatabase, settle, Writer } from '@booktape/store'
import { temporaryDatabase } from '@booktape/testkit'
import { trueDigest, VirtualRecorder } from '../virtual-recorder.ts'
import { RebuiltBook } from './rebuilt-book.ts'

/** 2026-03-01T10:00:00Z: of months ago, so that the day is over and can be archived. */
export const START_NS = 1_772_359_200_000_000_000n
const NS_PER_MS = 1_000_000n
const BATCH = 5_000

/** A recording of the simulated exchange in a database, with what is true of it. */
export type ExportedRecording = Readonly<{
  databaseUrl: string
  tape: Tape
  directory: string // for exports
  records: readonly MarketRecord[]
  endNs: bigint
  /** The id up to which a book was known at an instant, by what was received before it; null where it was not. */
  updateIdAt(symbol: string, feed: 'v1' | 'ws', atNs: bigint): bigint | null
  /** The digest of the venue's own book then, or of its best levels alone. */
  digest(symbol: string, updateId: bigint, levels: number | null): string
  bookAfter(symbol: string, updateId: bigint): ReturnType<Exchange['truth']['bookAfter']>
  close(): Promise<void>
}>

/** Records for `spanMs` three times, stopped for `awayMs` between: each time is an epoch of every book. */
export async function exportedRecording(
  options: Readonly<{ symbols: readonly string[]; spanMs: number; awayMs: number; seed: number }>,
): Promise<ExportedRecording> {
  const { symbols, spanMs, awayMs, seed } = options
  const specs = symbols.map((symbol) => {
    const spec = presetOf(symbol)
    invariant(spec !== null, `the simulated exchange has ${symbol}`)
    return spec
  })
  const exchange = new Exchange({ seed, symbols: specs, startNs: START_NS })
  const recorder = new VirtualRecorder(exchange, {})
  const temporary = await temporaryDatabase()
  await migrate(temporary.url)
  const database = openDatabase(temporary.url, { applicationName: 'booktape test', max: 4 })
  await ensurePartitions(database, '2026-03-01', 0)
  const writer = new Writer(database, { journalId: deriveId('journal', 'exports'), line: 'a', shard: 0 })
  await writer.readPosition()
  const kept: MarketRecord[] = []
  let position = 0
  const store = async (): Promise<void> => {
    const records = recorder.records
    recorder.records = []
    for (let from = 0; from < records.length; from += BATCH) {
      const some = records.slice(from, from + BATCH)
      const toPosition = position + some.length
      const batch = { fromPosition: position, toPosition, recordedUntilNs: exchange.nowNs, records: some }
      const { outcome } = await writer.write(batch)
      invariant(outcome === 'committed', `stored, not ${outcome}`)
      position = toPosition
    }
    for (const record of records) if (KEPT.has(record.kind)) kept.push(withoutChanges(record))
  }
  for (const [i, run] of ['first', 'second', 'third'].entries()) {
    if (i > 0) {
      recorder.beAway(awayMs)
      recorder.start({ runId: run })
    }
    for (let passed = 0; passed < spanMs; passed += STORE_EVERY_MS) {
      recorder.pass(Math.min(STORE_EVERY_MS, spanMs - passed))
      await store()
    }
    recorder.stop()
    await store()
  }
  await settle(database, '2031-01-01', new AbortController().signal, { before: '2031-01-01' })
  const timelines = timelinesOf(kept)
  const digests = new Map<string, string>() // each format asks for the same
  const tape = openTape(temporary.url)
  const directory = await mkdtemp(join(tmpdir(), 'booktape-test-'))
  return {
    databaseUrl: temporary.url,
    tape,
    directory,
    records: kept,
    endNs: exchange.nowNs + NS_PER_MS,
    updateIdAt: (symbol, feed, atNs) => knownBefore(timelines.get(`${feed} ${symbol}`), atNs),
    digest: (symbol, updateId, levels) => {
      const key = `${symbol} ${updateId} ${levels}`
      const digest = digests.get(key) ?? digestOf(exchange, symbol, updateId, levels)
      digests.set(key, digest)
      return digest
    },
    bookAfter: (symbol, updateId) => exchange.truth.bookAfter(symbol, updateId),
    close: async () => {
      await tape.close()
      await database.close()
      await temporary.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

function digestOf(exchange: Exchange, symbol: string, updateId: bigint, levels: number | null): string {
  if (levels === null) return trueDigest(exchange, symbol, updateId)
  const { bids, asks } = exchange.truth.bookAfter(symbol, updateId)
  const book = new RebuiltBook()
  for (const [side, best] of [
    ['bid', bids],
    ['ask', asks],
  ] as const) {
    for (const [price, quantity] of best) book.take({ atNs: 0n, kind: 'level', side, price, quantity })
  }
  return book.digest(levels)
}

/** Of virtual time; what is waiting is held in memory. */
const STORE_EVERY_MS = 60_000
const KEPT: ReadonlySet<string> = new Set(['epoch_started', 'epoch_ended', 'book_message', 'trade'])

/** What happened when is all that is asked of messages. */
function withoutChanges(record: MarketRecord): MarketRecord {
  return record.kind === 'book_message' ? { ...record, changes: [] } : record
}

/** When the book of a symbol moved, and to which id; null where it was known no more. */
type Timeline = { readonly atNs: bigint[]; readonly updateId: (bigint | null)[] }

/** One for each `<feed> <symbol>`; records are in the order of their receive time. */
function timelinesOf(records: readonly MarketRecord[]): ReadonlyMap<string, Timeline> {
  const timelines = new Map<string, Timeline>()
  const ofEpoch = new Map<string, Timeline>()
  const add = (timeline: Timeline | undefined, atNs: bigint, updateId: bigint | null): void => {
    timeline?.atNs.push(atNs)
    timeline?.updateId.push(updateId)
  }
  for (const record of records) {
    if (record.kind === 'epoch_started') {
      const key = `${record.feed} ${record.symbol}`
      const timeline = timelines.get(key) ?? { atNs: [], updateId: [] }
      timelines.set(key, timeline)
      ofEpoch.set(record.epochId, timeline)
      add(timeline, record.receivedTimeNs, record.firstUpdateId)
    } else if (record.kind === 'epoch_ended') add(ofEpoch.get(record.epochId), record.receivedTimeNs, null)
    else if (record.kind === 'book_message')
      add(ofEpoch.get(record.epochId), record.receivedTimeNs, record.lastUpdateId)
  }
  return timelines
}

/** By what came before an instant. */
function knownBefore(timeline: Timeline | undefined, atNs: bigint): bigint | null {
  const next = timeline?.atNs.findIndex((time) => time >= atNs) ?? -1
  const at = next === -1 ? (timeline?.atNs.length ?? 0) - 1 : next - 1
  return timeline?.updateId[at] ?? null
}
