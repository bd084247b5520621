import { invariant } from '@booktape/market'
import { Ladder } from './ladder.ts'
import type { OrderSizes } from './order-sizes.ts'
import type { Random } from './random.ts'
import { toUnits } from './scaled.ts'
import type { SymbolSpec } from './symbols.ts'

/** A side with few levels, as a perpetual's, is dense at the top and then soon far away. */
const THIN_SIDE_LEVELS = 100

/** The book a market opens with: dense at the top, thinner with distance, and the absurd orders that really rest there. */
export function openingBook(spec: SymbolSpec, sizes: OrderSizes, random: Random): { bids: Ladder; asks: Ladder } {
  const incrementUnits = toUnits(spec.priceIncrement, spec.priceDigits)
  const startTicks = Number(toUnits(spec.startPrice, spec.priceDigits) / incrementUnits)
  invariant(Number.isSafeInteger(startTicks) && startTicks > 10, `${spec.symbol} starts at a price of many increments`)

  const bids = new Ladder('bid')
  for (const distance of distances(spec.bids, 0.8 * startTicks, random)) {
    if (distance >= startTicks) break
    bids.set(BigInt(startTicks - distance) * incrementUnits, sizes.draw(random))
  }
  const asks = new Ladder('ask')
  for (const distance of distances(spec.asks, 2 * startTicks, random)) {
    asks.set(BigInt(startTicks + distance) * incrementUnits, sizes.draw(random))
  }
  for (const [side, price, quantity] of spec.farLevels) {
    const ladder = side === 'bid' ? bids : asks
    ladder.set(toUnits(price, spec.priceDigits), toUnits(quantity, spec.quantityDigits))
  }
  return { bids, asks }
}

/** Distances from the start price in ticks, strictly growing from 1 to about `reach`. */
function* distances(count: number, reach: number, random: Random): Generator<number> {
  const steepness = count > THIN_SIDE_LEVELS ? 2 : 4
  let ticks = 0
  for (let i = 1; i <= count; i++) {
    const drawn = Math.floor(reach * (i / count) ** steepness * (0.8 + 0.4 * random.unit()))
    ticks = Math.max(drawn, ticks + 1 + random.below(3))
    yield ticks
  }
}
