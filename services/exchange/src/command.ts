import { once } from 'node:events'
import { systemClock } from '@booktape/runtime'
import { startExchangeServer } from './server.ts'
import { presetOf, SYMBOL_PRESETS, type SymbolSpec } from './symbols.ts'

export type ExchangeCommandOptions = Readonly<{
  port: number // 0: a free one
  seed: number
  symbols: readonly string[] // in any case; empty: every preset
  rate: number
  json: boolean // what it says, as one object
}>

/** `booktape exchange`: runs the simulated exchange until the signal. Throws an Error naming the symbols it does not have. */
export async function runExchange(options: ExchangeCommandOptions, signal: AbortSignal): Promise<void> {
  const symbols = options.symbols.length === 0 ? SYMBOL_PRESETS : readSymbols(options.symbols)
  const { port, seed, rate, json } = options
  const server = await startExchangeServer({ port, seed, rate, symbols, clock: systemClock() })
  const { url, v1Url, wsUrl, restUrl, controlUrl } = server
  const names = symbols.map(({ symbol }) => symbol)
  process.stdout.write(
    json
      ? `${JSON.stringify({ url, v1_url: v1Url, ws_url: wsUrl, rest_url: restUrl, control_url: controlUrl, symbols: names })}\n`
      : `The simulated exchange trades ${symbols.length} symbols at ${url} ` +
          `(BOOKTAPE_GEMINI_V1_URL=${v1Url} BOOKTAPE_GEMINI_WS_URL=${wsUrl} BOOKTAPE_GEMINI_REST_URL=${restUrl}); ` +
          `for a fault try: curl -X POST ${controlUrl}/faults -d '{"fault":"drop","feed":"ws","kind":"depth"}'\n`,
  )
  if (!signal.aborted) await once(signal, 'abort')
  await server.stop()
}

function readSymbols(names: readonly string[]): readonly SymbolSpec[] {
  const specs = [...new Set(names.map((name) => name.toLowerCase()))].map((name) => presetOf(name) ?? name)
  const unknown = specs.filter((spec) => typeof spec === 'string')
  if (unknown.length > 0) {
    const known = SYMBOL_PRESETS.map((spec) => spec.symbol).join(', ')
    throw new Error(`the simulated exchange has no ${unknown.join(', ')}; choose from ${known}`)
  }
  return specs.filter((spec) => typeof spec !== 'string')
}
