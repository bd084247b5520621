import { type DecimalText, type LevelChange, type Side, VenueProtocolError } from '@booktape/market'
import { readPrice, readQuantity, wrongType } from './fields.ts'
import type { JsonValue } from './json-value.ts'

/** Price and quantity of one level of a whole book. */
export type PriceQuantity = readonly [price: DecimalText, quantity: DecimalText]

/** Forty times the deepest book seen (4,658 levels); a message with more is not a book. */
export const MAX_LEVELS_PER_MESSAGE = 200_000

/** Appends the levels of one side of a depth message, `[["83410.00000","3.0000000000"], ...]`, in wire order. */
export function appendChanges(changes: LevelChange[], side: Side, levels: readonly JsonValue[]): void {
  limitLevels(changes.length + levels.length)
  for (const level of levels) {
    const pair = expectPair(level)
    changes.push({
      side,
      price: readPrice(pair[0], 'price'),
      quantity: readQuantity(pair[1], 'quantity'),
      reason: null,
    })
  }
}

/** The levels of one side of a whole book, in wire order. */
export function readPairs(levels: readonly JsonValue[]): PriceQuantity[] {
  limitLevels(levels.length)
  return levels.map((level) => {
    const pair = expectPair(level)
    return [readPrice(pair[0], 'price'), readQuantity(pair[1], 'quantity')]
  })
}

export function limitLevels(count: number): void {
  if (count > MAX_LEVELS_PER_MESSAGE) {
    throw new VenueProtocolError('TOO_LARGE', `${count} levels in one message; the limit is ${MAX_LEVELS_PER_MESSAGE}`)
  }
}

function expectPair(level: JsonValue): JsonValue[] {
  if (!Array.isArray(level) || level.length !== 2) throw wrongType('level', 'a pair of price and quantity')
  return level
}
