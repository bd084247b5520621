import type { Contestant } from './contestant.ts'
import { BTree, CcxtOrderBook, TardisOrderBook } from './peers.ts'
import { type Level, trimmed, type WorkFrame } from './workload.ts'

// The peers' books, each fed as its own users feed it: JSON.parse, then numbers.

type NumberLevel = readonly [price: number, quantity: number]
type NumberFrame = Readonly<{ bids: readonly NumberLevel[]; asks: readonly NumberLevel[] }>

export const tardis = numberContestant('tardis-dev', {
  open: (frame) => {
    const book = new TardisOrderBook()
    book.update({ isSnapshot: true, ...tardisLevels(frame) })
    return {
      apply: (prepared: ReturnType<typeof tardisLevels>) => {
        book.update({ isSnapshot: false, ...prepared })
        return [book.bestBid(), book.bestAsk()]
      },
      levels: () => ({
        bids: [...book.bids()].map(({ price, amount }): NumberLevel => [price, amount]),
        asks: [...book.asks()].map(({ price, amount }): NumberLevel => [price, amount]),
      }),
    }
  },
  prepare: tardisLevels,
})

function tardisLevels({ bids, asks }: NumberFrame) {
  const level = ([price, amount]: NumberLevel): { price: number; amount: number } => ({ price, amount })
  return { bids: bids.map(level), asks: asks.map(level) }
}

export const ccxt = numberContestant('ccxt', {
  open: (frame) => {
    const book = new CcxtOrderBook({ bids: [], asks: [] })
    const store = ({ bids, asks }: NumberFrame): void => {
      for (const [price, quantity] of bids) book.bids.store(price, quantity)
      for (const [price, quantity] of asks) book.asks.store(price, quantity)
    }
    store(frame)
    return {
      apply: (prepared: NumberFrame) => {
        store(prepared)
        return [book.bids[0], book.asks[0]]
      },
      // Its sides are arrays by inheritance: copied by hand, so that `map` makes no more of them.
      levels: () => ({ bids: Array.from(book.bids), asks: Array.from(book.asks) }),
    }
  },
  prepare: (frame) => frame,
})

export const sortedBtree = numberContestant('sorted-btree', {
  open: (frame) => {
    const bids = new BTree([], (a, b) => b - a)
    const asks = new BTree([], (a, b) => a - b)
    const store = (side: typeof bids, levels: readonly NumberLevel[]): void => {
      for (const [price, quantity] of levels) {
        if (quantity === 0) side.delete(price)
        else side.set(price, quantity)
      }
    }
    store(bids, frame.bids)
    store(asks, frame.asks)
    return {
      apply: (prepared: NumberFrame) => {
        store(bids, prepared.bids)
        store(asks, prepared.asks)
        return [bids.minKey(), asks.minKey()]
      },
      levels: () => ({ bids: bids.toArray(), asks: asks.toArray() }),
    }
  },
  prepare: (frame) => frame,
})

type NumberBook<Prepared> = Readonly<{ apply(prepared: Prepared): unknown; levels(): NumberFrame }>

function numberContestant<Prepared>(
  name: string,
  parts: Readonly<{ open(frame: NumberFrame): NumberBook<Prepared>; prepare(frame: NumberFrame): Prepared }>,
): Contestant {
  return {
    name,
    open: (snapshot) => {
      const book = parts.open(readFrame(snapshot))
      return {
        apply: (prepared) => book.apply(prepared as Prepared),
        take: (payload) => book.apply(parts.prepare(readFrame(payload))),
        levels: () => {
          const { bids, asks } = book.levels()
          return { bids: bids.map(inTexts), asks: asks.map(inTexts) }
        },
      }
    },
    prepare: (frame) => parts.prepare(numbersOf(frame)),
  }
}

const decoder = new TextDecoder()

function readFrame(payload: Uint8Array): NumberFrame {
  const { b, a } = JSON.parse(decoder.decode(payload)) as { b: [string, string][]; a: [string, string][] }
  const level = ([price, quantity]: [string, string]): NumberLevel => [Number(price), Number(quantity)]
  return { bids: b.map(level), asks: a.map(level) }
}

function numbersOf({ changes }: WorkFrame): NumberFrame {
  const levels = (wanted: 'bid' | 'ask'): NumberLevel[] =>
    changes.flatMap(({ side, price, quantity }): NumberLevel[] =>
      side === wanted ? [[Number(price), Number(quantity)]] : [],
    )
  return { bids: levels('bid'), asks: levels('ask') }
}

/** A float as the digits it was made from; where it had more than a float holds, these are others. */
function inTexts([price, quantity]: NumberLevel): Level {
  return [plain(price), plain(quantity)]
}

/** Without an exponent: very small numbers are written with the ten digits that the wire has. */
const plain = (value: number): string => {
  const text = String(value)
  return /^\d+(\.\d+)?$/.test(text) ? text : trimmed(value.toFixed(10))
}
