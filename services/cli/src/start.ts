import { join } from 'node:path'
import { type ExchangeServer, SYMBOL_PRESETS, startExchangeServer } from '@booktape/exchange'
import { type Corridor, readRecorderConfig, type Scribe } from '@booktape/recorder'
import { ConfigError, createLogger, type Environment, systemClock } from '@booktape/runtime'
import { leaveAddress, takeAddressesAway } from './database-address.ts'
import { unknownToSimulation } from './exchange.ts'
import { recordUntilStopped } from './record.ts'

/** Often enough to be seen moving, rarely enough to be read. Where there is no terminal, a line each ten of these. */
const STATUS_INTERVAL_MS = 1_000
const LINES_WITHOUT_TERMINAL = 10
/** Any number; the same each time, so that two people see the same market. */
const SEED = 42

/** `npm start`: everything a first look needs, in one process, from an empty directory. */
export async function start(options: { symbols: readonly string[]; live: boolean }): Promise<void> {
  const exchange = options.live ? null : await startExchange(options.symbols)
  try {
    const env = environment(options, exchange)
    const config = readRecorderConfig(env)
    const log = createLogger({ level: config.logLevel, name: 'recorder', style: 'line' })
    const terminal = new StatusLine()
    await recordUntilStopped(config, log, {
      say: (sentence) => terminal.say(sentence),
      onDatabase: async (url) => {
        await leaveAddress(config.dataDir, 'database', url)
        await leaveAddress(config.dataDir, 'rest', config.restUrl)
        terminal.say(`database      ${url}`)
        const [symbol = 'btcusd'] = config.symbols === 'all' ? [] : config.symbols
        terminal.say(`a query       npx booktape query "select * from market.book_at('${symbol}', now(), 5)"`)
      },
      onStarted: ({ httpUrl, symbols, corridor, scribe }) => {
        // Without it, "booktape status" asks at the usual port.
        leaveAddress(config.dataDir, 'recorder', httpUrl).catch(() => undefined)
        terminal.say(`status page   ${httpUrl}/`)
        const where = exchange === null ? 'the real exchange' : `the simulated exchange at ${exchange.url}`
        terminal.say(`recording     ${symbols.join(', ')} from ${where}; Ctrl-C stops`)
        terminal.keep(() => statusLine(corridor, scribe))
      },
      onStopped: async () => {
        terminal.end()
        await takeAddressesAway(config.dataDir)
        await exchange?.stop()
      },
    })
    process.stdout.write('stopped; npm start continues where this ended\n')
  } finally {
    await exchange?.stop()
  }
}

async function startExchange(symbols: readonly string[]): Promise<ExchangeServer> {
  const unknown = unknownToSimulation(symbols)
  if (unknown !== null) throw new ConfigError([`${unknown}, or add --live.`])
  return await startExchangeServer({ port: 0, seed: SEED, symbols: SYMBOL_PRESETS, clock: systemClock() })
}

/** The environment may say more; what is simulated and what is real has directories of its own. */
function environment(
  options: { symbols: readonly string[]; live: boolean },
  exchange: ExchangeServer | null,
): Environment {
  const { env } = process
  const given = (env['BOOKTAPE_DATA_DIR'] ?? '').trim()
  const root = given === '' ? '.booktape' : given // set to nothing counts as not set
  const bases =
    exchange === null
      ? {}
      : {
          BOOKTAPE_SANDBOX: 'false',
          BOOKTAPE_GEMINI_V1_URL: exchange.v1Url,
          BOOKTAPE_GEMINI_WS_URL: exchange.wsUrl,
          BOOKTAPE_GEMINI_REST_URL: exchange.restUrl,
        }
  return {
    BOOKTAPE_LOG_LEVEL: 'warn',
    BOOKTAPE_STATUS_PAGE: 'true',
    ...env,
    ...bases,
    BOOKTAPE_SYMBOLS: options.symbols.join(','),
    BOOKTAPE_DATA_DIR: join(root, exchange === null ? 'live' : 'simulated'),
  }
}

function statusLine(corridor: Corridor, scribe: Scribe): string {
  const tracks = [...corridor.state.tracks.values()]
  const live = tracks.filter((track) => track.epoch !== null).length
  const gaps = tracks.filter((track) => track.gaps.book !== null || track.gaps.trades !== null).length
  const stored = scribe.writtenPosition ?? 0
  return `${live} of ${tracks.length} books live, ${gaps} open gaps, ${stored} journal entries stored, ${scribe.backlog} waiting`
}

/** A line that is written over on a terminal, and now and then a new one where there is none. */
class StatusLine {
  readonly #isTerminal = process.stdout.isTTY
  #timer: NodeJS.Timeout | null = null

  say(sentence: string): void {
    process.stdout.write(`${this.#isTerminal ? '\r\u001b[K' : ''}${sentence}\n`)
  }

  keep(read: () => string): void {
    let count = 0
    this.#timer = setInterval(() => {
      if (this.#isTerminal) process.stdout.write(`\r\u001b[K${read()}`)
      else if (count++ % LINES_WITHOUT_TERMINAL === 0) process.stdout.write(`${read()}\n`)
    }, STATUS_INTERVAL_MS)
  }

  end(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
  }
}
