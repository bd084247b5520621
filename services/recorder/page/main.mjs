// The status page: asks the recorder once a second and shows what it says. Nothing here can change anything there.

import { byId, setText } from './dom.mjs'
import { Figures } from './figures.mjs'
import { instantText } from './format.mjs'
import { showIdentity, showVerdict, verdictOf } from './headline.mjs'
import { showAudits, showGaps } from './lists.mjs'
import { ask, keepLooking } from './poll.mjs'
import { SymbolPanel } from './symbol.mjs'
import { Symbols } from './symbols.mjs'
import { explainOnHoverAndFocus } from './tip.mjs'

/** @import { CoverageLook, Overview, SymbolLook } from '../src/status-wire.ts' */

/** @type {Overview | null} */
let overview = null
/** @type {CoverageLook | null} */
let coverage = null
let [symbol = '', feed = ''] = decodeURIComponent(location.hash.slice(1)).split('/')

const figures = new Figures()
const symbols = new Symbols((chosen) => choose(chosen, feed))
const panel = new SymbolPanel((chosen) => choose(symbol, chosen))

async function lookAround() {
  const next = /** @type {Overview} */ (await ask('overview'))
  // Another version of the recorder has another version of this page.
  if (overview !== null && overview.version !== next.version) return location.reload()
  const isAnotherRun = overview !== null && overview.startedMs !== next.startedMs
  overview = next
  if (isAnotherRun || (coverage?.reading ?? 0) !== next.coverageReading)
    coverage = /** @type {CoverageLook} */ (await ask('coverage'))
  show(next)
  await lookAtSymbol(next)
}

/** @param {Overview} look */
function show(look) {
  showIdentity(look)
  showVerdict(verdictOf(look))
  document.documentElement.classList.remove('stale')
  document.title = `${look.missingCount === 0 ? '' : '! '}booktape, line ${look.line}`
  figures.show(look, coverage)
  symbols.show(look, coverage)
  showGaps(look)
  showAudits(look)
}

/** @param {Overview} look */
async function lookAtSymbol({ symbols: lines }) {
  const line = lines.find((of) => of.symbol === symbol) ?? lines[0]
  if (line === undefined) return
  symbol = line.symbol
  if (!line.books.some((book) => book.feed === feed)) feed = line.books[0]?.feed ?? ''
  symbols.mark(symbol)
  const asked = { symbol, feed }
  const found = /** @type {SymbolLook | null} */ (await ask(new URLSearchParams(asked).toString()))
  if (found !== null && asked.symbol === symbol && asked.feed === feed) panel.show(found, line.books)
}

/** @param {string} chosenSymbol @param {string} chosenFeed */
function choose(chosenSymbol, chosenFeed) {
  symbol = chosenSymbol
  feed = chosenFeed
  history.replaceState(null, '', `#${encodeURIComponent(symbol)}/${encodeURIComponent(feed)}`)
  symbols.mark(symbol)
  looking.hurry()
}

/** What was seen last stays, and says how old it is. @param {unknown} error */
function onFailure(error) {
  document.documentElement.classList.add('stale')
  const when = overview === null ? '' : ` What follows is of ${instantText(overview.nowMs, overview.nowMs)} UTC.`
  const sentence = `The recorder does not answer this page; it is asked again.${when}`
  showVerdict({ state: 'unknown', sentence, details: [error instanceof Error ? error.message : String(error)] })
  setText(byId('clock'), '')
}

explainOnHoverAndFocus()
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  figures.redraw()
  panel.redraw()
})
const looking = keepLooking(lookAround, onFailure)
