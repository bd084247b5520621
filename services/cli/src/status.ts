import { openDatabase, readStatus, redactDatabaseUrl, type StoreStatus } from '@booktape/store'
import { databaseUrlFromEnvironment } from './migrate.ts'

/** `booktape status`: one line a symbol and feed, or everything as JSON. */
export async function status(json: boolean): Promise<void> {
  const url = databaseUrlFromEnvironment()
  const database = openDatabase(url, { applicationName: 'booktape status', max: 1 })
  try {
    const found = await readStatus(database)
    process.stdout.write(json ? `${JSON.stringify(found, plainNumbers, 2)}\n` : table(redactDatabaseUrl(url), found))
  } finally {
    await database.close()
  }
}

const MEBIBYTE = 2n ** 20n

function table(name: string, found: StoreStatus): string {
  const rows = found.feeds.map((feed) => [
    feed.symbol,
    feed.feed,
    feed.liveLines.length > 0 ? `live on ${feed.liveLines.join(', ')}` : 'not live',
    feed.lastReceived ?? 'nothing yet',
    `${feed.messagesToday}`,
    `${feed.quotesToday}`,
    `${feed.tradesToday}`,
    feed.openGaps.length === 0 ? 'none' : feed.openGaps.map((gap) => `${gap.stream}: ${gap.cause}`).join(', '),
  ])
  const head = ['symbol', 'feed', 'book', 'last received', 'messages today', 'quotes', 'trades', 'open gaps']
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)))
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd()
  return `${name}, ${found.databaseBytes / MEBIBYTE} MiB\n${[head, ...rows].map(line).join('\n')}\n`
}

function plainNumbers(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value
}
