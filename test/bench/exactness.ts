import type { Contestant } from './contestant.ts'

/** A price and a quantity that the venue's wire can carry and a float cannot. */
const WIDE = ['9007199254740993.25', '123456789.0123456789'] as const

/** Whether a level comes back with every digit it was given: asked, not believed. */
export function isExact(contestant: Contestant): boolean {
  const [price, quantity] = WIDE
  const snapshot = `{"e":"depthUpdate","E":1,"s":"btcusd","U":1,"u":1,"b":[["${price}","${quantity}"]],"a":[]}`
  const [kept] = contestant.open(Buffer.from(snapshot)).levels().bids
  return kept?.[0] === price && kept[1] === quantity
}
