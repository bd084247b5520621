import { byId, make, setText } from './dom.mjs'
import { countText, spanText } from './format.mjs'
import { figuresOf } from './headline.mjs'
import { PaceChart } from './pace-chart.mjs'

/** @import { CoverageLook, Overview } from '../src/status-wire.ts' */

/** The row of figures, two of them with their last ten minutes as a chart. */
export class Figures {
  /** @type {Map<string, Readonly<{ value: Element, note: Element }>>} */
  #elements = new Map()
  #charts = {
    lag: new PaceChart('Commit lag of the last ten minutes', spanText),
    backlog: new PaceChart('Backlog of the last ten minutes', countText),
  }

  /** @param {Overview} look @param {CoverageLook | null} coverage */
  show(look, coverage) {
    for (const [name, value, note] of figuresOf(look, coverage)) {
      const elements = this.#elements.get(name) ?? this.#add(name)
      setText(elements.value, value)
      setText(elements.note, note)
    }
    const { pace } = look
    this.#charts.lag.show(pace.lagMs, pace.everyMs)
    this.#charts.backlog.show(pace.backlog, pace.everyMs)
  }

  redraw() {
    this.#charts.lag.redraw()
    this.#charts.backlog.redraw()
  }

  /** @param {string} name */
  #add(name) {
    const value = make('span', { class: 'value' })
    const note = make('span', { class: 'note' })
    const figure = make('div', {}, make('dt', {}, name), make('dd', {}, value, note))
    if (name === 'Commit lag') figure.lastElementChild?.append(this.#charts.lag.element)
    if (name === 'Backlog') figure.lastElementChild?.append(this.#charts.backlog.element)
    byId('figures').append(figure)
    const elements = { value, note }
    this.#elements.set(name, elements)
    return elements
  }
}
