import { presetOf, runExchange, SYMBOL_PRESETS } from '@booktape/exchange'
import { ConfigError } from '@booktape/runtime'
import { watchStop } from './stop.ts'

export type ExchangeOptions = Readonly<{ port: number; seed: number; rate: number; symbols: string; json?: boolean }>

/** `booktape exchange`: the simulated Gemini, until a signal. */
export async function exchange(options: ExchangeOptions): Promise<void> {
  const symbols = options.symbols === '' ? [] : options.symbols.split(',')
  const unknown = unknownToSimulation(symbols)
  if (unknown !== null) throw new ConfigError([`${unknown} with --symbols.`])
  const stop = watchStop((sentence) => process.stderr.write(`${sentence}\n`))
  try {
    await runExchange({ ...options, symbols, json: options.json === true }, stop.stopping)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : null
    if (code !== 'EADDRINUSE' && code !== 'EACCES') throw error
    const trouble = code === 'EACCES' ? 'may not be used by this user' : 'is already taken by another program'
    throw new ConfigError([`Port ${options.port} ${trouble}: choose another with --port.`])
  } finally {
    stop.close()
  }
}

/** The beginning of a sentence about symbols that the simulated exchange does not have; null when it has them all. */
export function unknownToSimulation(symbols: readonly string[]): string | null {
  const unknown = symbols.filter((symbol) => presetOf(symbol) === null)
  if (unknown.length === 0) return null
  const known = SYMBOL_PRESETS.map((spec) => spec.symbol).join(', ')
  return `The simulated exchange has no ${unknown.map((name) => JSON.stringify(name)).join(', ')}; choose from ${known}`
}
