import { ConfigError, readSettings, systemClock } from '@booktape/runtime'
import { type DayPartition, dropPartition, oldPartitions, openDatabase } from '@booktape/store'
import { databaseUrlFromEnvironment } from './migrate.ts'
import { table } from './table.ts'

export type RetentionOptions = Readonly<{ keep?: string; dryRun: boolean; json: boolean }>

const DAY_MS = 86_400_000
const KIBIBYTE = 1_024n

/** `booktape retention`: drops whole days of books and quotes that are older than is kept. */
export async function retention(options: RetentionOptions): Promise<void> {
  const { days, isArchived } = readPolicy(options.keep)
  const nowMs = Number(systemClock().wallNs() / 1_000_000n)
  const firstKeptDay = new Date(nowMs - days * DAY_MS).toISOString().slice(0, 10)
  const database = openDatabase(databaseUrlFromEnvironment(), { applicationName: 'booktape retention', max: 1 })
  try {
    const found = await oldPartitions(database, firstKeptDay, isArchived)
    const dropped = found.filter(({ kept }) => kept === null)
    if (!options.dryRun) for (const partition of dropped) await dropPartition(database, partition)
    process.stdout.write(options.json ? report(firstKeptDay, found, options) : overview(firstKeptDay, found, options))
  } finally {
    await database.close()
  }
}

/** @throws ConfigError when nobody said how long rows are kept. */
function readPolicy(keep: string | undefined): Readonly<{ days: number; isArchived: boolean }> {
  const { text, archive } = readSettings(process.env, (read) => ({
    text: keep ?? read.text('BOOKTAPE_RETENTION', { default: '' }),
    archive: read.text('BOOKTAPE_ARCHIVE', { default: '' }),
  }))
  const days = /^([1-9]\d{0,4})d$/.exec(text)?.[1]
  if (days === undefined) {
    const what = text === '' ? 'is not said' : `is ${JSON.stringify(text.slice(0, 40))}`
    throw new ConfigError([`how long to keep ${what}: give --keep or BOOKTAPE_RETENTION as whole days, such as 90d.`])
  }
  return { days: Number(days), isArchived: archive !== '' }
}

function report(firstKeptDay: string, found: readonly DayPartition[], { dryRun }: RetentionOptions): string {
  const partitions = found.map(({ day, partition, bytes, kept }) => ({
    day,
    partition,
    bytes: Number(bytes),
    dropped: kept === null && !dryRun,
    kept,
  }))
  return `${JSON.stringify({ firstKeptDay, dryRun, partitions }, null, 2)}\n`
}

function overview(firstKeptDay: string, found: readonly DayPartition[], { dryRun }: RetentionOptions): string {
  const lines = found.map(({ day, partition, bytes, kept }) => [
    day,
    partition,
    `${bytes / KIBIBYTE} KiB`,
    kept === null ? (dryRun ? 'would be dropped' : 'dropped') : `kept: ${kept}`,
  ])
  const freed = found.reduce((sum, { kept, bytes }) => (kept === null ? sum + bytes : sum), 0n)
  const summary = `days before ${firstKeptDay}: ${freed / KIBIBYTE} KiB ${dryRun ? 'would be freed' : 'freed'}\n`
  return lines.length === 0 ? summary : `${table(['day', 'partition', 'size', ''], lines)}${summary}`
}
