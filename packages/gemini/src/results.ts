import { VenueProtocolError } from '@booktape/market'
import { excerpt } from './excerpt.ts'
import { expectArray, expectObject, readArray, readId, readMilliseconds, readText } from './fields.ts'
import type { JsonValue } from './json-value.ts'
import { limitLevels, type PriceQuantity, readPairs } from './levels.ts'

/** The venue's book after `lastUpdateId`. A side with exactly as many levels as were asked for may be cut. */
export type DepthResult = Readonly<{
  lastUpdateId: bigint
  bids: readonly PriceQuantity[]
  asks: readonly PriceQuantity[]
}>

/** One limit of `conninfo`: `count` of `limit` used within `intervalCount` times `interval`. */
export type RateLimit = Readonly<{
  type: string
  interval: string
  intervalCount: bigint
  limit: bigint
  count: bigint
}>

/** The result of `depth`. Throws VenueProtocolError. */
export function readDepthResult(result: JsonValue): DepthResult {
  const depth = expectObject(result, 'the result of depth')
  const bids = readArray(depth, 'bids')
  const asks = readArray(depth, 'asks')
  limitLevels(bids.length + asks.length)
  return { lastUpdateId: readId(depth, 'lastUpdateId'), bids: readPairs(bids), asks: readPairs(asks) }
}

/** The result of `time`: the venue's clock, in nanoseconds (the wire gives milliseconds). Throws VenueProtocolError. */
export function readServerTime(result: JsonValue): bigint {
  return readMilliseconds(expectObject(result, 'the result of time'), 'serverTime')
}

/** The result of `list_subscriptions`: stream names, lowercase up to the "@". Throws VenueProtocolError. */
export function readSubscriptions(result: JsonValue): readonly string[] {
  return expectArray(result, 'the result of list_subscriptions').map((stream) => {
    if (typeof stream !== 'string') throw new VenueProtocolError('WRONG_TYPE', 'a subscription is not a string')
    const at = stream.indexOf('@')
    if (at === -1) return stream
    if (stream.length > MAX_STREAM_NAME)
      throw new VenueProtocolError('TOO_LARGE', `not a stream name: ${excerpt(stream)}`)
    return stream.slice(0, at).toLowerCase() + stream.slice(at) // an uppercase subscribe is accepted (claim 18)
  })
}

/** A symbol of 64 characters and the longest stream suffix. */
const MAX_STREAM_NAME = 128

/** The `rateLimits` of `conninfo`, which stand beside the result, not in it. Throws VenueProtocolError. */
export function readRateLimits(rateLimits: JsonValue): readonly RateLimit[] {
  return expectArray(rateLimits, 'the rate limits of conninfo').map((element) => {
    const limit = expectObject(element, 'a rate limit')
    return {
      type: readText(limit, 'rateLimitType'),
      interval: readText(limit, 'interval'),
      intervalCount: readId(limit, 'intervalNum'),
      limit: readId(limit, 'limit'),
      count: readId(limit, 'count'),
    }
  })
}
