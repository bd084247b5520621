import { Exchange, SYMBOL_PRESETS } from '@booktape/exchange'
import { deriveId, type Feed, type MarketRecord } from '@booktape/market'
import { type Database, ensurePartitions, migrate, openDatabase, settle, Writer } from '@booktape/store'
import { temporaryDatabase } from '@booktape/testkit'
import { receivedWithinStep, trueDigest, VirtualRecorder } from '../virtual-recorder.ts'

/** The book of one symbol, as the exchange had it after the last update that a feed had brought at an instant. */
export type Truth = Readonly<{ symbol: string; feed: Feed; atNs: bigint; digest: string }>

export type RecordedHour = Readonly<{
  url: string
  symbols: readonly string[]
  fromNs: bigint
  truths: readonly Truth[] // by instant
  close(): Promise<void>
}>

export type HourOptions = Readonly<{
  minutes: number
  symbols: number
  resyncs: number
  instants: number
  seed: number
}>

const DAY = '2026-03-02'
const DAY_NS = BigInt(Date.parse(`${DAY}T00:00:00Z`)) * 1_000_000n
export const HOUR_NS = 3_600_000_000_000n
const BATCH_RECORDS = 20_000
/** A step of the virtual recorder. */
const STEP_MS = 20

/**
 * Records simulated markets at their usual pace in virtual time, by the recorder's own parts but for sockets and disk, over both feeds, into
 * a database whose messages are settled. `resyncs` times, evenly spread, a frame of each connection is lost.
 */
export async function recordHour(options: HourOptions, say: (line: string) => void): Promise<RecordedHour> {
  const specs = SYMBOL_PRESETS.slice(0, options.symbols)
  const symbols = specs.map(({ symbol }) => symbol)
  const exchange = new Exchange({ seed: options.seed, symbols: specs, startNs: DAY_NS, rememberedChanges: 65_536 })
  const losing = new Set<number>() // connections that lose their next frame
  const seen = new Set<number>()
  const recorder = new VirtualRecorder(exchange, {}, (connection, frame) => {
    seen.add(connection)
    return losing.delete(connection) ? [] : [frame]
  })
  recorder.frameLeadNs = receivedWithinStep()
  const temporary = await temporaryDatabase()
  await migrate(temporary.url)
  const database = openDatabase(temporary.url, { applicationName: 'booktape drill', max: 2, answerTimeoutMs: null })
  try {
    const store = await openStore(database)
    const truths: Truth[] = []
    const endMs = Math.round(options.minutes * 60_000)
    const everyMs = Math.max(STEP_MS, Math.floor(endMs / (options.instants + 1) / STEP_MS) * STEP_MS)
    const resyncEveryMs = endMs / (options.resyncs + 1)
    let lost = 0
    for (let nowMs = everyMs; nowMs < endMs && truths.length < options.instants; nowMs += everyMs) {
      recorder.pass(everyMs)
      if (lost < options.resyncs && nowMs >= resyncEveryMs * (lost + 1)) {
        for (const connection of seen) losing.add(connection)
        lost++
      }
      const feed = truths.length % 2 === 0 ? 'v1' : 'ws'
      const symbol = symbols[Math.floor(truths.length / 2) % symbols.length] ?? ''
      const { epoch, lastUpdateId } = recorder.track(feed, symbol)
      if (epoch !== null && lastUpdateId !== null)
        truths.push({ symbol, feed, atNs: exchange.nowNs, digest: trueDigest(exchange, symbol, lastUpdateId) })
      await store(recorder.records, exchange.nowNs)
      recorder.records = []
      recorder.observations = []
    }
    recorder.stop()
    await store(recorder.records, exchange.nowNs)
    const { messages, changes } = await settle(database, DAY, new AbortController().signal, {
      before: '2026-03-03 00:00:00Z',
    })
    const { rows } = await database.pool.query<{ epochs: bigint }>('select count(*) as epochs from market.epochs')
    say(
      `recorded ${options.minutes} min of ${symbols.length} symbols on both feeds: ${messages} messages, ${changes} changes, ${rows[0]?.epochs} epochs`,
    )
    return { url: temporary.url, symbols, fromNs: DAY_NS, truths, close: () => temporary.close() }
  } finally {
    await database.close()
  }
}

/** Gives a function that stores records, in batches, as those of one journal. */
async function openStore(database: Database) {
  await ensurePartitions(database, DAY, 1)
  const writer = new Writer(database, { journalId: deriveId('journal', 'archived hour'), line: 'a', shard: 0 })
  let position = await writer.readPosition()
  let waiting: MarketRecord[] = []
  return async (records: readonly MarketRecord[], recordedUntilNs: bigint): Promise<void> => {
    waiting.push(...records)
    // The few records after a stop are the last ones.
    if (waiting.length < BATCH_RECORDS && records.at(-1)?.kind !== 'session_closed') return
    const batch = { fromPosition: position, toPosition: position + 1, recordedUntilNs, records: waiting }
    const result = await writer.write(batch)
    if (result.outcome !== 'committed') throw new Error(`a batch was not committed: ${JSON.stringify(result)}`)
    position++
    waiting = []
  }
}
