import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type ExchangeServer, presetOf, type SymbolSpec, startExchangeServer } from '@booktape/exchange'
import { invariant } from '@booktape/market'
import { type Clock, type Environment, systemClock } from '@booktape/runtime'
import { migrate } from '@booktape/store'
import { CrashingPostgres } from './crashing-postgres.ts'
import { PostgresDisks } from './postgres-disks.ts'
import { booksMissing, isCaughtUp, type Missing } from './recorder-pages.ts'
import { SpawnedRecorder } from './spawned-recorder.ts'
import { ToxicProxy } from './toxic-proxy.ts'

/**
 * Everything a chaos run has: the simulated exchange in this process, a real Postgres, and recorders as real processes, with
 * a proxy before the exchange and one before the database. What recorders did is judged in the end by `oracle.ts`.
 *
 *   recorder a, b, … ──► venue proxy    ──► exchange (in this process: its truth is at hand)
 *          │
 *          └───────────► database proxy ──► Postgres
 */
export class World {
  readonly exchange: ExchangeServer
  readonly postgres: CrashingPostgres
  readonly venue: ToxicProxy
  readonly database: ToxicProxy
  readonly symbols: readonly string[]
  readonly clock: Clock = systemClock()
  readonly recorders = new Map<string, SpawnedRecorder>()
  /** Recorders whose line will not be started again. */
  readonly retired: SpawnedRecorder[] = []
  /** What must not be, each with its story. */
  readonly violations: string[] = []
  /** How often each fault was done. */
  readonly faults = new Map<string, number>()
  readonly recoveries: Recovery[] = []
  /** What a scenario made and must be taken away even when the run ends in the middle of it. */
  readonly leftovers = new Set<() => void>()
  #isHurt = false
  /** What is being done now: it names what is counted and found meanwhile. */
  scenario = 'start'
  /** Before this instant (wall clock) no book was live, and nothing can be asked of the recorders. */
  firstLiveNs: bigint | null = null
  /** Where recorders have their directories; taken away at the end. */
  readonly directory: string
  readonly #env: Environment

  private constructor(
    parts: Pick<World, 'exchange' | 'postgres' | 'venue' | 'database' | 'symbols'>,
    directory: string,
    env: Environment,
  ) {
    this.exchange = parts.exchange
    this.postgres = parts.postgres
    this.venue = parts.venue
    this.database = parts.database
    this.symbols = parts.symbols
    this.directory = directory
    this.#env = env
  }

  /** `env`: what recorders are told beside what the world tells them. `hasOwnDisks`: Postgres has disks that can be filled. */
  static async start(options: {
    seed: number
    symbols: readonly string[]
    rate: number
    env?: Environment
    hasOwnDisks?: boolean
  }): Promise<World> {
    const symbols = options.symbols.map((symbol): SymbolSpec => {
      const spec = presetOf(symbol)
      invariant(spec !== null, `the exchange has ${symbol}`)
      return spec
    })
    const { seed, rate } = options
    const exchange = await startExchangeServer({ port: 0, seed, symbols, rate, clock: systemClock() })
    const postgres = await CrashingPostgres.start(options.hasOwnDisks === true ? PostgresDisks.mount() : null)
    await migrate(postgres.url)
    const { hostname, port } = new URL(exchange.url)
    const venue = await ToxicProxy.listen(() => ({ host: hostname, port: Number(port) }))
    const database = await ToxicProxy.listen(() => postgres.address)
    const directory = await mkdtemp(join(tmpdir(), 'booktape-chaos-'))
    return new World({ exchange, postgres, venue, database, symbols: options.symbols }, directory, options.env ?? {})
  }

  /** Where the recorder of a line keeps its journal, unless it was given another directory. */
  journalOf(line: string): string {
    return join(this.directory, line, 'journal')
  }

  /** What recorders know the database by: through its proxy. */
  get databaseUrl(): string {
    const url = new URL(this.postgres.url)
    url.host = `${this.database.address.host}:${this.database.address.port}`
    return url.href
  }

  /**
   * The recorder of a name, which is its line's unless `env` names one; made, not started, when it is new. `env`: what this
   * one is told beside what all are.
   */
  recorder(name: string, env: Environment = {}): SpawnedRecorder {
    const known = this.recorders.get(name)
    if (known !== undefined) return known
    const line = env['BOOKTAPE_LINE'] ?? name
    const venue = `${this.venue.address.host}:${this.venue.address.port}`
    const made = new SpawnedRecorder(
      line,
      {
        PATH: process.env['PATH'],
        BOOKTAPE_SYMBOLS: this.symbols.join(','),
        BOOKTAPE_LINE: line,
        BOOKTAPE_DATA_DIR: join(this.directory, name),
        BOOKTAPE_HTTP_PORT: '0',
        BOOKTAPE_GEMINI_V1_URL: `ws://${venue}`,
        BOOKTAPE_GEMINI_WS_URL: `ws://${venue}`,
        BOOKTAPE_GEMINI_REST_URL: `http://${venue}`,
        BOOKTAPE_SNAPSHOT_INTERVAL: '10s',
        DATABASE_URL: this.databaseUrl,
        ...this.#env,
        ...env,
      },
      this.postgres.password,
    )
    this.recorders.set(name, made)
    return made
  }

  get running(): readonly SpawnedRecorder[] {
    return [...this.recorders.values()].filter((recorder) => recorder.isRunning)
  }

  /** Counts a fault that was done; `kind` where a scenario does more than one. */
  count(times = 1, kind = this.scenario): void {
    this.#isHurt ||= times > 0
    this.faults.set(kind, (this.faults.get(kind) ?? 0) + times)
  }

  violated(what: string): void {
    this.violations.push(`${this.scenario}: ${what}`)
  }

  /** Takes every fault back. */
  heal(): void {
    this.venue.heal()
    this.database.heal()
    this.exchange.exchange.faults.clear()
    for (const symbol of this.symbols) this.exchange.exchange.faults.inject({ fault: 'resume_publishing', symbol })
  }

  /**
   * Waits until every running recorder has its books live and the database caught up, and says how long each took. The books of
   * the old feed only where `isV1Awaited`: a rule of the venue holds back the dials to it, most of a minute after some faults.
   */
  async recovered(sinceNs: bigint = this.clock.monoNs(), isV1Awaited = true): Promise<Recovery> {
    let wsMs: number | null = null
    let storedMs: number | null = null
    let v1Ms: number | null = null
    for (;;) {
      const recorders = this.running
      const pages = await Promise.all(recorders.map(booksMissing))
      const isCaught = (await Promise.all(recorders.map(isCaughtUp))).every(Boolean)
      const elapsedMs = Number((this.clock.monoNs() - sinceNs) / 1_000_000n)
      const nothing = (isMissing: (missing: Missing) => boolean): boolean =>
        recorders.length > 0 && pages.every((page) => page?.some(isMissing) === false)
      if (nothing(({ feed, isLive }) => feed !== 'v1' && !isLive)) wsMs ??= elapsedMs
      if (nothing(({ feed, isLive }) => feed !== 'ws' && !isLive)) v1Ms ??= elapsedMs
      if (wsMs !== null && isCaught && nothing(({ feed }) => feed !== 'v1')) storedMs ??= elapsedMs
      if (wsMs !== null && storedMs !== null && (!isV1Awaited || nothing(() => true))) {
        if (isV1Awaited) this.firstLiveNs ??= this.clock.wallNs()
        const recovery = { scenario: this.scenario, wsMs, storedMs, v1Ms: isV1Awaited ? v1Ms : null, allMs: elapsedMs }
        if (this.#isHurt) this.recoveries.push(recovery) // waiting where nothing was wrong is no recovery
        this.#isHurt = false
        return recovery
      }
      if (recorders.length === 0 || elapsedMs > RECOVERY_PATIENCE_MS) throw await this.#noRecovery(elapsedMs)
      await delay(LOOK_AGAIN_MS)
    }
  }

  async #noRecovery(elapsedMs: number): Promise<NoRecoveryError> {
    const pages = await Promise.all(this.running.map((recorder) => recorder.get('/readyz')))
    const stories = [...this.recorders.values()].map(({ line, log }) => `line ${line}:\n${log.story()}`)
    return new NoRecoveryError(
      `${elapsedMs} ms after the last fault not everything is live: ${pages.join(' / ') || 'no recorder runs'}\n${stories.join('\n')}`,
    )
  }

  async close(): Promise<void> {
    this.heal()
    for (const recorder of this.running) {
      recorder.thaw()
      await recorder.kill()
    }
    for (const remove of this.leftovers) remove()
    await this.venue.close()
    await this.database.close()
    await this.exchange.stop()
    await this.postgres.remove()
    await rm(this.directory, { recursive: true, force: true })
  }
}

/** Milliseconds after the last fault: the new API's books live, their rows stored and the backlog gone, and v1's books live. */
export type Recovery = Readonly<{
  scenario: string
  wsMs: number
  storedMs: number
  v1Ms: number | null // not waited for
  allMs: number
}>

/** Far above every promise, v1's minute between two dials of a symbol and the longest backoff included: a hang. */
export const RECOVERY_PATIENCE_MS = 240_000
const LOOK_AGAIN_MS = 50

/** The recorders did not come back: nothing that follows would mean anything. */
export class NoRecoveryError extends Error {
  override name = 'NoRecoveryError'
}
