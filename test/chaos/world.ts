import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type ExchangeServer, presetOf, type SymbolSpec, startExchangeServer } from '@booktape/exchange'
import { invariant } from '@booktape/market'
import { type Clock, systemClock } from '@booktape/runtime'
import { migrate } from '@booktape/store'
import { CrashingPostgres } from './crashing-postgres.ts'
import { booksMissing, isCaughtUp } from './recorder-pages.ts'
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
  readonly #directory: string

  private constructor(
    parts: Pick<World, 'exchange' | 'postgres' | 'venue' | 'database' | 'symbols'>,
    directory: string,
  ) {
    this.exchange = parts.exchange
    this.postgres = parts.postgres
    this.venue = parts.venue
    this.database = parts.database
    this.symbols = parts.symbols
    this.#directory = directory
  }

  static async start(options: { seed: number; symbols: readonly string[]; rate: number }): Promise<World> {
    const symbols = options.symbols.map((symbol): SymbolSpec => {
      const spec = presetOf(symbol)
      invariant(spec !== null, `the exchange has ${symbol}`)
      return spec
    })
    const { seed, rate } = options
    const exchange = await startExchangeServer({ port: 0, seed, symbols, rate, clock: systemClock() })
    const postgres = await CrashingPostgres.start()
    await migrate(postgres.url)
    const { hostname, port } = new URL(exchange.url)
    const venue = await ToxicProxy.listen(() => ({ host: hostname, port: Number(port) }))
    const database = await ToxicProxy.listen(() => postgres.address)
    const directory = await mkdtemp(join(tmpdir(), 'booktape-chaos-'))
    return new World({ exchange, postgres, venue, database, symbols: options.symbols }, directory)
  }

  /** The recorder of a line; made, not started, when it is new. `dataDir` where it must be a certain one. */
  recorder(line: string, dataDir = join(this.#directory, line)): SpawnedRecorder {
    const known = this.recorders.get(line)
    if (known !== undefined) return known
    const venue = `${this.venue.address.host}:${this.venue.address.port}`
    const databaseUrl = new URL(this.postgres.url)
    databaseUrl.host = `${this.database.address.host}:${this.database.address.port}`
    const made = new SpawnedRecorder(
      line,
      {
        PATH: process.env['PATH'],
        BOOKTAPE_SYMBOLS: this.symbols.join(','),
        BOOKTAPE_LINE: line,
        BOOKTAPE_DATA_DIR: dataDir,
        BOOKTAPE_HTTP_PORT: '0',
        BOOKTAPE_GEMINI_V1_URL: `ws://${venue}`,
        BOOKTAPE_GEMINI_WS_URL: `ws://${venue}`,
        BOOKTAPE_GEMINI_REST_URL: `http://${venue}`,
        BOOKTAPE_SNAPSHOT_INTERVAL: '10s',
        DATABASE_URL: databaseUrl.href,
      },
      this.postgres.password,
    )
    this.recorders.set(line, made)
    return made
  }

  get running(): readonly SpawnedRecorder[] {
    return [...this.recorders.values()].filter((recorder) => recorder.isRunning)
  }

  /** Counts a fault that was done. */
  count(times = 1): void {
    this.#isHurt = true
    this.faults.set(this.scenario, (this.faults.get(this.scenario) ?? 0) + times)
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
   * Waits until every running recorder has every book live and the database caught up. Gives how long that took: for the
   * books of the new API alone, whose dials no rule holds back, and for everything.
   */
  async recovered(sinceNs: bigint = this.clock.monoNs()): Promise<Recovery> {
    let wsMs: number | null = null
    for (;;) {
      const recorders = this.running
      const missing = await Promise.all(recorders.map(booksMissing))
      const elapsedMs = Number((this.clock.monoNs() - sinceNs) / 1_000_000n)
      if (missing.every((books) => books?.every((book) => book.feed === 'v1') === true)) wsMs ??= elapsedMs
      if (
        recorders.length > 0 &&
        missing.every((books) => books?.length === 0) &&
        (await Promise.all(recorders.map(isCaughtUp))).every(Boolean)
      ) {
        this.firstLiveNs ??= this.clock.wallNs()
        const allMs = Number((this.clock.monoNs() - sinceNs) / 1_000_000n)
        const recovery = { scenario: this.scenario, wsMs: wsMs ?? allMs, allMs }
        if (this.#isHurt) this.recoveries.push(recovery) // waiting where nothing was wrong is no recovery
        this.#isHurt = false
        return recovery
      }
      if (recorders.length === 0 || elapsedMs > RECOVERY_PATIENCE_MS) {
        const pages = await Promise.all(recorders.map((recorder) => recorder.get('/readyz')))
        const stories = [...this.recorders.values()].map(({ line, log }) => `line ${line}:\n${log.story()}`)
        throw new NoRecoveryError(
          `${elapsedMs} ms after the last fault not everything is live: ${pages.join(' / ') || 'no recorder runs'}\n${stories.join('\n')}`,
        )
      }
      await delay(LOOK_AGAIN_MS)
    }
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
    await rm(this.#directory, { recursive: true, force: true })
  }
}

export type Recovery = Readonly<{ scenario: string; wsMs: number; allMs: number }>

/** Far above every promise, v1's minute between two dials of a symbol and the longest backoff included: a hang. */
export const RECOVERY_PATIENCE_MS = 240_000
const LOOK_AGAIN_MS = 50

/** The recorders did not come back: nothing that follows would mean anything. */
export class NoRecoveryError extends Error {
  override name = 'NoRecoveryError'
}
