import type { DecimalText } from './decimal.ts'

/** `v1`: the archived marketdata WebSocket. `ws`: the new WebSocket API. */
export type Feed = 'v1' | 'ws'

export type Side = 'bid' | 'ask'

/** Why a level changed, in v1's words; the new API gives no reason but for its snapshots. */
export type ChangeReason = 'initial' | 'place' | 'trade' | 'cancel' | 'top-of-book'

/** One price level set to an absolute quantity; zero removes it. */
export type LevelChange = Readonly<{
  side: Side
  price: DecimalText
  quantity: DecimalText
  reason: ChangeReason | null
}>

/** One venue message that changes the book, in the order the venue gave its changes. */
export type BookUpdate = Readonly<{
  firstUpdateId: bigint // the id after which this update starts: it covers (first, last]
  lastUpdateId: bigint
  eventTimeNs: bigint | null // the venue's clock; v1's initial message has none
  changes: readonly LevelChange[]
}>

export type TakerSide = 'buy' | 'sell' | 'auction' | 'block' | 'unknown'

export type Trade = Readonly<{
  tradeId: bigint
  eventTimeNs: bigint
  price: DecimalText
  quantity: DecimalText
  takerSide: TakerSide
}>

/** Best bid and offer. A side the book does not have is null. */
export type TopOfBook = Readonly<{
  bidPrice: DecimalText | null
  bidQuantity: DecimalText | null
  askPrice: DecimalText | null
  askQuantity: DecimalText | null
}>

/** One row of the venue's symbol details; increments exact. */
export type Instrument = Readonly<{
  symbol: string
  baseCurrency: string
  quoteCurrency: string
  priceIncrement: DecimalText
  quantityIncrement: DecimalText
  minOrderSize: DecimalText
  status: string
  productType: string
  contractType: string
}>
