// What a premium is, in whole numbers and without Postgres: the second opinion to account.premium_bps.

/** A decimal as a fraction of whole numbers. */
type Fraction = Readonly<{ of: bigint; by: bigint }>
type Levels = readonly (readonly [price: string, quantity: string])[]

/** To the eighth digit, halves away from zero, as Postgres rounds; null where the book does not hold the quantity. */
export function premiumBps(side: 'buy' | 'sell', price: string, levels: Levels, quantity: string): string | null {
  return premium(side, fraction(price), levels, quantity)
}

/** The same with the fee in the price: added to what a buyer pays, taken from what a seller gets. */
export function withFee(
  side: 'buy' | 'sell',
  price: string,
  levels: Levels,
  quantity: string,
  fee: string,
): string | null {
  const each = divide(fraction(fee), fraction(quantity))
  const all = add(fraction(price), side === 'buy' ? each : { of: -each.of, by: each.by })
  return premium(side, all, levels, quantity)
}

function premium(side: 'buy' | 'sell', price: Fraction, levels: Levels, quantity: string): string | null {
  let left = fraction(quantity)
  let cost: Fraction = { of: 0n, by: 1n }
  for (const [levelPrice, levelQuantity] of levels) {
    const available = fraction(levelQuantity)
    const taken = isLess(available, left) ? available : left
    cost = add(cost, multiply(fraction(levelPrice), taken))
    left = add(left, { of: -taken.of, by: taken.by })
    if (left.of === 0n) break
  }
  if (left.of > 0n) return null
  const average = divide(cost, fraction(quantity))
  const ratio = divide(price, average)
  const worse =
    side === 'buy' ? add(ratio, { of: -1n, by: 1n }) : add({ of: 1n, by: 1n }, { of: -ratio.of, by: ratio.by })
  return rounded(multiply(worse, { of: 10_000n, by: 1n }))
}

function fraction(text: string): Fraction {
  const [integer = '', digits = ''] = text.split('.')
  return { of: BigInt(integer + digits), by: 10n ** BigInt(digits.length) }
}

const add = (a: Fraction, b: Fraction): Fraction => ({ of: a.of * b.by + b.of * a.by, by: a.by * b.by })
const multiply = (a: Fraction, b: Fraction): Fraction => ({ of: a.of * b.of, by: a.by * b.by })
const divide = (a: Fraction, b: Fraction): Fraction => ({ of: a.of * b.by, by: a.by * b.of })
const isLess = (a: Fraction, b: Fraction): boolean => a.of * b.by < b.of * a.by

function rounded({ of, by }: Fraction): string {
  const scaled = (of < 0n ? -of : of) * 10n ** 8n
  const whole = (scaled * 2n + by) / (by * 2n)
  const digits = whole.toString().padStart(9, '0')
  const text = `${digits.slice(0, -8)}.${digits.slice(-8)}`
  return of < 0n && whole > 0n ? `-${text}` : text
}
