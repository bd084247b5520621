import {
  type ArchiveRun,
  type ArchiveStorage,
  archiveDays,
  nameOf,
  openStorage,
  verifyArchive,
} from '@booktape/archive'
import { openTape } from '@booktape/client'
import { ConfigError, readSettings, systemClock } from '@booktape/runtime'
import { openDatabase } from '@booktape/store'
import { databaseUrlFromEnvironment } from './migrate.ts'
import { Progress } from './progress.ts'
import { watchStop } from './stop.ts'
import { VERSION } from './version.ts'

export type ArchiveOptions = Readonly<{ from?: string; to?: string; again: boolean; verify: boolean; json: boolean }>

/** Exit code where a file of the archive is not as it was published. */
const EXIT_DAMAGED = 1

/** `booktape archive`: writes the days that are over, or, with `verify`, reads back all that is there. */
export async function archive(place: string | undefined, options: ArchiveOptions): Promise<void> {
  const only = { fromDay: readDay('--from', options.from), toDay: readDay('--to', options.to) }
  const storage = await storageFromEnvironment(place)
  const stop = watchStop((sentence) => process.stderr.write(`${sentence}\n`))
  try {
    if (options.verify) await verify(storage, only, options.json)
    else await write(storage, only, stop.stopping, options)
  } finally {
    stop.close()
    await storage.close()
  }
}

/** The archive that is named, or that of BOOKTAPE_ARCHIVE. @throws ConfigError, ArchiveError `BAD_PLACE` */
async function storageFromEnvironment(place: string | undefined): Promise<ArchiveStorage> {
  const { named, endpoint, region } = readSettings(process.env, (read) => ({
    named: place ?? read.text('BOOKTAPE_ARCHIVE', { default: '' }),
    // As every other program that speaks S3 is told.
    endpoint: read.text('AWS_ENDPOINT_URL_S3', { default: null }) ?? read.text('AWS_ENDPOINT_URL', { default: null }),
    region: read.text('AWS_REGION', { default: null }) ?? read.text('AWS_DEFAULT_REGION', { default: null }),
  }))
  if (named === '')
    throw new ConfigError(['No archive is named: give a folder or s3://bucket/prefix, or set BOOKTAPE_ARCHIVE to it.'])
  return await openStorage(named, { endpoint, region })
}

type Days = Readonly<{ fromDay: string | null; toDay: string | null }>

async function write(
  storage: ArchiveStorage,
  only: Days,
  stopping: AbortSignal,
  { again, json }: ArchiveOptions,
): Promise<void> {
  const url = databaseUrlFromEnvironment()
  const database = openDatabase(url, { applicationName: 'booktape archive', max: 2, answerTimeoutMs: null })
  const tape = openTape(url, 'booktape archive')
  const progress = new Progress({ output: process.stderr, monoNs: systemClock().monoNs, unit: 'changes' })
  try {
    const run = await archiveDays({
      database,
      tape,
      storage,
      software: `booktape ${VERSION}`,
      only,
      again,
      stopping,
      onUnit: ({ unit, done, total, changes }) => {
        if (unit !== null) progress.show(nameOf(unit), { done: BigInt(done), total: BigInt(total), count: changes })
      },
    })
    progress.end()
    process.stdout.write(json ? `${JSON.stringify(report(storage, run), null, 2)}\n` : overview(storage, run))
  } finally {
    progress.end()
    await tape.close()
    await database.close()
  }
}

function report({ name }: ArchiveStorage, { days, published, unchanged, isStopped }: ArchiveRun) {
  return {
    archive: name,
    days,
    stopped: isStopped,
    unchanged,
    published: published.map(({ unit, ...sizes }) => ({ ...unit, ...sizes })),
  }
}

function overview({ name }: ArchiveStorage, { days, published, unchanged, isStopped }: ArchiveRun): string {
  const bytes = published.reduce((sum, unit) => sum + unit.bytes, 0)
  const changes = published.reduce((sum, unit) => sum + unit.changes, 0)
  const changeBytes = published.reduce((sum, unit) => sum + unit.changeBytes, 0)
  const each = changes === 0 ? '' : `, ${(changeBytes / changes).toFixed(2)} bytes a change`
  const done = `${name}: ${published.length} parts published (${bytes} bytes, ${changes} changes${each}), ${unchanged} were there`
  const until = days.length === 0 ? 'no day is over yet' : `whole from ${days[0]} to ${days.at(-1)}`
  return `${done}; ${isStopped ? 'stopped as asked, run it again' : until}\n`
}

async function verify(storage: ArchiveStorage, { fromDay, toDay }: Days, json: boolean): Promise<void> {
  let whole = 0
  const damages: { part: string; message: string }[] = []
  const isAsked = ({ date }: Readonly<{ date: string }>): boolean =>
    (fromDay === null || date >= fromDay) && (toDay === null || date <= toDay)
  for await (const { damage } of verifyArchive(storage, isAsked)) {
    if (damage === null) whole++
    else damages.push({ part: damage.unit, message: damage.message })
  }
  if (json) process.stdout.write(`${JSON.stringify({ archive: storage.name, whole, damages }, null, 2)}\n`)
  else {
    for (const { message } of damages) process.stdout.write(`${message}\n`)
    process.stdout.write(`${storage.name}: ${whole} parts are as they were published, ${damages.length} are not\n`)
  }
  if (damages.length > 0) process.exitCode = EXIT_DAMAGED
}

/** @throws ConfigError */
function readDay(option: string, text: string | undefined): string | null {
  if (text === undefined) return null
  if (/^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(`${text}T00:00Z`))) return text
  throw new ConfigError([
    `${option} is ${JSON.stringify(text.slice(0, 40))}; archives hold whole days, such as 2026-03-01.`,
  ])
}
