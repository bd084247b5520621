// Charts by uPlot (uplot.js, loaded before the scripts of this page).

/** @import uPlot from 'uplot' */

/** @type {typeof uPlot} */
const Chart = /** @type {{ uPlot: typeof uPlot }} */ (/** @type {unknown} */ (globalThis)).uPlot

export const stepped = Chart.paths.stepped

/** The colours of style.css, light or dark as the system is now. */
export function colours() {
  const style = getComputedStyle(document.documentElement)
  const colour = (/** @type {string} */ name) => style.getPropertyValue(`--${name}`).trim()
  return {
    text: colour('quiet'),
    grid: colour('grid'),
    line: colour('accent'),
    fill: colour('accent-fill'),
    bid: colour('bid'),
    bidFill: colour('bid-fill'),
    ask: colour('ask'),
    askFill: colour('ask-fill'),
  }
}

/** A chart as wide as its place, made when it first has something to show and again when its place or the colours change. */
export class Plot {
  #place
  #optionsOf
  /** @type {uPlot | null} */
  #chart = null
  /** @type {uPlot.AlignedData | null} */
  #content = null

  /** @param {HTMLElement} place @param {(width: number) => uPlot.Options} optionsOf */
  constructor(place, optionsOf) {
    this.#place = place
    this.#optionsOf = optionsOf
    new ResizeObserver(() => this.#fit()).observe(place)
  }

  /** @param {uPlot.AlignedData} content */
  show(content) {
    this.#content = content
    if (this.#chart === null) this.rebuild()
    else this.#chart.setData(content)
  }

  rebuild() {
    this.#chart?.destroy()
    this.#chart = null
    const width = Math.floor(this.#place.clientWidth)
    if (this.#content === null || width === 0) return
    this.#chart = new Chart(this.#optionsOf(width), this.#content, this.#place)
  }

  #fit() {
    const width = Math.floor(this.#place.clientWidth)
    if (this.#chart === null) this.rebuild()
    else if (width > 0 && width !== this.#chart.width) this.#chart.setSize({ width, height: this.#chart.height })
  }
}
