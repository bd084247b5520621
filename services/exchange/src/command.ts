import { once } from 'node:events'
import { systemClock } from '@booktape/runtime'
import { startExchangeServer } from './server.ts'
import { presetOf, SYMBOL_PRESETS, type SymbolSpec } from './symbols.ts'

export type ExchangeCommandOptions = Readonly<{
  port: number // 0: a free one
  seed: number
  symbols: readonly string[] // in any case; empty: every preset
  rate: number
}>

/** `booktape exchange`: runs the simulated exchange until the signal. Throws an Error naming the symbols it does not have. */
export async function runExchange(options: ExchangeCommandOptions, signal: AbortSignal): Promise<void> {
  const symbols = options.symbols.length === 0 ? SYMBOL_PRESETS : readSymbols(options.symbols)
  const { port, seed, rate } = options
  const server = await startExchangeServer({ port, seed, rate, symbols, clock: systemClock() })
  process.stdout.write(
    `The simulated exchange trades ${symbols.length} symbols at ${server.url} ` +
      `(BOOKTAPE_GEMINI_V1_URL=${server.v1Url} BOOKTAPE_GEMINI_WS_URL=${server.wsUrl} BOOKTAPE_GEMINI_REST_URL=${server.restUrl}); ` +
      `for a fault try: curl -X POST ${server.controlUrl}/faults -d '{"fault":"drop","feed":"ws","kind":"depth"}'\n`,
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
