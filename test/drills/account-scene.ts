import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type ExchangeServer, presetOf, startExchangeServer } from '@booktape/exchange'
import { type Environment, systemClock } from '@booktape/runtime'
import { migrate } from '@booktape/store'
import { type TemporaryDatabase, temporaryDatabase } from '@booktape/testkit'
import { Client } from 'pg'

/** Stands in the key and in the secret, where nothing may ever show it. */
export const CANARY = 'canary4b91f7'
const KEY = `account-${CANARY}`
const SECRET = `secret-${CANARY}`

const MAIN = fileURLToPath(new URL('../../services/cli/src/main.ts', import.meta.url))
const POLL_MS = 50
/** Far above what anything here takes on a busy machine. */
const PATIENCE_MS = 60_000

/** One command of ours as a process, with everything it said. */
class Command {
  output = ''
  isStopped = false // by us
  readonly #child: ChildProcess
  #exitCode: number | null = null

  constructor(name: string, env: Environment) {
    this.#child = spawn(process.execPath, [MAIN, name], { env: { ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => (this.output += text))
    this.#child.once('exit', (code) => (this.#exitCode = code ?? 1))
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  get exitCode(): number | null {
    return this.#exitCode
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    this.isStopped = true
    if (this.#exitCode !== null) return
    const ended = once(this.#child, 'exit')
    this.#child.kill(signal)
    await ended
  }
}

/** The simulated exchange, a database, a recorder of its market, and the account's service with a key whose letters are a canary. */
export class AccountScene {
  readonly exchange: ExchangeServer
  readonly client: Client
  readonly recorder: Command
  readonly #accounts: Command[] = [] // each start of the account's service, the last one running
  readonly #database: TemporaryDatabase
  readonly #directory: string
  readonly #env: Environment
  #shown = ''

  static async start(
    options: Readonly<{
      seed: number
      rate: number
      symbols: readonly string[]
      nonces: 'monotonic' | 'time'
      env: Environment
    }>,
  ): Promise<AccountScene> {
    const { seed, rate, nonces } = options
    const symbols = options.symbols.map((symbol) => presetOf(symbol)).filter((spec) => spec !== null)
    const keys = [{ key: KEY, secret: SECRET, roles: ['Trader'] as const, nonces }]
    const exchange = await startExchangeServer({ port: 0, seed, symbols, rate, keys, clock: systemClock() })
    const database = await temporaryDatabase()
    await migrate(database.url)
    const client = new Client({ connectionString: database.url })
    await client.connect()
    const env = { ...options.env, BOOKTAPE_GEMINI_NONCE: nonces }
    return new AccountScene(exchange, database, client, { ...options, env })
  }

  private constructor(
    exchange: ExchangeServer,
    database: TemporaryDatabase,
    client: Client,
    { symbols, env }: Readonly<{ symbols: readonly string[]; env: Environment }>,
  ) {
    this.exchange = exchange
    this.client = client
    this.#database = database
    this.#directory = mkdtempSync(join(tmpdir(), 'booktape-account-'))
    this.#env = {
      DATABASE_URL: database.url,
      BOOKTAPE_GEMINI_V1_URL: exchange.v1Url,
      BOOKTAPE_GEMINI_WS_URL: exchange.wsUrl,
      BOOKTAPE_GEMINI_REST_URL: exchange.restUrl,
      BOOKTAPE_HTTP_PORT: '0',
      BOOKTAPE_LOG_LEVEL: 'trace',
      ...env,
    }
    this.recorder = new Command('record', {
      ...this.#env,
      BOOKTAPE_SYMBOLS: symbols.join(','),
      BOOKTAPE_DATA_DIR: join(this.#directory, 'market'),
    })
  }

  get account(): Command {
    const account = this.#accounts.at(-1)
    if (account === undefined) throw new Error('the account’s service has not been started')
    return account
  }

  startAccount(): void {
    const account = new Command('account', {
      ...this.#env,
      BOOKTAPE_DATA_DIR: join(this.#directory, 'account'),
      BOOKTAPE_GEMINI_API_KEY: KEY,
      BOOKTAPE_GEMINI_API_SECRET: SECRET,
    })
    this.#accounts.push(account)
  }

  async rows<T extends object>(query: string): Promise<readonly T[]> {
    return (await this.client.query<T>(query)).rows
  }

  /** Waits for a query's only value to be true. */
  async until(what: string, condition: string): Promise<void> {
    const patience = AbortSignal.timeout(PATIENCE_MS)
    for (;;) {
      const [row] = await this.rows<{ holds: boolean }>(`select (${condition}) as holds`)
      if (row?.holds === true) return
      const ended = [this.recorder, ...this.#accounts].find(
        ({ exitCode, isStopped }) => exitCode !== null && !isStopped,
      )
      if (ended !== undefined) throw new Error(`a process ended before ${what}:\n${tail(ended.output)}`)
      if (patience.aborted)
        throw new Error(
          `${what} did not come:\n${tail(this.recorder.output)}\n${tail(this.#accounts.at(-1)?.output ?? '')}`,
        )
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
  }

  /** Keeps what the account's service shows of itself: its pages and its arguments. */
  async look(): Promise<string> {
    const [, url] = /"http":"(http:[^"]+)"/.exec(this.account.output) ?? []
    const pages = await Promise.all(
      ['/metrics', '/readyz', '/livez', '/'].map(async (path) => (await fetch(`${url}${path}`)).text()),
    )
    this.#shown += pages.join('\n') + readFileSync(`/proc/${this.account.pid}/cmdline`, 'latin1')
    return pages[0] ?? ''
  }

  /** Where the key or the secret shows: nowhere, if all is well. */
  async placesOfSecrets(): Promise<readonly string[]> {
    const commands = [this.recorder, ...this.#accounts]
    const places = commands.some(({ output }) => output.includes(CANARY)) ? ['a line of a log'] : []
    if (this.#shown.includes(CANARY)) places.push('a page or the arguments')
    for (const file of filesBelow(this.#directory))
      if (readFileSync(file, 'latin1').includes(CANARY) || file.includes(CANARY)) places.push(file)
    const tables = await this.rows<{ name: string }>(
      `select oid::regclass::text as name from pg_class
       where relnamespace in ('account'::regnamespace, 'booktape'::regnamespace) and relkind in ('r', 'p')`,
    )
    const hex = Buffer.from(CANARY).toString('hex') // as Postgres shows bytes
    for (const { name } of tables) {
      const [row] = await this.rows<{ found: boolean }>(
        `select exists (select from ${name} t where t::text like '%${CANARY}%' or t::text like '%${hex}%') as found`,
      )
      if (row?.found === true) places.push(`a row of ${name}`)
    }
    return places
  }

  async close(): Promise<void> {
    for (const account of this.#accounts) await account.stop()
    await this.recorder.stop()
    await this.client.end()
    await this.exchange.stop()
    await this.#database.close()
    rmSync(this.#directory, { recursive: true, force: true })
  }
}

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map((name) => join(directory, name))
    .filter((path) => statSync(path).isFile())
}

function tail(text: string): string {
  return text.split('\n').slice(-25).join('\n')
}
