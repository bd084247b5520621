import { make, setAttribute } from './dom.mjs'
import { colours, Plot, stepped } from './plot.mjs'

/** @import { LevelText, SymbolLook } from '../src/status-wire.ts' */

const HEIGHT_PX = 230
/** The share of the levels of a side that is drawn: the last ones lie far away and would press the rest together. */
const DRAWN_SHARE = 0.8
/** A side is drawn at most this much wider than the other. */
const WIDEST = 3

/** What it takes to sell or buy down or up to a price: the quantities of a book added up from its top. */
export class DepthChart {
  #place
  #plot

  /** @param {HTMLElement} place */
  constructor(place) {
    this.#place = place
    const chart = make('div')
    place.append(chart)
    this.#plot = new Plot(chart, (width) => {
      const { text, grid, bid, bidFill, ask, askFill } = colours()
      const axis = {
        stroke: text,
        font: '12px system-ui, sans-serif',
        grid: { stroke: grid, width: 1 },
        ticks: { show: false },
      }
      const left = stepped?.({ align: -1 })
      const right = stepped?.({ align: 1 })
      return {
        width,
        height: HEIGHT_PX,
        padding: [8, 12, 0, 0],
        cursor: { show: false },
        legend: { show: false },
        scales: { x: { time: false }, y: { range: (_, __, max) => [0, max * 1.05] } },
        axes: [
          { ...axis, size: 26, space: 90, values: (_, prices) => prices.map(shortText) },
          { ...axis, size: 64, space: 36, values: (_, quantities) => quantities.map(shortText) },
        ],
        series: [
          {},
          {
            stroke: bid,
            fill: bidFill,
            width: 1.5,
            points: { show: false },
            ...(left === undefined ? {} : { paths: left }),
          },
          {
            stroke: ask,
            fill: askFill,
            width: 1.5,
            points: { show: false },
            ...(right === undefined ? {} : { paths: right }),
          },
        ],
      }
    })
  }

  /** @param {SymbolLook} look */
  show(look) {
    const bids = summed(look.bids)
    const asks = summed(look.asks)
    const { low, high } = bounds(bids, asks)
    const bidsDrawn = bids.filter(({ price }) => price >= low).reverse()
    const asksDrawn = asks.filter(({ price }) => price <= high)
    this.#plot.show([
      [...bidsDrawn, ...asksDrawn].map(({ price }) => price),
      [...bidsDrawn.map(({ sum }) => sum), ...asksDrawn.map(() => null)],
      [...bidsDrawn.map(() => null), ...asksDrawn.map(({ sum }) => sum)],
    ])
    setAttribute(this.#place, 'aria-label', labelOf(look))
  }

  redraw() {
    this.#plot.rebuild()
  }
}

/** @param {SymbolLook} look */
function labelOf({ symbol, feed, bids, asks, liveSinceMs }) {
  const name = `Depth of ${symbol} on ${feed}`
  if (liveSinceMs === null) return `${name}: the book is not live`
  return `${name}: best bid ${bids[0]?.[0] ?? 'none'}, best ask ${asks[0]?.[0] ?? 'none'}; the best levels are in the table below`
}

/** For the eye alone: pixels are no prices, so floats are good enough here and nowhere else.
 * @param {readonly LevelText[]} levels best first */
function summed(levels) {
  let sum = 0
  return levels.map(([price, quantity]) => {
    sum += Number.parseFloat(quantity)
    return { price: Number.parseFloat(price), sum }
  })
}

/** @typedef {readonly Readonly<{ price: number, sum: number }>[]} Summed */

/** @param {Summed} bids @param {Summed} asks */
function bounds(bids, asks) {
  const [bestBid, bestAsk] = [bids[0]?.price, asks[0]?.price]
  if (bestBid === undefined || bestAsk === undefined)
    return { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY }
  const down = bestBid - (bids[Math.floor((bids.length - 1) * DRAWN_SHARE)]?.price ?? bestBid)
  const up = (asks[Math.floor((asks.length - 1) * DRAWN_SHARE)]?.price ?? bestAsk) - bestAsk
  return { low: bestBid - Math.min(down, WIDEST * (up || down)), high: bestAsk + Math.min(up, WIDEST * (down || up)) }
}

/** @param {number} value */
function shortText(value) {
  const size = Math.abs(value)
  if (size >= 1e6 || size < 1e-4)
    return value === 0
      ? '0'
      : value.toLocaleString('en', { notation: size < 1 ? 'scientific' : 'compact', maximumSignificantDigits: 4 })
  return value.toLocaleString('en', { maximumSignificantDigits: 7 })
}
