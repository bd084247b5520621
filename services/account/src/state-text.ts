import type { AccountState } from './advance.ts'

// The state as JSON, which has no bigints: they are texts of digits with an `n`, which nothing else in the state is.

const BIGINT = /^-?\d+n$/

export function writeState(state: AccountState): unknown {
  return JSON.parse(JSON.stringify(state, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value)))
}

/** Reads our own writing. */
export function readState(json: unknown): AccountState {
  const text = JSON.stringify(json)
  return JSON.parse(text, (_, value: unknown) =>
    typeof value === 'string' && BIGINT.test(value) ? BigInt(value.slice(0, -1)) : value,
  ) as AccountState
}
