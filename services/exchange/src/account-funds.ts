import { invariant } from '@booktape/market'
import type { Market } from './market.ts'
import { canonicalText, toUnits } from './scaled.ts'
import type { OrderSide } from './trading-desk.ts'

/** What an account has of one asset, as it was last told: the venue rounds here. */
export type TrueBalance = Readonly<{ asset: string; available: string; current: string; updatedTimeNs: bigint }>

/** Every asset is counted in units of 10^-this, finer than any price times any quantity. */
const DIGITS = 24
/** To what the venue rounds when it tells. */
const TOLD_DIGITS = 2
const TOLD_CRYPTO_DIGITS = 8
const MONEY = ['USD', 'EUR', 'GBP', 'SGD', 'GUSD', 'USDC', 'USDT', 'RLUSD']

/** Enough that no script runs out of it. */
const FIRST_FUNDS = '1000000000'

/** What an account holds, exactly; and what it was told of it. */
export class AccountFunds {
  readonly #current = new Map<string, bigint>()
  readonly #told = new Map<string, TrueBalance>()
  readonly told: TrueBalance[] = [] // every change that was told, oldest first

  constructor(markets: Iterable<Market>) {
    for (const { spec } of markets) {
      for (const asset of [spec.baseCurrency, spec.quoteCurrency])
        this.#current.set(asset, toUnits(FIRST_FUNDS, DIGITS))
    }
  }

  /** The assets there are, as they were told last; those that never changed as they were at the start. */
  get balances(): readonly TrueBalance[] {
    return [...this.#current.keys()].map((asset) => this.#told.get(asset) ?? this.#balanceOf(asset, 0n, 0n))
  }

  /** `fee` in units of price times quantity. */
  fill({ spec }: Market, side: OrderSide, price: bigint, quantity: bigint, fee: bigint): void {
    const moneyDigits = spec.priceDigits + spec.quantityDigits
    const sign = side === 'buy' ? 1n : -1n
    this.#add(spec.baseCurrency, sign * scale(quantity, spec.quantityDigits))
    this.#add(spec.quoteCurrency, -sign * scale(price * quantity, moneyDigits) - scale(fee, moneyDigits))
  }

  /** The assets of which something else is to be told than was last, given what open orders hold. */
  changes(
    holds: Iterable<readonly [market: Market, side: OrderSide, price: bigint, quantity: bigint]>,
    nowNs: bigint,
  ): readonly TrueBalance[] {
    const held = new Map<string, bigint>()
    for (const [{ spec }, side, price, quantity] of holds) {
      const asset = side === 'buy' ? spec.quoteCurrency : spec.baseCurrency
      const units =
        side === 'buy'
          ? scale(price * quantity, spec.priceDigits + spec.quantityDigits)
          : scale(quantity, spec.quantityDigits)
      held.set(asset, (held.get(asset) ?? 0n) + units)
    }
    const changed: TrueBalance[] = []
    for (const asset of this.#current.keys()) {
      const balance = this.#balanceOf(asset, held.get(asset) ?? 0n, nowNs)
      const last = this.#told.get(asset) ?? this.#balanceOf(asset, 0n, 0n, FIRST_FUNDS)
      if (last.available === balance.available && last.current === balance.current) continue
      this.#told.set(asset, balance)
      changed.push(balance)
    }
    this.told.push(...changed)
    return changed
  }

  #balanceOf(asset: string, held: bigint, updatedTimeNs: bigint, funds?: string): TrueBalance {
    const current = funds === undefined ? (this.#current.get(asset) ?? 0n) : toUnits(funds, DIGITS)
    return { asset, available: told(asset, current - held), current: told(asset, current), updatedTimeNs }
  }

  #add(asset: string, units: bigint): void {
    this.#current.set(asset, (this.#current.get(asset) ?? 0n) + units)
  }
}

function scale(units: bigint, digits: number): bigint {
  invariant(digits <= DIGITS, 'an amount is no finer than the funds are counted')
  return units * 10n ** BigInt(DIGITS - digits)
}

/** Cut off, as the venue shows it. */
function told(asset: string, units: bigint): string {
  invariant(units >= 0n, 'no script spends more than there is')
  const digits = MONEY.includes(asset) ? TOLD_DIGITS : TOLD_CRYPTO_DIGITS
  return canonicalText(units / 10n ** BigInt(DIGITS - digits), digits)
}
