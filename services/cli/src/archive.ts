import { type ArchiveRun, type ArchiveStorage, archiveDays, nameOf } from '@booktape/archive'
import { openTape } from '@booktape/client'
import { ConfigError, systemClock } from '@booktape/runtime'
import { openDatabase } from '@booktape/store'
import { storageFromEnvironment } from './archive-place.ts'
import { databaseUrlFromEnvironment } from './migrate.ts'
import { Progress } from './progress.ts'
import { watchStop } from './stop.ts'
import { VERSION } from './version.ts'

export type ArchiveOptions = Readonly<{ from?: string; to?: string; again: boolean; json: boolean }>

/** `booktape archive`: writes the days that are over. */
export async function archive(place: string | undefined, options: ArchiveOptions): Promise<void> {
  const only = { fromDay: readDay('--from', options.from), toDay: readDay('--to', options.to) }
  const storage = await storageFromEnvironment(place)
  const stop = watchStop((sentence) => process.stderr.write(`${sentence}\n`))
  try {
    await write(storage, only, stop.stopping, options)
  } finally {
    stop.close()
    await storage.close()
  }
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

/** @throws ConfigError */
function readDay(option: string, text: string | undefined): string | null {
  if (text === undefined) return null
  if (/^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(`${text}T00:00Z`))) return text
  throw new ConfigError([
    `${option} is ${JSON.stringify(text.slice(0, 40))}; archives hold whole days, such as 2026-03-01.`,
  ])
}
