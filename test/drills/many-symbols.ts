import { SYMBOL_PRESETS, type SymbolSpec } from '@booktape/exchange'

/** The presets again and again under other names. */
export function manySymbols(count: number): readonly SymbolSpec[] {
  return Array.from({ length: count }, (_, at) => {
    const preset = SYMBOL_PRESETS[at % SYMBOL_PRESETS.length]
    if (preset === undefined) throw new RangeError('the exchange has symbols')
    const turn = Math.floor(at / SYMBOL_PRESETS.length)
    if (turn === 0) return preset
    const baseCurrency = `${preset.baseCurrency}${turn}`
    return { ...preset, baseCurrency, symbol: `${baseCurrency}${preset.quoteCurrency}`.toLowerCase() }
  })
}

/** What all of Gemini's engines did a second, by its ids (docs/gemini.md): changes of all symbols together. */
const GEMINI_CHANGES_PER_S = 2_200

/** How many times as busy as its presets an exchange of these symbols must be to change as much as Gemini does. */
export function rateOfGemini(symbols: readonly SymbolSpec[]): number {
  return GEMINI_CHANGES_PER_S / symbols.reduce((sum, { changesPerSecond }) => sum + changesPerSecond, 0)
}
