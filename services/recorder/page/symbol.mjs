import { DepthChart } from './depth-chart.mjs'
import { bodyOf, byId, make, setRows, setText } from './dom.mjs'
import { agoText, counted, instantText, spanText, timeText } from './format.mjs'

/** @import { BookLine, SymbolLook } from '../src/status-wire.ts' */

const SHOWN_LEVELS = 8
const SHOWN_TRADES = 10
const TAKERS = /** @type {Readonly<Record<string, readonly [text: string, className: string]>>} */ ({
  buy: ['▲ buy', 'bid'],
  sell: ['▼ sell', 'ask'],
})

/** The chosen symbol: its book on one feed, in depth, and its newest trades. */
export class SymbolPanel {
  #depth = new DepthChart(byId('depth'))
  #feeds = byId('feeds')
  #onChoose

  /** @param {(feed: string) => void} onChoose */
  constructor(onChoose) {
    this.#onChoose = onChoose
  }

  /** @param {SymbolLook} look @param {readonly BookLine[]} books of the symbol */
  show(look, books) {
    setText(byId('symbol-heading'), look.symbol)
    this.#showFeeds(
      books.map((book) => book.feed),
      look.feed,
    )
    setText(
      byId('book-facts'),
      factsOf(
        look,
        books.find((book) => book.feed === look.feed),
      ),
    )
    this.#depth.show(look)
    setRows(bodyOf('levels'), levelRows(look))
    setRows(
      bodyOf('trades'),
      look.trades.slice(0, SHOWN_TRADES).map((trade) => {
        const [taker, className] = TAKERS[trade.takerSide] ?? [trade.takerSide, '']
        return [timeText(trade.atMs), { text: taker, className }, number(trade.price), number(trade.quantity)]
      }),
    )
    byId('no-trades').hidden = look.trades.length > 0
  }

  redraw() {
    this.#depth.redraw()
  }

  /** @param {readonly string[]} feeds @param {string} chosen */
  #showFeeds(feeds, chosen) {
    const inputs = [...this.#feeds.querySelectorAll('input')]
    if (inputs.map((input) => input.value).join() !== feeds.join()) {
      for (const label of this.#feeds.querySelectorAll('label')) label.remove()
      for (const feed of feeds) {
        const input = make('input', { type: 'radio', name: 'feed', value: feed })
        input.addEventListener('change', () => this.#onChoose(feed))
        this.#feeds.append(make('label', {}, input, make('span', {}, feed)))
      }
    }
    for (const input of this.#feeds.querySelectorAll('input')) {
      const isChosen = input.value === chosen
      if (input.checked !== isChosen) input.checked = isChosen
    }
  }
}

/** @param {SymbolLook} look @param {BookLine | undefined} book */
function factsOf(look, book) {
  if (look.liveSinceMs === null) {
    const gap = book?.open.find((open) => open.stream === 'book')
    if (gap === undefined) return 'The book is not live: it was not taken yet.'
    return `The book is not live since ${instantText(gap.sinceMs, look.nowMs)}: ${gap.meaning} (${gap.cause}).`
  }
  const quiet = book?.quietMs ?? null
  return [
    `Live since ${instantText(look.liveSinceMs, look.nowMs)} (${spanText(look.nowMs - look.liveSinceMs)})`,
    `${counted(look.bidLevels, 'bid')}, ${counted(look.askLevels, 'ask')}`,
    ...(quiet === null ? [] : [`last message ${agoText(quiet)} ago`]),
    `update ${look.updateId ?? 'none'}`,
  ].join(' · ')
}

/** @param {SymbolLook} look */
function levelRows({ bids, asks }) {
  const count = Math.min(SHOWN_LEVELS, Math.max(bids.length, asks.length))
  return Array.from({ length: count }, (_, at) => {
    const [bid, ask] = [bids[at], asks[at]]
    return [
      number(bid?.[1] ?? ''),
      { text: bid?.[0] ?? '', className: 'number bid' },
      { text: ask?.[0] ?? '', className: 'number ask' },
      number(ask?.[1] ?? ''),
    ]
  })
}

/** @param {string} text */
const number = (text) => ({ text, className: 'number' })
