import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { type ExchangeServer, presetOf, type SymbolSpec, startExchangeServer } from '@booktape/exchange'
import { invariant } from '@booktape/market'
import { type Environment, systemClock } from '@booktape/runtime'
import { migrate } from '@booktape/store'
import { temporaryDatabase } from '@booktape/testkit'
import { Client } from 'pg'

// What a spawned recorder needs around it, taken away again after the test.

export const SYMBOLS = ['btcusd', 'ethgusdperp'] // one with many trades, one with a small book
/** Busier than the venue, so that seconds hold what would be minutes. */
const RATE = 20

export async function startExchange(t: TestContext): Promise<ExchangeServer> {
  const symbols = SYMBOLS.map((symbol): SymbolSpec => {
    const spec = presetOf(symbol)
    invariant(spec !== null, `the exchange has ${symbol}`)
    return spec
  })
  const server = await startExchangeServer({ port: 0, seed: 11, symbols, rate: RATE, clock: systemClock() })
  t.after(() => server.stop())
  return server
}

export async function startDatabase(t: TestContext, { isMigrated = true } = {}): Promise<{ url: URL; client: Client }> {
  const database = await temporaryDatabase()
  if (isMigrated) await migrate(database.url)
  const client = new Client({ connectionString: database.url })
  await client.connect()
  t.after(async () => {
    await client.end()
    await database.close()
  })
  return { url: new URL(database.url), client }
}

export function environment(
  t: TestContext,
  exchange: Pick<ExchangeServer, 'v1Url' | 'wsUrl' | 'restUrl'>,
): Environment {
  const directory = mkdtempSync(join(tmpdir(), 'booktape-test-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  return {
    BOOKTAPE_SYMBOLS: SYMBOLS.join(','),
    BOOKTAPE_DATA_DIR: directory,
    BOOKTAPE_GEMINI_V1_URL: exchange.v1Url,
    BOOKTAPE_GEMINI_WS_URL: exchange.wsUrl,
    BOOKTAPE_GEMINI_REST_URL: exchange.restUrl,
  }
}
