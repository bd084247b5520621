import { mkdtemp, rm } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { systemClock } from '@booktape/runtime'
import { migrate } from '@booktape/store'
import { CrashingPostgres } from '../chaos/crashing-postgres.ts'
import { booksMissing } from '../chaos/recorder-pages.ts'
import { SpawnedRecorder } from '../chaos/spawned-recorder.ts'
import { mebibytes } from './drill.ts'
import { compareWithJournal } from './journal-ledger.ts'
import { PinnedExchange } from './pinned-exchange.ts'
import { childrenOf, memoryOf, pin, processorMsOf } from './processes.ts'

const LINE = 'a'
const SAMPLE_MS = 2_000
const SAMPLES_A_LINE = 10

/** What is seen of a recorder and its neighbours at one moment; counts since their start. */
export type Sample = Readonly<{
  atMs: number
  memory: number
  backlog: number
  position: number // entries in the journal: those written and those that wait
  written: number
  changes: number
  processorMs: Readonly<{ recorder: number; postgres: number; exchange: number }>
}>

/** An exchange on one processor, a recorder and its Postgres on another, watched from outside. */
export class OutageScene {
  readonly recorder: SpawnedRecorder
  readonly postgres: CrashingPostgres
  readonly exchange: PinnedExchange
  readonly #directory: string
  readonly #clock = systemClock()
  /** Of backends that have ended: their processor time is nobody's any more. */
  #postgresMs = new Map<number, number>()
  #written = 0

  private constructor(parts: Pick<OutageScene, 'recorder' | 'postgres' | 'exchange'>, directory: string) {
    this.recorder = parts.recorder
    this.postgres = parts.postgres
    this.exchange = parts.exchange
    this.#directory = directory
  }

  static async start(seed: number, rate: number): Promise<OutageScene> {
    const [theirs, ours] = cpus().length > 1 ? ['0', '1'] : ['0', '0']
    const exchange = await PinnedExchange.start({ seed, rate })
    pin(exchange.pid, theirs)
    const postgres = await CrashingPostgres.start()
    pin(postgres.pid, ours)
    await migrate(postgres.url)
    const directory = await mkdtemp(join(tmpdir(), 'booktape-drill-'))
    const recorder = new SpawnedRecorder(
      LINE,
      {
        PATH: process.env['PATH'],
        BOOKTAPE_SYMBOLS: '*',
        BOOKTAPE_LINE: LINE,
        BOOKTAPE_DATA_DIR: directory,
        BOOKTAPE_HTTP_PORT: '0',
        DATABASE_URL: postgres.url,
        ...exchange.environment,
      },
      postgres.password,
    )
    const scene = new OutageScene({ recorder, postgres, exchange }, directory)
    recorder.start()
    pin(recorder.pid, ours)
    while ((await booksMissing(recorder))?.length !== 0) await delay(LOOK_AGAIN_MS)
    return scene
  }

  async startPostgres(): Promise<void> {
    await this.postgres.restart()
    pin(this.postgres.pid, cpus().length > 1 ? '1' : '0')
  }

  /** Samples for so long, or until `isOver`. */
  async watch(
    forMs: number,
    say: (sentence: string) => void,
    isOver: (sample: Sample) => boolean = () => false,
  ): Promise<Sample[]> {
    const samples: Sample[] = []
    const endsMs = this.#nowMs() + forMs
    while (this.#nowMs() < endsMs) {
      await delay(Math.min(SAMPLE_MS, Math.max(0, endsMs - this.#nowMs())))
      const last = samples.at(-1)
      const sample = await this.sample()
      samples.push(sample)
      if (samples.length % SAMPLES_A_LINE === 0 && last !== undefined) {
        const from = samples.at(-SAMPLES_A_LINE) ?? last
        say(
          `  ${mebibytes(sample.memory)} resident, ${sample.backlog} entries wait, ${rateBetween(from, sample).changes} changes/s; ${shares(from, sample)}`,
        )
      }
      if (isOver(sample)) break
    }
    return samples
  }

  async sample(): Promise<Sample> {
    let page = await this.recorder.get('/metrics')
    while (page === null) page = await this.recorder.get('/metrics') // too busy to answer in time: asked again
    const changes = [...page.matchAll(/^booktape_book_changes_applied_total\{[^}]*\} (\d+)$/gm)]
    const [, backlogText] = /^booktape_backlog_messages (\d+)$/m.exec(page) ?? []
    const backlog = Number(backlogText ?? 0)
    const received = [...page.matchAll(/^booktape_messages_received_total\{[^}]*\} (\d+)$/gm)]
    const position = sum(received)
    this.#written = Math.max(this.#written, position - backlog)
    return {
      atMs: this.#nowMs(),
      memory: memoryOf(this.recorder.pid),
      backlog,
      position,
      written: this.#written,
      changes: sum(changes),
      processorMs: {
        recorder: processorMsOf(this.recorder.pid),
        postgres: this.#postgresMsNow(),
        exchange: processorMsOf(this.exchange.pid),
      },
    }
  }

  /** What is stored against the journal, against the exchange, and against the promise that an outage makes no gap. */
  async findLost(say: (sentence: string) => void): Promise<string[]> {
    const ledger = await compareWithJournal(this.postgres, LINE, join(this.#directory, 'journal'))
    const faults = [...ledger.faults]
    say(
      `${ledger.entries} journal entries: ${ledger.changes} changes and ${ledger.quotes} quotes are in the database, each once`,
    )
    const gaps = await this.postgres.query<{ gap: string }>(
      `select stream || ' of ' || symbol || ' ' || feed || ' from ' || started_at || ': ' || cause as gap from market.gaps where cause <> 'stopped'`,
    )
    for (const { gap } of gaps) faults.push(`a gap of ${gap}`)
    const epochs = await this.postgres.query<{ symbol: string; feed: string; id: string; last: string }>(
      `select symbol, feed, epoch_id::text as id, last_update_id::text as last from market.epochs`,
    )
    for (const { symbol, feed, id, last } of epochs) {
      const truth = await this.exchange.bookAfter(symbol, last)
      const expected = [...truth.bids.map(([p, q]) => `bid ${p} ${q}`), ...truth.asks.map(([p, q]) => `ask ${p} ${q}`)]
      const rows = await this.postgres.query<{ shown: string }>(
        `select side || ' ' || price || ' ' || quantity as shown
         from market.book_at_update($1, $2, $3) order by side = 'ask', level`,
        [symbol, id, last],
      )
      const isEqual = rows.length === expected.length && rows.every(({ shown }, i) => shown === expected[i])
      if (!isEqual) faults.push(`the last ${feed} book of ${symbol} is not the exchange's`)
    }
    say(`${epochs.length} last books held against the exchange's own, ${gaps.length} gaps but those of the stop`)
    return faults
  }

  async close(): Promise<void> {
    if (this.recorder.isRunning) await this.recorder.kill()
    await this.exchange.stop()
    await this.postgres.remove()
    await rm(this.#directory, { recursive: true, force: true })
  }

  #nowMs(): number {
    return Number(this.#clock.monoNs() / 1_000_000n)
  }

  #postgresMsNow(): number {
    const { pid } = this.postgres
    for (const process of [pid, ...childrenOf(pid)]) this.#postgresMs.set(process, processorMsOf(process))
    return [...this.#postgresMs.values()].reduce((total, ms) => total + ms, 0)
  }
}

const LOOK_AGAIN_MS = 100

function sum(matches: readonly RegExpExecArray[]): number {
  return matches.reduce((total, [, value]) => total + Number(value ?? 0), 0)
}

/** A second, whole numbers. */
export function rateBetween(from: Sample, to: Sample): { entries: number; changes: number } {
  const elapsedS = Math.max(0.001, (to.atMs - from.atMs) / 1_000)
  return {
    entries: Math.round((to.position - from.position) / elapsedS),
    changes: Math.round((to.changes - from.changes) / elapsedS),
  }
}

/** Of one processor each. */
export function shares(from: Sample, to: Sample): string {
  const elapsedMs = Math.max(1, to.atMs - from.atMs)
  const share = (name: keyof Sample['processorMs']): string =>
    `${name} ${Math.round((100 * (to.processorMs[name] - from.processorMs[name])) / elapsedMs)} %`
  return `processor: ${share('recorder')}, ${share('postgres')}, ${share('exchange')}`
}
