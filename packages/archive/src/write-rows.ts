import type { StoredDay, TradeOfDay } from '@booktape/store'
import type { Unit } from './layout.ts'
import { type DayManifest, FORMAT, type NamedManifest, type TradesManifest, type TradesSource } from './manifest.ts'
import type { StagedFiles } from './staged-files.ts'

/** Writes a unit of trades to the stage. */
export async function writeTrades(
  unit: Extract<Unit, { kind: 'trades' }>,
  pages: AsyncIterable<readonly TradeOfDay[]>,
  source: TradesSource,
  files: StagedFiles,
  software: string,
): Promise<TradesManifest> {
  const file = files.begin('trades')
  let least: bigint | null = null
  let greatest = 0n
  for await (const page of pages) {
    for (const trade of page) {
      const { tradeId, eventTimeNs, receivedTimeNs, price, quantity, takerSide, source: from, line, broken } = trade
      file.add([tradeId, eventTimeNs, receivedTimeNs, price, quantity, takerSide, from, line, broken])
      if (least === null || receivedTimeNs < least) least = receivedTimeNs
      if (receivedTimeNs > greatest) greatest = receivedTimeNs
    }
  }
  return {
    format: FORMAT,
    kind: 'trades',
    software,
    symbol: unit.symbol,
    date: unit.date,
    source,
    fromReceivedNs: String(least ?? 0n),
    toReceivedNs: String(greatest),
    files: await files.finish(),
  }
}

/** Writes what was known of a day as a whole to the stage. `units`: the manifests of all its other units. */
export async function writeDay(
  unit: Extract<Unit, { kind: 'day' }>,
  { epochs, gaps, instruments }: StoredDay,
  units: readonly NamedManifest[],
  files: StagedFiles,
  software: string,
): Promise<DayManifest> {
  const epochsFile = files.begin('epochs')
  for (const e of epochs)
    epochsFile.add([e.symbol, e.feed, e.line, e.epochId, e.sessionId, e.startedNs, e.endedNs, e.firstUpdateId, e.lastUpdateId, e.endReason]) // biome-ignore format: one row
  const gapsFile = files.begin('gaps')
  for (const g of gaps)
    gapsFile.add([g.symbol, g.feed, g.line, g.gapId, g.stream, g.fromId, g.toId, g.startedNs, g.endedNs, g.cause, g.state]) // biome-ignore format: one row
  const instrumentsFile = files.begin('instruments')
  for (const i of instruments)
    instrumentsFile.add([i.symbol, i.baseCurrency, i.quoteCurrency, i.priceIncrement, i.quantityIncrement, i.minOrderSize, i.status, i.productType, i.contractType, i.validFromNs, i.validToNs]) // biome-ignore format: one row
  return { format: FORMAT, kind: 'day', software, date: unit.date, units, files: await files.finish() }
}
