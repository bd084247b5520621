import { deriveId, type MarketRecord } from '@booktape/market'
import { advance, newCorridorState } from '@booktape/session'
import { type Database, ensurePartitions, openDatabase, Writer } from '@booktape/store'
import type { BenchDatabase } from './server.ts'
import { SessionDriver, START_NS } from './session-driver.ts'
import { frameText, snapshotText, type Workload } from './workload.ts'

/** As the recorder gives them to the writer at the live edge. */
const BATCH_RECORDS = 5_000

/** Entries of a journal and what follows from them, ready to be written. */
export type Recorded = Readonly<{ records: readonly MarketRecord[]; atNs: bigint }>

/**
 * What a session makes of a workload whose frames come `frameNs` apart: the records of each frame and tick, in order. Snapshots are
 * stored every minute of that time.
 */
export function* recordsOf(work: Workload, frameNs: bigint): Generator<Recorded> {
  const driver = new SessionDriver(newCorridorState(), advance, [work.symbol])
  yield { records: [...driver.opening, ...driver.frame(Buffer.from(snapshotText(work)))], atNs: driver.nowNs }
  let sinceTick = 0n
  for (const frame of work.frames) {
    driver.pass(frameNs)
    sinceTick += frameNs
    const records = [...driver.frame(Buffer.from(frameText(work.symbol, frame)))]
    if (sinceTick >= 1_000_000_000n) {
      sinceTick = 0n
      records.push(...driver.tick())
    }
    yield { records, atNs: driver.nowNs }
  }
}

/** The writer of a journal in a fresh database. */
export type BenchStore = Readonly<{
  write(recorded: readonly Recorded[]): Promise<void>
  close(): Promise<void>
}>

export async function openStore(target: BenchDatabase): Promise<BenchStore> {
  const database: Database = openDatabase(target.url, { applicationName: 'booktape bench', max: 2 })
  await ensurePartitions(database, new Date(Number(START_NS / 1_000_000n)).toISOString().slice(0, 10), 1)
  const writer = new Writer(database, { journalId: deriveId('journal', target.name), line: 'a', shard: 0 })
  await writer.readPosition()
  let position = 0
  const writeBatch = async (records: readonly MarketRecord[], entries: number, atNs: bigint): Promise<void> => {
    const toPosition = position + entries
    const result = await writer.write({ fromPosition: position, toPosition, recordedUntilNs: atNs, records })
    if (result.outcome !== 'committed') throw new Error(`a batch was not committed: ${JSON.stringify(result)}`)
    position = toPosition
  }
  return {
    write: async (recorded) => {
      let records: MarketRecord[] = []
      let entries = 0
      for (const one of recorded) {
        records.push(...one.records)
        entries++
        if (records.length < BATCH_RECORDS) continue
        await writeBatch(records, entries, one.atNs)
        records = []
        entries = 0
      }
      const last = recorded.at(-1)
      if (entries > 0 && last !== undefined) await writeBatch(records, entries, last.atNs)
    },
    close: () => database.close(),
  }
}
