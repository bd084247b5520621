import type { TapeBook, TapeGap, TapeMessage, TapeQuote, TapeTrade } from '@booktape/client'
import type { DecimalText, Feed, Side, TakerSide } from '@booktape/market'

// Events of one symbol as a tape gives them, a second apart where `at` says so.

export const START_NS = 1_790_732_602_000_000_000n
export const at = (seconds: number): bigint => START_NS + BigInt(Math.round(seconds * 1000)) * 1_000_000n

const decimal = (text: string): DecimalText => text as DecimalText
const levels = (of: readonly (readonly [string, string])[]): TapeBook['bids'] =>
  of.map(([price, quantity]) => ({ price: decimal(price), quantity: decimal(quantity) }))

export function book(
  feed: Feed,
  updateId: number,
  seconds: number,
  bids: [string, string][],
  asks: [string, string][],
): TapeBook {
  return {
    kind: 'book',
    symbol: 'btcusd',
    feed,
    line: 'a',
    epochId: `epoch of ${updateId}`,
    messageSeq: 1,
    updateId: BigInt(updateId),
    eventTimeNs: feed === 'v1' ? null : at(seconds),
    receivedTimeNs: at(seconds),
    bids: levels(bids),
    asks: levels(asks),
  }
}

type Change = readonly [side: Side, price: string, quantity: string, reason?: 'place' | 'trade' | 'cancel']

export function message(
  feed: Feed,
  ids: readonly [first: number, last: number],
  seconds: number,
  changes: readonly Change[],
): TapeMessage {
  return {
    kind: 'book_message',
    symbol: 'btcusd',
    feed,
    line: 'a',
    epochId: 'epoch',
    messageSeq: ids[1],
    firstUpdateId: BigInt(ids[0]),
    lastUpdateId: BigInt(ids[1]),
    eventTimeNs: at(seconds),
    receivedTimeNs: at(seconds),
    changes: changes.map(([side, price, quantity, reason = null]) => ({
      side,
      price: decimal(price),
      quantity: decimal(quantity),
      reason,
    })),
  }
}

export function trade(
  tradeId: number,
  seconds: number,
  takerSide: TakerSide,
  price: string,
  quantity: string,
  more: Partial<TapeTrade> = {},
): TapeTrade {
  return {
    kind: 'trade',
    symbol: 'btcusd',
    tradeId: BigInt(tradeId),
    eventTimeNs: at(seconds),
    receivedTimeNs: at(seconds),
    price: decimal(price),
    quantity: decimal(quantity),
    takerSide,
    source: 'ws',
    broken: false,
    line: 'a',
    ...more,
  }
}

export function quote(
  updateId: number,
  seconds: number,
  bid: [string, string] | null,
  ask: [string, string] | null,
): TapeQuote {
  const top = {
    bidPrice: bid === null ? null : decimal(bid[0]),
    bidQuantity: bid === null ? null : decimal(bid[1]),
    askPrice: ask === null ? null : decimal(ask[0]),
    askQuantity: ask === null ? null : decimal(ask[1]),
  }
  const times = { eventTimeNs: at(seconds), receivedTimeNs: at(seconds) }
  return { kind: 'quote', symbol: 'btcusd', feed: 'ws', line: 'a', updateId: BigInt(updateId), ...times, top }
}

export function gap(feed: Feed, from: number, to: number, ...causes: string[]): TapeGap {
  return { kind: 'gap', symbol: 'btcusd', feed, fromNs: at(from), toNs: at(to), causes }
}
