import type { Random } from './random.ts'

/** Where the counters stood at an instant of 2026-09-30, as captured from production. */
const CAPTURED_NS = 1_790_732_602_000_000_000n
const FIRST_SPOT_UPDATE_ID = 1_764_559_652_998_238n
const FIRST_PERPETUAL_UPDATE_ID = 1_764_528_499_302_688n
const FIRST_TRADE_ID = 2_840_141_030_659_933n

/**
 * An exchange that starts later begins at later ids, by more than any rate uses up: a venue never gives an id twice, and a
 * recorder that outlives a restart of this one must not see old ids again.
 */
const IDS_PER_SECOND = 1_000_000n

/** Symbols that are not simulated use ids too. */
const FOREIGN_UPDATE_IDS = 12
const FOREIGN_TRADE_IDS = 5

/** The counters all symbols share, so that one symbol's ids jump: one for spot, one for perpetuals, one for trades. */
export class VenueIds {
  readonly #random: Random
  #spotUpdateId = FIRST_SPOT_UPDATE_ID
  #perpetualUpdateId = FIRST_PERPETUAL_UPDATE_ID
  #tradeId = FIRST_TRADE_ID

  constructor(random: Random, startNs: bigint) {
    this.#random = random
    const since = startNs > CAPTURED_NS ? ((startNs - CAPTURED_NS) * IDS_PER_SECOND) / 1_000_000_000n : 0n
    this.#spotUpdateId += since
    this.#perpetualUpdateId += since
    this.#tradeId += since
  }

  nextUpdateId(productType: 'spot' | 'swap'): bigint {
    const step = this.#random.chance(0.3) ? 1n : 1n + BigInt(Math.floor(this.#random.exponential(FOREIGN_UPDATE_IDS)))
    if (productType === 'spot') return (this.#spotUpdateId += step)
    return (this.#perpetualUpdateId += step)
  }

  nextTradeId(): bigint {
    return (this.#tradeId += 1n + BigInt(Math.floor(this.#random.exponential(FOREIGN_TRADE_IDS))))
  }
}
