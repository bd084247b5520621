import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

/**
 * The libraries that are measured beside booktape, in a folder of their own that only `npm run bench` installs (run.sh). Typed here
 * by what is used of them, because the compiler must not need them.
 */
const load = createRequire(new URL('./peers/package.json', import.meta.url))

type NumberLevel = { price: number; amount: number }

/** tardis-dev's book: two red-black trees of number pairs. */
export type TardisBook = {
  update(change: Readonly<{ isSnapshot: boolean; bids: readonly NumberLevel[]; asks: readonly NumberLevel[] }>): void
  bestBid(): NumberLevel | undefined
  bestAsk(): NumberLevel | undefined
  bids(): IterableIterator<NumberLevel>
  asks(): IterableIterator<NumberLevel>
}

export const { OrderBook: TardisOrderBook } = load('tardis-dev') as { OrderBook: new () => TardisBook }

/** One side of ccxt's book: an array of [price, size], best first. */
export type CcxtSide = Pick<readonly [number, number][], number | 'length' | 'map'> & {
  store(price: number, size: number): void
}
export type CcxtBook = { bids: CcxtSide; asks: CcxtSide }

const ccxtFile = load.resolve('ccxt').replace(/(js|dist)\/ccxt\.(bundle\.)?c?js$/, 'js/src/base/ws/OrderBook.js')
export const { OrderBook: CcxtOrderBook } = (await import(pathToFileURL(ccxtFile).href)) as {
  OrderBook: new (snapshot: { bids: [number, number][]; asks: [number, number][] }) => CcxtBook
}

export type Tree = {
  set(key: number, value: number): boolean
  delete(key: number): boolean
  minKey(): number | undefined
  toArray(): [number, number][]
}
export const { default: BTree } = load('sorted-btree') as {
  default: new (entries: [number, number][], compare: (a: number, b: number) => number) => Tree
}
