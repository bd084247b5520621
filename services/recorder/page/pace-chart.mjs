import { make, setAttribute } from './dom.mjs'
import { colours, Plot } from './plot.mjs'

const HEIGHT_PX = 34

/** One quantity over the last minutes, small. */
export class PaceChart {
  /** @type {HTMLElement} */
  element
  #title
  #textOf
  #plot

  /** @param {string} title @param {(value: number) => string} textOf */
  constructor(title, textOf) {
    this.#title = title
    this.#textOf = textOf
    this.element = make('div', { class: 'pace', role: 'img', 'aria-label': title })
    this.#plot = new Plot(this.element, (width) => {
      const { line, fill } = colours()
      return {
        width,
        height: HEIGHT_PX,
        padding: [3, 0, 1, 0],
        cursor: { show: false },
        legend: { show: false },
        axes: [{ show: false }, { show: false }],
        scales: { x: { time: false }, y: { range: (_, __, max) => [0, Math.max(1, max)] } },
        series: [{}, { stroke: line, fill, width: 1.5, points: { show: false } }],
      }
    })
  }

  /** Samples, oldest first. @param {readonly (number | null)[]} samples @param {number} everyMs */
  show(samples, everyMs) {
    const known = samples.filter((sample) => sample !== null)
    if (known.length > 0) {
      const [least, most] = [Math.min(...known), Math.max(...known)].map(this.#textOf)
      setAttribute(this.element, 'aria-label', `${this.#title}: ${least} to ${most}`)
      setAttribute(this.element, 'title', `${this.#title}: ${least} to ${most}`)
    }
    const minutes = samples.map((_, at) => ((at - samples.length) * everyMs) / 60_000)
    this.#plot.show([minutes, [...samples]])
  }

  redraw() {
    this.#plot.rebuild()
  }
}
