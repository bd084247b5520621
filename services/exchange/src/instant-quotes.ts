import { type DecimalText, invariant, readDecimal } from '@booktape/market'
import type { RestAnswer } from '@booktape/venue'
import { errorAnswer } from '@booktape/venue'
import type { Ladder } from './ladder.ts'
import type { Market } from './market.ts'
import { canonicalText, toUnits } from './scaled.ts'

/** A quote as it was offered, and the book it was priced from. */
export type TrueQuote = Readonly<{
  quoteId: bigint
  symbol: string
  side: 'buy' | 'sell'
  updateId: bigint // the last of the book
  offeredAtNs: bigint
  totalSpend: DecimalText
  price: DecimalText
  quantity: DecimalText
  fee: DecimalText
}>

/** How much worse than the book a quote is, and what is charged beside it, in basis points. */
const MARKUP_BPS = 50n
const FEE_BPS = 149n
const BASIS = 10_000n
const MAX_AGE_MS = 60_000

/** What a drill compares; the oldest go. */
export const MAX_REMEMBERED_QUOTES = 100_000

const NS_PER_MS = 1_000_000n

/** Offers prices from the book of the moment, as `/v1/instant/quote` does. Executes nothing. */
export class InstantDesk {
  readonly quotes: TrueQuote[] = []
  #nextQuoteId: bigint

  /** Ids begin with the time, so that a restart never gives one again. */
  constructor(startNs: bigint) {
    this.#nextQuoteId = startNs / NS_PER_MS
  }

  answer(markets: ReadonlyMap<string, Market>, fields: Readonly<Record<string, unknown>>, nowNs: bigint): RestAnswer {
    const { symbol, side, totalSpend } = fields
    const market = typeof symbol === 'string' ? markets.get(symbol.toLowerCase()) : undefined
    if (market === undefined) return errorAnswer(400, 'InvalidSymbol', 'An invalid symbol was specified')
    if (side !== 'buy' && side !== 'sell') return errorAnswer(400, 'InvalidSide', 'side is buy or sell')
    const spend = typeof totalSpend === 'string' ? readDecimal(totalSpend) : null
    const digits = side === 'buy' ? moneyDigits(market) : market.spec.quantityDigits
    if (spend === null || fractionOf(spend) > digits)
      return errorAnswer(400, 'InvalidParameterValue', 'totalSpend is not an amount')
    if (market.bids.size === 0 || market.asks.size === 0)
      return errorAnswer(400, 'MarketNotOpen', 'The market is not open')
    const terms = (side === 'buy' ? buyTerms : sellTerms)(market, toUnits(spend, digits))
    if (terms === null) return errorAnswer(400, 'InvalidQuantity', 'An invalid quantity was specified')
    const { priceDigits, quantityDigits } = market.spec
    const quote: TrueQuote = {
      quoteId: this.#nextQuoteId++,
      symbol: market.spec.symbol,
      side,
      updateId: market.lastUpdateId,
      offeredAtNs: nowNs,
      totalSpend: spend,
      price: canonicalText(terms.price, priceDigits),
      quantity: canonicalText(terms.quantity, quantityDigits),
      fee: canonicalText(terms.fee, moneyDigits(market)),
    }
    this.quotes.push(quote)
    if (this.quotes.length > MAX_REMEMBERED_QUOTES) this.quotes.shift()
    return { status: 200, headers: { 'content-type': 'application/json' }, body: quoteText(market, quote) }
  }
}

/** In units: of the price, of the quantity, and of both multiplied. */
type Terms = Readonly<{ price: bigint; quantity: bigint; fee: bigint }>

/** What is spent pays price times quantity, and the fee takes the rest to the last digit (docs/gemini.md, claim 31). */
function buyTerms(market: Market, totalSpend: bigint): Terms | null {
  const budget = totalSpend - (totalSpend * FEE_BPS) / BASIS
  const reached = reachByMoney(market.asks, budget)
  if (reached === null) return null
  const price = ceilDivide(reached.money * (BASIS + MARKUP_BPS), reached.quantity * BASIS)
  const quantity = budget / price
  if (quantity < minimum(market)) return null
  return { price, quantity, fee: totalSpend - price * quantity }
}

function sellTerms(market: Market, quantity: bigint): Terms | null {
  const reached = reachByQuantity(market.bids, quantity)
  if (reached === null || quantity < minimum(market)) return null
  const price = (reached.money * (BASIS - MARKUP_BPS)) / (reached.quantity * BASIS)
  if (price === 0n) return null
  return { price, quantity, fee: ceilDivide(price * quantity * FEE_BPS, BASIS) }
}

type Reached = Readonly<{ money: bigint; quantity: bigint }>

/** The levels that `money` buys through; null where the book ends before. */
function reachByMoney(ladder: Ladder, money: bigint): Reached | null {
  let left = money
  let quantity = 0n
  for (const [price, available] of ladder.levels()) {
    const taken = left / price < available ? left / price : available
    quantity += taken
    left -= taken * price
    if (taken < available) return quantity === 0n ? null : { money: money - left, quantity }
  }
  return null
}

function reachByQuantity(ladder: Ladder, quantity: bigint): Reached | null {
  let left = quantity
  let money = 0n
  for (const [price, available] of ladder.levels()) {
    const taken = left < available ? left : available
    money += taken * price
    left -= taken
    if (left === 0n) return quantity === 0n ? null : { money, quantity }
  }
  return null
}

function quoteText({ spec }: Market, quote: TrueQuote): string {
  const base = spec.baseCurrency
  const money = spec.quoteCurrency
  return (
    `{"quoteId":${quote.quoteId},"maxAgeMs":${MAX_AGE_MS},"pair":"${spec.symbol.toUpperCase()}",` +
    `"price":"${quote.price}","priceCurrency":"${money}","side":"${quote.side}",` +
    `"quantity":"${quote.quantity}","quantityCurrency":"${base}","fee":"${quote.fee}","feeCurrency":"${money}",` +
    `"depositFee":"0","depositFeeCurrency":"${money}","totalSpend":"${quote.totalSpend}",` +
    `"totalSpendCurrency":"${quote.side === 'buy' ? money : base}"}`
  )
}

function moneyDigits({ spec }: Market): number {
  return spec.priceDigits + spec.quantityDigits
}

function minimum({ spec }: Market): bigint {
  return toUnits(spec.minOrderSize, spec.quantityDigits)
}

function fractionOf(text: string): number {
  const point = text.indexOf('.')
  return point === -1 ? 0 : text.length - point - 1
}

function ceilDivide(dividend: bigint, divisor: bigint): bigint {
  invariant(divisor > 0n, 'what is divided by is above zero')
  return (dividend + divisor - 1n) / divisor
}
