import {
  BackfillError,
  type BackfillEvent,
  backfill,
  type HoleLeft,
  REASONS_LEFT,
  type SymbolReport,
} from '@booktape/backfill'
import { readRestConfig } from '@booktape/recorder'
import { ConfigError, systemClock } from '@booktape/runtime'
import {
  claimVenue,
  type Database,
  openDatabase,
  orStoreError,
  pendingMigrations,
  StoreError,
  timestampText,
  type VenueName,
} from '@booktape/store'
import { Budget, createRestClient, REST_BURST, TokenBucket } from '@booktape/transport'
import { findDatabase, findRest } from './database-address.ts'
import { EXIT_FAILED } from './explain.ts'
import { Progress } from './progress.ts'
import { readSpan, requireSymbols } from './span.ts'
import { watchStop } from './stop.ts'
import { table } from './table.ts'

export type BackfillCommand = Readonly<{
  symbols?: string
  from?: string
  to?: string
  requestsPerMinute: number
  dryRun?: boolean
  json?: boolean
}>

/** Enough to see what is wrong; a program takes `--json` and is given all. */
const MAX_LINES_SHOWN = 20

/** `booktape backfill`: fetches from REST the trades that are not stored, and closes the gaps that it proves closed. */
export async function backfillTrades(given: readonly string[], options: BackfillCommand): Promise<void> {
  const clock = systemClock()
  const nowNs = clock.wallNs()
  const span = requireSymbols(readSpan(given, options, nowNs))
  const fromNs = span.fromNs === null || span.fromNs < 0n ? 0n : span.fromNs
  if (fromNs >= nowNs)
    throw new ConfigError([`--from ${options.from ?? ''} lies in the future: no trade was made then.`])
  const databaseUrl = await findDatabase()
  const { restUrl, venue } = readRestConfig(await findRest())
  const progress = new Progress({ output: process.stderr, monoNs: clock.monoNs, unit: 'trades' })
  const { dryRun = false, json = false } = options
  const told = new Told(json, progress)
  const stop = watchStop((sentence) => progress.say(sentence))
  const database = openDatabase(databaseUrl, { applicationName: 'booktape backfill', max: 1 })
  try {
    if (!dryRun) await claim(database, venue)
    const bucket = new TokenBucket({ perMinute: options.requestsPerMinute, burst: REST_BURST })
    const rest = createRestClient({
      baseUrl: restUrl,
      budget: new Budget({ bucket, clock }),
      clock,
      random: Math.random,
    })
    const { symbols, toNs: untilNs } = span
    const run = {
      database,
      rest,
      clock,
      random: Math.random,
      symbols,
      fromNs,
      untilNs,
      dryRun,
      stopping: stop.stopping,
    }
    for await (const event of backfill(run)) told.take(event, dryRun)
  } finally {
    progress.end()
    told.end()
    stop.close()
    await database.close()
  }
}

/** Real and simulated trades never share a database. */
async function claim(database: Database, venue: VenueName): Promise<void> {
  const pending = await orStoreError(() => pendingMigrations(database.pool))
  if (pending.length > 0)
    throw new StoreError('SCHEMA', `the database lacks ${pending.join(', ')}: run booktape migrate`)
  const claimed = await claimVenue(database, venue)
  if (typeof claimed !== 'object') return
  throw new BackfillError(
    'WRONG_DATABASE',
    `The database holds data of "${claimed.other}" and REST is that of "${venue}": set DATABASE_URL or BOOKTAPE_GEMINI_REST_URL.`,
  )
}

/** What is shown: a line of JSON for each symbol, or a table at the end and sentences below it. */
class Told {
  readonly #json: boolean
  readonly #progress: Progress
  readonly #reports: SymbolReport[] = []
  #conflicts = 0

  constructor(json: boolean, progress: Progress) {
    this.#json = json
    this.#progress = progress
  }

  take(event: BackfillEvent, dryRun: boolean): void {
    switch (event.kind) {
      case 'plan':
        if (dryRun) this.#write(this.#json ? planLine(event) : planText(event))
        return
      case 'progress':
        return this.#progress.show(event.symbol, { done: event.doneNs, total: event.totalNs, count: event.found })
      case 'waiting':
        return this.#progress.say(event.sentence)
      case 'conflict': {
        const { symbol, tradeId, stored, given } = event.conflict
        if (++this.#conflicts > MAX_LINES_SHOWN) return
        return this.#progress.say(
          `${symbol} trade ${tradeId} is stored as ${stored.takerSide} ${stored.quantity} at ${stored.price}, and REST has ` +
            `${given.takerSide} ${given.quantity} at ${given.price}: the stored one stays`,
        )
      }
      case 'report':
        if (this.#json) this.#write(reportLine(event.report))
        else this.#reports.push(event.report)
        if (event.report.problem !== null) process.exitCode = EXIT_FAILED
    }
  }

  end(): void {
    if (this.#reports.length === 0) return
    const head = ['symbol', 'found', 'already there', 'new', 'first', 'last', 'holes closed', 'holes left']
    process.stdout.write(table(head, this.#reports.map(cells)))
    const below = this.#reports.flatMap(({ symbol, left, problem }) => [
      ...left.map((hole) => holeText(symbol, hole)),
      ...(problem === null ? [] : [`not read to its end: ${problem}`]),
    ])
    const hidden = below.length - MAX_LINES_SHOWN
    process.stdout.write(
      below
        .slice(0, MAX_LINES_SHOWN)
        .map((line) => `${line}\n`)
        .join(''),
    )
    if (hidden > 0) process.stdout.write(`and ${hidden} more; --json gives all\n`)
  }

  #write(text: string): void {
    this.#progress.end()
    process.stdout.write(text)
  }
}

function cells({ symbol, found, added, firstNs, lastNs, filled, left }: SymbolReport): string[] {
  const count = (value: number): string => value.toLocaleString('en-US')
  const time = (ns: bigint | null): string => (ns === null ? '-' : timestampText(ns).replace(/\.\d+Z$/, 'Z'))
  return [
    symbol,
    count(found),
    count(found - added),
    count(added),
    time(firstNs),
    time(lastNs),
    count(filled),
    count(left.length),
  ]
}

function holeText(symbol: string, { cause, startedNs, endedNs, why }: HoleLeft): string {
  const end = endedNs === null ? '' : ` to ${timestampText(endedNs)}`
  return `${symbol}: the hole from ${timestampText(startedNs)}${end} (${cause}) is left: ${REASONS_LEFT[why]}`
}

function reportLine({ symbol, found, added, firstNs, lastNs, filled, left, ...rest }: SymbolReport): string {
  return line({
    symbol,
    found,
    already_there: found - added,
    new: added,
    broken: rest.broken,
    conflicts: rest.conflicts,
    pages: rest.pages,
    first: textOrNull(firstNs),
    last: textOrNull(lastNs),
    holes_closed: filled,
    holes_left: left.map(({ gapId, cause, startedNs, endedNs, why }) => {
      return { gap_id: gapId, cause, from: timestampText(startedNs), to: textOrNull(endedNs), why }
    }),
    problem: rest.problem,
  })
}

type Planned = Extract<BackfillEvent, { kind: 'plan' }>

function planText({ symbol, spans, holes }: Planned): string {
  const lines = [
    ...spans.map(({ fromNs, untilNs }) => `${fromText(fromNs)} to ${timestampText(untilNs)}, when nobody recorded`),
    ...holes.map(({ startedNs, endedNs, cause, state }) => {
      return `${timestampText(startedNs)} to ${textOrNull(endedNs) ?? 'now'}, a hole (${cause}, ${state})`
    }),
  ]
  return lines.length === 0 ? `${symbol}: nothing is missing\n` : lines.map((text) => `${symbol}: ${text}\n`).join('')
}

function planLine({ symbol, spans, holes }: Planned): string {
  return line({
    symbol,
    dry_run: true,
    spans: spans.map(({ fromNs, untilNs }) => ({
      from: fromNs === 0n ? null : timestampText(fromNs),
      to: timestampText(untilNs),
    })),
    holes: holes.map(({ gapId, cause, state, startedNs, endedNs }) => {
      return { gap_id: gapId, cause, state, from: timestampText(startedNs), to: textOrNull(endedNs) }
    }),
  })
}

const line = (value: unknown): string => `${JSON.stringify(value)}\n`
const textOrNull = (ns: bigint | null): string | null => (ns === null ? null : timestampText(ns))
const fromText = (ns: bigint): string => (ns === 0n ? 'the earliest trade there is' : timestampText(ns))
