/**
 * The one spelling by which a symbol is known: lowercase. `null` for whatever cannot be a symbol of the venue
 * (docs/gemini.md, claim 18), so nothing else ever reaches a query, a label, a path or a URL.
 *
 *   "BTCUSD"              btcusd
 *   "GEMI-PRES2028-VANCE" gemi-pres2028-vance
 *   "btc/usd", "x'; --"   null
 */
export function canonicalSymbol(text: string): string | null {
  if (text.length > MAX_SYMBOL_LENGTH || !SYMBOL.test(text)) return null
  return text.toLowerCase()
}

/** Prediction markets have the longest names; 27 characters is the longest seen. */
const MAX_SYMBOL_LENGTH = 64

// Either spot and perpetuals, or prediction markets. No `i` flag: it would let other letters fold into these.
const SYMBOL = /^(?:[a-zA-Z0-9]{2,32}|[gG][eE][mM][iI]-[a-zA-Z0-9-]+)$/
