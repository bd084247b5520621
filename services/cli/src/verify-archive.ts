import { type ArchiveFinding, type ArchiveReport, type Placed, verifyArchive } from '@booktape/archive'
import { ConfigError, systemClock } from '@booktape/runtime'
import { type ArchivedDay, archivedDays, openDatabase } from '@booktape/store'
import type { Finding } from '@booktape/verify'
import { storageFromEnvironment } from './archive-place.ts'
import { findDatabaseIfAny } from './database-address.ts'
import { EXIT_FAILED } from './explain.ts'
import { Findings } from './findings.ts'
import { Progress } from './progress.ts'
import type { Span } from './span.ts'

/** `booktape verify --archive`: what is wrong with an archive, a line each, and with what the database has noted of it, where there is one. */
export async function verifyPlace(
  place: string,
  span: Span,
  options: Readonly<{ hasEnd: boolean; line: string | undefined; json: boolean }>,
): Promise<void> {
  if (options.line !== undefined)
    throw new ConfigError(['--line does not go with --archive: an archive has one line at a time.'])
  const storage = await storageFromEnvironment(place)
  const clock = systemClock()
  const progress = new Progress({ output: process.stderr, monoNs: clock.monoNs, unit: 'parts' })
  const findings = new Findings(options.json, progress)
  try {
    const noted = await notedDays()
    for await (const event of verifyArchive({ storage, isAsked: asked(span, options.hasEnd), noted })) {
      if (event.kind === 'progress')
        progress.show(event.what, { done: BigInt(event.done), total: BigInt(event.total), count: event.done })
      else if (event.kind === 'finding') findings.add(asFinding(event.finding))
      else findings.end({ archive: storage.name, ...event.report }, summary(storage.name, event.report, noted !== null))
    }
  } finally {
    progress.end()
    await storage.close()
  }
  if (findings.count > 0) process.exitCode = EXIT_FAILED
}

function asFinding({ date: at, ...finding }: ArchiveFinding): Finding {
  return { relation: 'archive', line: null, at, ...finding }
}

/** Null without a database. */
async function notedDays(): Promise<readonly ArchivedDay[] | null> {
  const url = await findDatabaseIfAny()
  if (url === null) return null
  const database = openDatabase(url, { applicationName: 'booktape verify', max: 1 })
  try {
    return await archivedDays(database)
  } finally {
    await database.close()
  }
}

const NS_PER_DAY = 86_400_000_000_000n

/** Archives hold whole days: those that the span touches are verified. */
function asked({ symbols, feed, fromNs, toNs }: Span, hasEnd: boolean): (place: Placed) => boolean {
  return (place) => {
    const dayNs = BigInt(Date.parse(`${place.date}T00:00:00Z`)) * 1_000_000n
    const isOfSpan = (fromNs === null || dayNs + NS_PER_DAY > fromNs) && (!hasEnd || dayNs < toNs)
    const isOfSymbols = symbols.length === 0 || place.symbol === null || symbols.includes(place.symbol)
    return isOfSpan && isOfSymbols && (feed === null || place.feed === null || place.feed === feed)
  }
}

function summary(name: string, report: ArchiveReport, hasDatabase: boolean): readonly string[] {
  const { days, parts, files, rows, bytes, books, elsewhere } = report
  const count = (value: number, word: string): string =>
    `${value.toLocaleString('en-US')} ${word}${value === 1 ? '' : 's'}`
  return [
    `${name}: ${count(days, 'day')}, ${count(parts, 'part')}, ${count(files, 'file')}, ${count(rows, 'row')} (${count(bytes, 'byte')}) read back, ${count(books, 'book')} rebuilt and compared`,
    ...(hasDatabase ? [] : ['no database was asked whether these are the files that were published']),
    ...(elsewhere > 0 ? [`noted in the database as archived elsewhere: ${count(elsewhere, 'day')}`] : []),
  ]
}
