import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type ArchiveRun, archiveDays, openArchive, openStorage, verifyArchive } from '@booktape/archive'
import { applyChange, bookDigest, bookFromLevels, emptyBook } from '@booktape/book'
import { openTape, type Tape } from '@booktape/client'
import type { Feed } from '@booktape/market'
import { systemClock } from '@booktape/runtime'
import { openDatabase } from '@booktape/store'
import { HOUR_NS, type RecordedHour, recordHour, type Truth } from './archived-hour.ts'
import { type Drill, mebibytes, seconds } from './drill.ts'

/**
 * An hour of many symbols over both feeds, with resyncs of all of them, is archived: killed in the middle, run to the end, run again.
 * The books that the archive gives are the ones that the exchange had.
 */
export const archive: Drill = {
  about: 'an hour is archived, killed in the middle and run again; its books are held against the exchange’s own',
  usual: { minutes: 60, symbols: 10, resyncs: 3, instants: 1_000, seed: 42, 'goal-bytes': 8 },
  async run(numbers, say) {
    const violations: string[] = []
    const folder = await mkdtemp(join(tmpdir(), 'booktape-archive-'))
    const hour = await recordHour(
      {
        minutes: numbers('minutes'),
        symbols: numbers('symbols'),
        resyncs: numbers('resyncs'),
        instants: numbers('instants'),
        seed: numbers('seed'),
      },
      say,
    )
    const database = openDatabase(hour.url, { applicationName: 'booktape drill', max: 2, answerTimeoutMs: null })
    const tape = openTape(hour.url)
    const run = async (place: string): Promise<ArchiveRun> => {
      const options = { database, tape, storage: await openStorage(place), software: 'booktape drill' }
      const only = { fromDay: null, toDay: null }
      return await archiveDays({ ...options, only, stopping: new AbortController().signal })
    }
    try {
      const whole = join(folder, 'whole')
      const begun = systemClock().monoNs()
      const first = await run(whole)
      const tookMs = Number((systemClock().monoNs() - begun) / 1_000_000n)
      const { changes, perChange } = describe(first, tookMs, say)
      if (changes === 0) violations.push('no change was archived')
      const goal = numbers('goal-bytes')
      if (goal > 0 && perChange > goal)
        violations.push(`${perChange.toFixed(2)} bytes a change, above the goal of ${goal}`)

      const second = await run(whole)
      say(`a second run: ${second.published.length} parts published, ${second.unchanged} were there`)
      if (second.published.length > 0) violations.push('a second run published something')

      violations.push(...(await killed(hour, join(folder, 'killed'), first, run, say)))
      violations.push(...(await compareBooks(openArchive(await openStorage(whole)), hour, say)))
      return violations
    } finally {
      await tape.close()
      await database.close()
      await hour.close()
      await rm(folder, { recursive: true })
    }
  },
}

function describe(
  { published }: ArchiveRun,
  tookMs: number,
  say: (sentence: string) => void,
): { changes: number; perChange: number } {
  const sum = (of: (unit: ArchiveRun['published'][number]) => number, feed?: Feed): number =>
    published.reduce((all, one) => {
      const isOf = feed === undefined || (one.unit.kind === 'books' && one.unit.feed === feed)
      return isOf ? all + of(one) : all
    }, 0)
  for (const feed of ['v1', 'ws'] as const) {
    const changes = sum((one) => one.changes, feed)
    const bytes = sum((one) => one.changeBytes, feed)
    say(`${feed}: ${changes} changes, ${(bytes / Math.max(1, changes)).toFixed(2)} bytes a change in book_changes`)
  }
  const changes = sum((one) => one.changes)
  const bytes = sum((one) => one.bytes)
  const perChange = sum((one) => one.changeBytes) / Math.max(1, changes)
  say(
    `${published.length} parts of ${mebibytes(bytes)} in ${seconds(tookMs)}: ${changes} changes, ${perChange.toFixed(2)} bytes each; ` +
      `with quotes, trades, whole books and all else ${(bytes / Math.max(1, changes)).toFixed(2)}`,
  )
  return { changes, perChange }
}

/** Killed after half of what it publishes, then run to its end. */
async function killed(
  hour: RecordedHour,
  place: string,
  whole: ArchiveRun,
  run: (place: string) => Promise<ArchiveRun>,
  say: (sentence: string) => void,
): Promise<string[]> {
  const violations: string[] = []
  // Two calls that remove the old manifests, of the day and the part, one for each file and one for the manifest, of half of all parts,
  // and then one file more.
  const half = whole.published.slice(0, Math.floor(whole.published.length / 2))
  const calls = half.reduce((sum, { unit }) => sum + (unit.kind === 'trades' ? 4 : 6), 0) + 3
  const victim = fileURLToPath(new URL('../archive-victim.ts', import.meta.url))
  const child = spawn(process.execPath, [victim, hour.url, place, String(calls)], { stdio: 'inherit' })
  const [, signal] = (await once(child, 'exit')) as [number | null, string | null]
  if (signal !== 'SIGKILL') violations.push(`the archiver was to be killed, and ended with ${signal ?? 'an exit code'}`)
  const storage = await openStorage(place)
  let stands = 0
  for await (const event of verifyArchive({ storage, noted: null })) {
    if (event.kind === 'report') stands = event.report.parts
    // Parts stand by themselves until the day's manifest names them.
    if (event.kind === 'finding' && !event.finding.sentence.includes('was stopped'))
      violations.push(event.finding.sentence)
  }
  const files = (await readdir(place, { recursive: true })).filter((name) => name.endsWith('.parquet')).length
  if (stands >= whole.published.length) violations.push('the kill came too late')
  const again = await run(place)
  say(
    `killed in the middle: ${stands} parts published and whole, ${files} files; then ${again.published.length} more, ${again.unchanged} were there`,
  )
  if (again.published.length + again.unchanged !== whole.published.length)
    violations.push('after the kill the archive is not whole')
  return violations
}

async function compareBooks(archived: Tape, hour: RecordedHour, say: (sentence: string) => void): Promise<string[]> {
  const violations: string[] = []
  const begun = systemClock().monoNs()
  let equal = 0
  let applied = 0
  for (const symbol of hour.symbols) {
    for (const feed of ['v1', 'ws'] as const) {
      const truths = hour.truths.filter((truth) => truth.symbol === symbol && truth.feed === feed)
      let book = emptyBook()
      let next = 0
      const check = ({ atNs, digest }: Truth): void => {
        if (bookDigest(book) === digest) equal++
        else violations.push(`${symbol} ${feed} at ${atNs}: another book than the exchange's`)
      }
      const asked = { symbols: [symbol], feed, from: hour.fromNs, to: hour.fromNs + HOUR_NS, only: 'books' } as const
      for await (const page of archived.pages(asked)) {
        for (const event of page) {
          const instantNs = event.kind === 'gap' ? event.fromNs : event.kind === 'trade' ? 0n : event.receivedTimeNs
          for (let truth = truths[next]; truth !== undefined && truth.atNs < instantNs; truth = truths[++next])
            check(truth)
          if (event.kind === 'book') {
            const level = (side: 'bid' | 'ask') => (of: (typeof event.bids)[number]) => ({ side, ...of, reason: null })
            book = bookFromLevels([...event.bids.map(level('bid')), ...event.asks.map(level('ask'))])
          } else if (event.kind === 'book_message') {
            applied += event.changes.length
            for (const { side, price, quantity } of event.changes) applyChange(book, side, price, quantity)
          }
        }
      }
      for (; truths[next] !== undefined; next++) check(truths[next] as Truth)
    }
  }
  const tookMs = Number((systemClock().monoNs() - begun) / 1_000_000n)
  say(
    `${equal} of ${hour.truths.length} books equal the exchange's own; ${applied} changes read and applied in ${seconds(tookMs)}`,
  )
  if (hour.truths.length === 0) violations.push('no book was compared')
  return violations
}
