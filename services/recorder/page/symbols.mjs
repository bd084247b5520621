import { byId, make, setAttribute, setText } from './dom.mjs'
import { agoText, counted, countText, instantText, minuteText, shareText, spanText } from './format.mjs'
import { Lane } from './strip.mjs'

/** @import { BookLine, CoverageLook, Overview, SymbolLine } from '../src/status-wire.ts' */
/** @import { Window } from './strip.mjs' */

/** @typedef {Readonly<{
 *   element: HTMLTableRowElement, button: HTMLButtonElement, state: Element, sign: Element, words: Element,
 *   bid: Element, ask: Element, quiet: Element, share: Element, lanes: ReadonlyMap<string, Lane>
 * }>} Row */

const HOUR_MS = 3_600_000

/** The list of symbols: one row each, its arrow keys, what is sought and which one is chosen. */
export class Symbols {
  /** @type {Map<string, Row>} */
  #rows = new Map()
  /** @type {Set<string>} */
  #troubled = new Set()
  #body = byId('rows')
  #find = /** @type {HTMLInputElement} */ (byId('find'))
  #onlyTroubled = /** @type {HTMLInputElement} */ (byId('troubled'))
  #spans = [...byId('spans').querySelectorAll('input')]
  #isSpanChosen = false
  /** @type {Readonly<{ look: Overview, coverage: CoverageLook | null }> | null} */
  #last = null
  #onChoose

  /** @param {(symbol: string) => void} onChoose */
  constructor(onChoose) {
    this.#onChoose = onChoose
    this.#find.addEventListener('input', () => this.#filter())
    this.#onlyTroubled.addEventListener('change', () => this.#filter())
    byId('spans').addEventListener('change', () => {
      this.#isSpanChosen = true
      if (this.#last !== null) this.show(this.#last.look, this.#last.coverage)
    })
    this.#body.addEventListener('click', (event) => this.#onClick(event))
    this.#body.addEventListener('keydown', (event) => this.#onKey(event))
  }

  /** @param {Overview} look @param {CoverageLook | null} coverage */
  show(look, coverage) {
    const names = look.symbols.map(({ symbol }) => symbol)
    if (names.length !== this.#rows.size || names.some((name) => !this.#rows.has(name))) this.#remake(look.symbols)
    const read = coverage !== null && coverage.books.length > 0 ? coverage : null
    const window = read === null ? null : this.#windowOf(read)
    const covered = Map.groupBy(read?.books ?? [], (book) => book.symbol)
    this.#troubled.clear()
    for (const { symbol, books } of look.symbols) {
      const row = this.#rows.get(symbol)
      if (row === undefined) continue
      showBooks(row, books)
      const days = covered.get(symbol) ?? []
      const worst = days.toSorted((a, b) => b.gapMs - a.gapMs)[0]
      setText(row.share, worst === undefined ? '' : shareText(worst.liveMs, worst.gapMs))
      for (const book of books) {
        const day = days.find((of) => of.feed === book.feed)
        if (window !== null && day !== undefined) row.lanes.get(book.feed)?.show(window, day, book)
      }
      if (books.some((book) => book.liveSinceMs === null || book.open.length > 0) || days.some((day) => day.gapMs > 0))
        this.#troubled.add(symbol)
    }
    showDay(window, coverage, look.nowMs)
    this.#last = { look, coverage }
    this.#filter()
  }

  /** As chosen; until somebody chooses, the last hour where nothing is older. @param {CoverageLook} read @returns {Window} */
  #windowOf({ fromMs, toMs, books }) {
    if (!this.#isSpanChosen) {
      const isYoung = books.every(
        ({ marks: [first] }) => first?.state === 'off' && first.fromMs <= fromMs && first.toMs >= toMs - HOUR_MS,
      )
      for (const input of this.#spans) input.checked = input.value === (isYoung ? '1' : '24')
    }
    const hours = Number(this.#spans.find((input) => input.checked)?.value)
    return { fromMs: Math.max(fromMs, toMs - hours * HOUR_MS), toMs }
  }

  /** @param {string} symbol */
  mark(symbol) {
    for (const [name, row] of this.#rows) {
      setAttribute(row.element, 'aria-selected', String(name === symbol))
      if (name === symbol) this.#makeTabStop(row)
    }
  }

  /** @param {readonly SymbolLine[]} symbols */
  #remake(symbols) {
    const byName = symbols.toSorted((a, b) => (a.symbol < b.symbol ? -1 : 1))
    this.#rows = new Map(byName.map((line) => [line.symbol, newRow(line)]))
    this.#body.replaceChildren(...[...this.#rows.values()].map((row) => row.element))
    const [first] = this.#rows.values()
    if (first !== undefined) this.#makeTabStop(first)
  }

  #filter() {
    const sought = this.#find.value.trim().toLowerCase()
    let shown = 0
    for (const [symbol, row] of this.#rows) {
      const isShown = symbol.includes(sought) && (!this.#onlyTroubled.checked || this.#troubled.has(symbol))
      if (row.element.hidden === isShown) row.element.hidden = !isShown
      if (isShown) shown++
    }
    const all = this.#rows.size
    setText(byId('shown'), shown === all ? counted(all, 'symbol') : `${countText(shown)} of ${counted(all, 'symbol')}`)
  }

  /** @param {Event} event */
  #onClick({ target }) {
    const row = [...this.#rows].find(([, { element }]) => target instanceof Node && element.contains(target))
    if (row === undefined || !(target instanceof Element) || target.closest('.mark') !== null) return
    this.#onChoose(row[0])
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const { key, target } = event
    if (!(target instanceof HTMLElement)) return
    const row = [...this.#rows.values()].find(({ element }) => element.contains(target))
    if (row === undefined) return
    const shown = [...this.#rows.values()].filter(({ element }) => !element.hidden)
    const at = shown.indexOf(row)
    const stops = [row.button, ...row.element.querySelectorAll('.mark')]
    const along = stops.indexOf(target)
    /** @type {Readonly<Record<string, Element | undefined>>} */
    const places = {
      ArrowDown: shown[at + 1]?.button,
      ArrowUp: shown[at - 1]?.button,
      Home: shown[0]?.button,
      End: shown.at(-1)?.button,
      ArrowRight: stops[along + 1],
      ArrowLeft: stops[along - 1],
    }
    if (!Object.hasOwn(places, key)) return
    event.preventDefault()
    const place = places[key]
    if (!(place instanceof HTMLElement)) return
    const reached = shown.find(({ element }) => element.contains(place))
    if (reached !== undefined) this.#makeTabStop(reached)
    place.focus()
  }

  /** Tab comes to one symbol; from there arrow keys lead to the others. @param {Row} row */
  #makeTabStop(row) {
    for (const { button } of this.#rows.values()) {
      if ((button.tabIndex === 0) !== (button === row.button)) button.tabIndex = button === row.button ? 0 : -1
    }
  }
}

/** @param {SymbolLine} line @returns {Row} */
function newRow({ symbol, books }) {
  const button = /** @type {HTMLButtonElement} */ (
    make('button', { type: 'button', class: 'name', tabindex: '-1' }, symbol)
  )
  const [sign, words] = [make('span', { class: 'sign', 'aria-hidden': 'true' }), make('span')]
  const [bid, ask, quiet, share] = [1, 2, 3, 4].map(() => make('td', { class: 'number' }))
  const lanes = new Map(books.map(({ feed }) => [feed, new Lane(symbol, feed)]))
  const state = make('td', { class: 'state' }, sign, ' ', words)
  const day = make('td', { class: 'day' }, ...[...lanes.values()].map((lane) => lane.element))
  const cells = /** @type {[Element, Element, Element, Element]} */ ([bid, ask, quiet, share])
  const head = make('th', { scope: 'row', role: 'rowheader' }, button)
  const element = /** @type {HTMLTableRowElement} */ (
    make('tr', { 'aria-selected': 'false' }, head, state, ...cells, day)
  )
  return { element, button, state, sign, words, bid: cells[0], ask: cells[1], quiet: cells[2], share: cells[3], lanes }
}

/** @param {Row} row @param {readonly BookLine[]} books */
function showBooks(row, books) {
  const lost = books.filter((book) => book.liveSinceMs === null)
  const top = books.find((book) => book.liveSinceMs !== null)
  const hasTradesGap = books.some(
    (book) => book.liveSinceMs !== null && book.open.some((gap) => gap.stream === 'trades'),
  )
  const isWell = lost.length === 0 && !hasTradesGap
  setAttribute(row.state, 'class', `state ${isWell ? 'good' : lost.length === books.length ? 'bad' : 'warn'}`)
  setText(row.sign, isWell ? '●' : lost.length === books.length ? '✕' : '▲')
  setText(row.words, wordsOf(books.length, lost, hasTradesGap))
  setText(row.bid, top?.bid ?? '')
  setText(row.ask, top?.ask ?? '')
  const quietMs = Math.min(...books.map((book) => book.quietMs ?? Number.POSITIVE_INFINITY))
  setText(row.quiet, Number.isFinite(quietMs) ? agoText(quietMs) : '')
}

/** @param {number} all @param {readonly BookLine[]} lost @param {boolean} hasTradesGap */
function wordsOf(all, lost, hasTradesGap) {
  if (lost.length === all) return 'not live'
  if (lost.length > 0) return `${lost.map((book) => book.feed).join(', ')} not live`
  return hasTradesGap ? 'live, trades missing' : 'live'
}

/** What the strips show, and how old that is. @param {Window | null} window @param {CoverageLook | null} coverage @param {number} nowMs */
function showDay(window, coverage, nowMs) {
  setText(byId('day-from'), window === null ? '' : minuteText(window.fromMs))
  setText(byId('day-length'), window === null ? '' : spanText(window.toMs - window.fromMs).replace(' 0 min', ''))
  setText(byId('day-to'), window === null ? '' : minuteText(window.toMs))
  const note = byId('coverage-note')
  setText(note, noteOf(window, coverage, nowMs))
  note.hidden = note.textContent === ''
}

/** @param {Window | null} window @param {CoverageLook | null} coverage @param {number} nowMs */
function noteOf(window, coverage, nowMs) {
  const trouble = coverage?.trouble ?? null
  if (trouble !== null) {
    const asOf =
      window === null ? 'What was recorded cannot be shown' : `The strips end at ${instantText(window.toMs, nowMs)}`
    return `${asOf}: the database has not answered since ${instantText(trouble.sinceMs, nowMs)}. ${trouble.reason}`
  }
  return coverage?.isWhole === false ? 'There were more gaps than can be shown: the oldest are left out.' : ''
}
