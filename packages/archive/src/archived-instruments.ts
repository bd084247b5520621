import type { DecimalText, Instrument } from '@booktape/market'
import type { ArchiveReading } from './archive-reading.ts'
import { dateOf, manifestFolder, unitOfManifest } from './layout.ts'
import type { Row } from './tables.ts'

/**
 * The details of each symbol as they held at an instant, or, where none were known yet, the first there are: then the days that follow are
 * looked through. Throws `ArchiveError` `NOT_ARCHIVED`.
 */
export async function archivedInstruments(
  reading: ArchiveReading,
  symbols: readonly string[],
  atNs: bigint,
): Promise<readonly Instrument[]> {
  await reading.days(atNs, atNs + 1n)
  const found = new Map<string, Instrument>()
  for (const date of await daysFrom(reading, dateOf(atNs))) {
    const manifest = await reading.manifest({ kind: 'day', date })
    if (manifest === null) continue
    const isLater = new Set(found.keys())
    for await (const page of reading.rows(manifest, 'instruments')) {
      for (const row of page) {
        const { validFromNs, ...instrument } = instrumentOf(row)
        const { symbol } = instrument
        // By when they began: the last that had begun, else the first.
        const isWanted = symbols.includes(symbol) && !isLater.has(symbol)
        if (isWanted && (validFromNs <= atNs || !found.has(symbol))) found.set(symbol, instrument)
      }
    }
    if (found.size === new Set(symbols).size) break
  }
  return [...found.values()].sort((a, b) => (a.symbol < b.symbol ? -1 : 1))
}

/** The days of the archive from one on, oldest first. */
async function daysFrom({ storage }: ArchiveReading, first: string): Promise<readonly string[]> {
  const units = (await storage.list(manifestFolder('day'))).map(unitOfManifest)
  return units.flatMap((unit) => (unit !== null && unit.date >= first ? [unit.date] : [])).sort()
}

/** As `COLUMNS.instruments` orders them. */
type InstrumentRow = readonly [
  symbol: string,
  baseCurrency: string,
  quoteCurrency: string,
  priceIncrement: DecimalText,
  quantityIncrement: DecimalText,
  minOrderSize: DecimalText,
  status: string,
  productType: string,
  contractType: string,
  validFromNs: bigint,
  validToNs: bigint | null,
]

function instrumentOf(row: Row): Instrument & Readonly<{ validFromNs: bigint }> {
  const [symbol, baseCurrency, quoteCurrency, priceIncrement, quantityIncrement, minOrderSize, ...rest] =
    row as readonly unknown[] as InstrumentRow
  const [status, productType, contractType, validFromNs] = rest
  const names = { symbol, baseCurrency, quoteCurrency, status, productType, contractType }
  return { ...names, priceIncrement, quantityIncrement, minOrderSize, validFromNs }
}
