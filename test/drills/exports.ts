import { join } from 'node:path'
import { exportParts, FORMATS, partsOf } from '@booktape/export'
import { compareBooks, planOf } from '../exports/compare-books.ts'
import { ExportReaders } from '../exports/export-readers.ts'
import { exportedRecording, START_NS } from '../exports/exported-recording.ts'
import type { Drill } from './drill.ts'

const SYMBOLS = [
  'btcusd',
  'ethusd',
  'solusd',
  'btcgusdperp',
  'ethgusdperp',
  'ltcusd',
  'linkusd',
  'dogeusd',
  'xrpusd',
  'avaxusd',
]
const AWAY_MS = 15_000
const MS_PER_MINUTE = 60_000

/** In virtual time: an hour of ten symbols with three resyncs of each book, out in every format and back by other programs. */
export const exports: Drill = {
  about: 'every export format read back by DuckDB and NumPy’s layout: the book equal to the venue’s at each instant',
  usual: { seed: 1, symbols: 10, minutes: 60, instants: 1000 },
  async run(numbers, say) {
    const symbols = SYMBOLS.slice(0, numbers('symbols'))
    const spanMs = (numbers('minutes') * MS_PER_MINUTE) / 3
    const recording = await exportedRecording({ symbols, spanMs, awayMs: AWAY_MS, seed: numbers('seed') })
    const violations: string[] = []
    try {
      for (const { name } of FORMATS) {
        const total = { changes: 0, trades: 0, bytes: 0, rows: 0, known: 0, unknown: 0, notHeld: 0 }
        for (const feed of ['v1', 'ws'] as const) {
          const directory = join(recording.directory, name, feed)
          const parts = symbols.flatMap((symbol) => partsOf(symbol, feed, START_NS, recording.endNs))
          const readers = await ExportReaders.open(directory)
          for await (const outcome of exportParts(
            recording.tape,
            parts,
            planOf(name, directory, numbers('instants')),
          )) {
            const { counts, files, sidecar } = outcome.manifest
            total.changes += counts['changes'] ?? 0
            total.trades += counts['trades'] ?? 0
            for (const { bytes, rows } of files) {
              total.bytes += bytes
              total.rows += rows
            }
            for (const count of Object.values(sidecar)) total.notHeld += count
            const { known, unknown, different } = await compareBooks(recording, readers, outcome)
            total.known += known
            total.unknown += unknown
            for (const one of different) violations.push(`${name} ${feed} ${outcome.part.symbol} ${one}`)
          }
          readers.close()
        }
        const size = `${Math.round(total.bytes / 2 ** 10)} KiB, ${(total.bytes / total.changes).toFixed(1)} bytes a change`
        say(
          `${name}: ${total.changes} changes and ${total.trades} trades as ${total.rows} rows, ${size}; ${total.known} instants compared, at ${total.unknown} nothing was known, ${total.notHeld} values not held`,
        )
        if (total.known === 0) violations.push(`${name}: nothing was compared`)
      }
      return violations
    } finally {
      await recording.close()
    }
  },
}
