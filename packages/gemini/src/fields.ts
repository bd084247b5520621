import { type DecimalText, isZero, readDecimal, VenueProtocolError } from '@booktape/market'
import { excerpt } from './excerpt.ts'
import type { JsonObject, JsonValue } from './json-value.ts'
import { canonicalSymbol } from './symbols.ts'

/** An id or a time of the venue: 0 to 2^63 - 1, which is what a bigint column of Postgres holds. */
export function readId(object: JsonObject, key: string): bigint {
  const value = object.get(key)
  if (typeof value !== 'bigint') throw value === undefined ? missing(key) : wrongType(key, 'an integer')
  if (!isId(value)) throw new VenueProtocolError('UNREADABLE_NUMBER', `"${key}" is not an id: ${idExcerpt(value)}`)
  return value
}

export function isId(value: bigint): boolean {
  return value >= 0n && value <= MAX_ID
}

const MAX_ID = 2n ** 63n - 1n

/** A time in milliseconds, as nanoseconds. */
export function readMilliseconds(object: JsonObject, key: string): bigint {
  const nanoseconds = readId(object, key) * NANOSECONDS_PER_MILLISECOND
  if (nanoseconds > MAX_ID) throw new VenueProtocolError('UNREADABLE_NUMBER', `"${key}" lies beyond the year 2262`)
  return nanoseconds
}

const NANOSECONDS_PER_MILLISECOND = 1_000_000n

/** A small whole number, such as a status or a sequence, within the safe integers. */
export function readSafeInteger(object: JsonObject, key: string): number {
  const value = object.get(key)
  if (typeof value !== 'bigint') throw value === undefined ? missing(key) : wrongType(key, 'an integer')
  if (value < MIN_SAFE || value > MAX_SAFE) {
    throw new VenueProtocolError('UNREADABLE_NUMBER', `"${key}" is beyond the safe integers: ${idExcerpt(value)}`)
  }
  return Number(value)
}

const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER)
const MIN_SAFE = -MAX_SAFE

export function readText(object: JsonObject, key: string): string {
  const value = object.get(key)
  if (typeof value !== 'string') throw value === undefined ? missing(key) : wrongType(key, 'a string')
  return value
}

/** `null` when the field is absent or null. */
export function readOptionalText(object: JsonObject, key: string): string | null {
  const value = object.get(key)
  if (value === undefined || value === null) return null
  if (typeof value !== 'string') throw wrongType(key, 'a string')
  return value
}

export function readBoolean(object: JsonObject, key: string): boolean {
  const value = object.get(key)
  if (typeof value !== 'boolean') throw value === undefined ? missing(key) : wrongType(key, 'true or false')
  return value
}

export function readArray(object: JsonObject, key: string): JsonValue[] {
  const value = object.get(key)
  if (!Array.isArray(value)) throw value === undefined ? missing(key) : wrongType(key, 'an array')
  return value
}

export function readSymbol(object: JsonObject, key: string): string {
  const text = readText(object, key)
  const symbol = canonicalSymbol(text)
  if (symbol === null) throw new VenueProtocolError('WRONG_TYPE', `"${key}" is not a symbol: ${excerpt(text)}`)
  return symbol
}

/** A price: plain digits, above zero. */
export function readPrice(value: JsonValue | undefined, key: string): DecimalText {
  const price = readQuantity(value, key)
  if (isZero(price)) throw new VenueProtocolError('UNREADABLE_NUMBER', `"${key}" is a price of zero`)
  return price
}

/** A quantity: plain digits, zero or more. */
export function readQuantity(value: JsonValue | undefined, key: string): DecimalText {
  if (typeof value !== 'string') throw value === undefined ? missing(key) : wrongType(key, 'digits in a string')
  const quantity = readDecimal(value)
  if (quantity === null) {
    throw new VenueProtocolError('UNREADABLE_NUMBER', `"${key}" is not plain digits: ${excerpt(value)}`)
  }
  return quantity
}

export function isObject(value: JsonValue | undefined): value is JsonObject {
  return value instanceof Map
}

/** `what` stands in the message: "a v1 message". */
export function expectObject(value: JsonValue | undefined, what: string): JsonObject {
  if (!isObject(value)) throw new VenueProtocolError('WRONG_TYPE', `${what} is not a JSON object`)
  return value
}

export function expectArray(value: JsonValue | undefined, what: string): JsonValue[] {
  if (!Array.isArray(value)) throw new VenueProtocolError('WRONG_TYPE', `${what} is not a JSON array`)
  return value
}

export function missing(key: string): VenueProtocolError {
  return new VenueProtocolError('MISSING_FIELD', `the field "${key}" is missing`)
}

export function wrongType(key: string, expected: string): VenueProtocolError {
  return new VenueProtocolError('WRONG_TYPE', `the field "${key}" is not ${expected}`)
}

function idExcerpt(value: bigint): string {
  return excerpt(value.toString())
}
