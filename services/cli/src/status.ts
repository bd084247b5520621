import { openDatabase, readStatus, redactDatabaseUrl, type StoreStatus } from '@booktape/store'
import { findDatabase } from './database-address.ts'
import { table } from './table.ts'

/** `booktape status`: one line a symbol and feed, or everything as JSON. */
export async function status(json: boolean): Promise<void> {
  const url = await findDatabase()
  const database = openDatabase(url, { applicationName: 'booktape status', max: 1 })
  try {
    const found = await readStatus(database)
    process.stdout.write(json ? `${JSON.stringify(found, plainNumbers, 2)}\n` : overview(redactDatabaseUrl(url), found))
  } finally {
    await database.close()
  }
}

const MEBIBYTE = 2n ** 20n

function overview(name: string, found: StoreStatus): string {
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
  return `${name}, ${found.databaseBytes / MEBIBYTE} MiB\n${table(head, rows)}`
}

function plainNumbers(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value
}
