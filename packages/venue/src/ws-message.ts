import type { BookLevels, Levels } from './levels.ts'

// The new WebSocket API's wire (docs/gemini.md, claims 2, 3, 7, 9 and 11): ns with every digit.

/** The levels that changed in (firstUpdateId, lastUpdateId], in the order they are to be sent. */
export type WsDepth = Readonly<{
  symbol: string
  firstUpdateId: bigint
  lastUpdateId: bigint
  lastTimeNs: bigint
  bids: Levels
  asks: Levels
}>

export function wsDepth({ symbol, firstUpdateId, lastUpdateId, lastTimeNs, bids, asks }: WsDepth): string {
  return (
    `{"e":"depthUpdate","E":${lastTimeNs},"s":"${symbol}",` +
    `"U":${firstUpdateId},"u":${lastUpdateId},"b":[${levelsText(bids)}],"a":[${levelsText(asks)}]}`
  )
}

/** The first frame of a subscription: no mark but `U` equal to `u`, and sorted. */
export function wsSnapshot(symbol: string, book: BookLevels, limit: number): string {
  const { lastUpdateId, lastTimeNs } = book
  return wsDepth({
    symbol,
    firstUpdateId: lastUpdateId,
    lastUpdateId,
    lastTimeNs,
    bids: book.bids(limit),
    asks: book.asks(limit),
  })
}

export function wsPartialDepth(symbol: string, book: BookLevels, limit: number): string {
  return `{"lastUpdateId":${book.lastUpdateId},"symbol":"${symbol}",${sidesText(book, limit)}}`
}

/** The `result` of the `depth` method. */
export function wsDepthResult(book: BookLevels, limit: number): string {
  return `{"lastUpdateId":${book.lastUpdateId},${sidesText(book, limit)}}`
}

type Pair = readonly [price: string, quantity: string] | null

export type WsTicker = Readonly<{
  symbol: string
  updateId: bigint
  timeNs: bigint
  bid: Pair
  ask: Pair
  lastTrade: Pair
}>

/** A side without orders is left out; `c` and `C` are there once the book has traded. */
export function wsTicker({ symbol, updateId, timeNs, bid, ask, lastTrade }: WsTicker): string {
  return (
    `{"u":${updateId},"E":${timeNs},"s":"${symbol}"` +
    `${pairText(bid, 'b', 'B')}${pairText(ask, 'a', 'A')}${pairText(lastTrade, 'c', 'C')}}`
  )
}

export type WsTrade = Readonly<{
  symbol: string
  tradeId: bigint
  timeNs: bigint
  price: string
  quantity: string
  isBuyerMaker: boolean
}>

/** Production sends no `e` here. */
export function wsTrade({ symbol, tradeId, timeNs, price, quantity, isBuyerMaker }: WsTrade): string {
  return `{"E":${timeNs},"s":"${symbol}","t":${tradeId},"p":"${price}","q":"${quantity}","m":${isBuyerMaker}}`
}

function sidesText(book: BookLevels, limit: number): string {
  return `"bids":[${levelsText(book.bids(limit))}],"asks":[${levelsText(book.asks(limit))}]`
}

function levelsText(levels: Levels): string {
  let text = ''
  for (const [price, quantity] of levels) {
    if (text !== '') text += ','
    text += `["${price}","${quantity}"]`
  }
  return text
}

function pairText(pair: Pair, priceKey: string, quantityKey: string): string {
  return pair === null ? '' : `,"${priceKey}":"${pair[0]}","${quantityKey}":"${pair[1]}"`
}
