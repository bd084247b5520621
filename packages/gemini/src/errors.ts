/**
 * What a refusal of the venue means for the symbol it concerns. `refused`: the same request will fail again, so the symbol is
 * parked. `rate_limited`: the request is good, we were too fast. `retry`: the venue failed, backing off cures it.
 */
export type Remedy = 'refused' | 'rate_limited' | 'retry'

export type WsErrorRule = Readonly<{ code: number; name: string; meaning: string; remedy: Remedy }>

/** The error codes of the new WebSocket API (docs/gemini.md, claim 23). */
export const WS_ERRORS: readonly WsErrorRule[] = [
  { code: -1000, name: 'INTERNAL_ERROR', meaning: 'the venue failed', remedy: 'retry' },
  { code: -1002, name: 'AUTHENTICATION_REQUIRED', meaning: 'the stream or method is private', remedy: 'refused' },
  { code: -1003, name: 'RATE_LIMIT_EXCEEDED', meaning: 'too many requests in the interval', remedy: 'rate_limited' },
  {
    code: -1013,
    name: 'INVALID_PARAMETERS',
    meaning: 'an unknown stream or symbol, or wrong parameters',
    remedy: 'refused',
  },
  { code: -1020, name: 'UNSUPPORTED_OPERATION', meaning: 'an unknown method', remedy: 'refused' },
  { code: -2010, name: 'ORDER_REJECTED', meaning: 'an order was rejected', remedy: 'refused' },
]

/** A code that is not in the table is judged by its status, as HTTP would be. */
export function wsRemedy(code: number, status: number): Remedy {
  const rule = WS_ERRORS.find((candidate) => candidate.code === code)
  return rule === undefined ? remedyOfStatus(status) : rule.remedy
}

export type RestReason = Readonly<{ reason: string; meaning: string; remedy: Remedy }>

/** The reasons of REST that market data can meet, in the venue's spellings, old and new (docs/gemini.md, claim 24). */
export const REST_REASONS: readonly RestReason[] = [
  { reason: 'InvalidSymbol', meaning: 'no such symbol', remedy: 'refused' },
  {
    reason: 'Bad Request',
    meaning: 'a value in the path or query is not valid, such as an unknown symbol',
    remedy: 'refused',
  },
  { reason: 'NoValidTradingPairs', meaning: 'none of the symbols asked for is known', remedy: 'refused' },
  { reason: 'EndpointNotFound', meaning: 'no such path', remedy: 'refused' },
  { reason: 'MarketNotOpen', meaning: 'the market of this symbol is not open', remedy: 'retry' },
  { reason: 'RateLimit', meaning: 'too many requests', remedy: 'rate_limited' },
  { reason: 'Too Many Requests', meaning: 'too many requests', remedy: 'rate_limited' },
  { reason: 'System', meaning: 'the venue failed', remedy: 'retry' },
  { reason: 'Maintenance', meaning: 'the venue is down for maintenance', remedy: 'retry' },
]

/** By the status first, for the body may be anything; the reason tells apart what a 400 means. */
export function restRemedy(status: number, reason: string | null): Remedy {
  if (status === TOO_MANY_REQUESTS || status >= SERVER_ERRORS) return remedyOfStatus(status)
  const rule = REST_REASONS.find((candidate) => candidate.reason === reason)
  return rule === undefined ? remedyOfStatus(status) : rule.remedy
}

const TOO_MANY_REQUESTS = 429
const CLIENT_ERRORS = 400
const SERVER_ERRORS = 500

function remedyOfStatus(status: number): Remedy {
  if (status === TOO_MANY_REQUESTS) return 'rate_limited'
  return status >= CLIENT_ERRORS && status < SERVER_ERRORS ? 'refused' : 'retry'
}
