import { make, setAttribute } from './dom.mjs'
import { counted, instantText, spanText } from './format.mjs'

/** @import { BookCoverage, BookLine, CoverageLook, CoverageMark } from '../src/status-wire.ts' */

/** What a strip shows of the time that was read. @typedef {Pick<CoverageLook, 'fromMs' | 'toMs'>} Window */

/**
 * One book's last day as a lane of a strip: what is not marked was known. Marks are buttons, so that what they say can be reached
 * without a mouse; tip.mjs shows it.
 */
export class Lane {
  element
  #name
  #shown = ''

  /** @param {string} symbol @param {string} feed */
  constructor(symbol, feed) {
    this.#name = `${symbol} ${feed}`
    this.element = make('div', { class: 'lane unread', role: 'group', 'aria-label': `${this.#name}: not read yet` })
  }

  /** @param {Window} window @param {BookCoverage} coverage @param {BookLine} book */
  show(window, coverage, book) {
    const marks = [...coverage.marks, ...openMarks(window, book)].filter((mark) => mark.toMs > window.fromMs)
    const shown = JSON.stringify([window, marks])
    if (shown === this.#shown) return
    this.#shown = shown
    const gaps = marks.reduce((sum, mark) => (mark.state === 'gap' ? sum + mark.count : sum), 0)
    setAttribute(this.element, 'class', 'lane')
    setAttribute(this.element, 'aria-label', `${this.#name}: ${gaps === 0 ? 'no gap' : counted(gaps, 'gap')}`)
    const focused = [...this.element.children].indexOf(/** @type {Element} */ (document.activeElement))
    this.element.replaceChildren(...marks.map((mark) => markElement(this.#name, mark, window)))
    if (focused === -1) return
    const again = this.element.children[Math.min(focused, marks.length - 1)]
    if (again instanceof HTMLElement) again.focus()
  }
}

/** A gap that opened after the day was read, or that the database could not be asked about. @param {Window} window @param {BookLine} book @returns {readonly CoverageMark[]} */
function openMarks({ toMs }, { open }) {
  return open
    .filter((gap) => gap.stream === 'book' && gap.sinceMs >= toMs)
    .map((gap) => ({
      state: 'gap',
      fromMs: gap.sinceMs,
      toMs: Number.POSITIVE_INFINITY,
      count: 1,
      lostMs: 0,
      reasons: [`this recorder: ${gap.meaning} (${gap.cause})`],
    }))
}

/** @param {string} name @param {CoverageMark} mark @param {Window} window */
function markElement(name, mark, window) {
  const length = window.toMs - window.fromMs
  const from = Math.min(1, Math.max(0, (mark.fromMs - window.fromMs) / length))
  const to = Math.min(1, (mark.toMs - window.fromMs) / length)
  const element = make('button', {
    type: 'button',
    class: `mark ${mark.state}`,
    tabindex: '-1',
    'aria-label': [`${name}: ${spanOf(mark, window)}`, ...mark.reasons].join('; '),
    'data-tip': [`${name}: ${spanOf(mark, window)}`, ...mark.reasons].join('\n'),
  })
  if (to >= 1) element.classList.add('last')
  else element.style.left = `${(from * 100).toFixed(3)}%`
  element.style.width = `${((to - from) * 100).toFixed(3)}%`
  return element
}

/** @param {CoverageMark} mark @param {Window} window */
function spanOf({ state, fromMs, toMs, count, lostMs }, window) {
  const from = fromMs <= window.fromMs ? 'the beginning' : instantText(fromMs, window.toMs)
  const isOpen = toMs >= window.toMs
  const to = isOpen ? 'now' : instantText(toMs, window.toMs)
  if (state === 'off') return `not recorded from ${from} to ${to}`
  if (count > 1) return `${counted(count, 'gap')} between ${from} and ${to}, ${spanText(lostMs)} in all`
  return isOpen ? `a gap since ${from}, still open` : `a gap from ${from} to ${to}, ${spanText(lostMs)}`
}
