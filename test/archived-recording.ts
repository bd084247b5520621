import assert from 'node:assert/strict'
import { Exchange, presetOf } from '@booktape/exchange'
import { deriveId, type MarketRecord } from '@booktape/market'
import { type Database, ensurePartitions, migrate, openDatabase, settle, Writer } from '@booktape/store'
import { temporaryDatabase } from '@booktape/testkit'
import { receivedWithinStep, VirtualRecorder } from './virtual-recorder.ts'

/**
 * Twelve minutes of two symbols over both feeds, six before midnight and six after, in a database: the recorder was killed once on each
 * side and stopped for a while over midnight of one symbol's day. Times are of months ago, so both days are over.
 */
export type ArchivedRecording = Readonly<{
  url: string
  database: Database
  exchange: Exchange
  records: readonly MarketRecord[]
  symbols: readonly string[]
  fromNs: bigint
  toNs: bigint
  close(): Promise<void>
}>

export const DAYS = ['2026-03-01', '2026-03-02'] as const
const MIDNIGHT_NS = BigInt(Date.parse('2026-03-02T00:00:00Z')) * 1_000_000n
const SYMBOLS = ['btcgusdperp', 'ethgusdperp'] as const
const NS_PER_MS = 1_000_000n
const BATCH = 5_000

export async function archivedRecording(
  options: Readonly<{ minutes: number; isSettled: boolean }>,
): Promise<ArchivedRecording> {
  const halfMs = options.minutes * 30_000
  const fromNs = MIDNIGHT_NS - BigInt(halfMs) * NS_PER_MS
  const specs = SYMBOLS.map((symbol) => presetOf(symbol) ?? assert.fail())
  const exchange = new Exchange({ seed: 11, symbols: specs, startNs: fromNs })
  const recorder = new VirtualRecorder(exchange, {})
  recorder.frameLeadNs = receivedWithinStep()
  const thirdMs = Math.floor(halfMs / 3)
  recorder.pass(thirdMs)
  recorder.kill()
  recorder.beAway(5_000)
  recorder.start({ runId: 'after a kill' })
  recorder.pass(halfMs - thirdMs - 5_000 + thirdMs) // over midnight
  recorder.stop()
  recorder.beAway(10_000)
  recorder.start({ runId: 'after a stop' })
  recorder.pass(thirdMs)
  recorder.stop()
  const toNs = exchange.nowNs + NS_PER_MS
  const { records } = recorder

  const temporary = await temporaryDatabase()
  await migrate(temporary.url)
  const database = openDatabase(temporary.url, { applicationName: 'booktape test', max: 4 })
  await ensurePartitions(database, DAYS[0], 1)
  const writer = new Writer(database, { journalId: deriveId('journal', 'archived'), line: 'a', shard: 0 })
  await writer.readPosition()
  for (let from = 0; from < records.length; from += BATCH) {
    const some = records.slice(from, from + BATCH)
    const batch = { fromPosition: from, toPosition: from + some.length, recordedUntilNs: toNs, records: some }
    assert.equal((await writer.write(batch)).outcome, 'committed')
  }
  if (options.isSettled)
    await settle(database, '2026-03-02', new AbortController().signal, { before: '2026-03-02 00:00:00Z' })
  return {
    url: temporary.url,
    database,
    exchange,
    records,
    symbols: SYMBOLS,
    fromNs,
    toNs,
    close: async () => {
      await database.close()
      await temporary.close()
    },
  }
}
