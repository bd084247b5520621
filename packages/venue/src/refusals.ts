import type { Refusal } from './frames.ts'

// Bodies as the venue writes them (docs/gemini.md, claim 24).

const JSON_HEADERS = { 'content-type': 'application/json' }

export function errorAnswer(status: number, reason: string, message: string): Refusal {
  return { status, headers: JSON_HEADERS, body: JSON.stringify({ result: 'error', reason, message }) }
}

export function unknownSymbol(symbol: string): Refusal {
  return errorAnswer(400, 'Bad Request', `Supplied value '${symbol.toUpperCase()}' is not a valid symbol`)
}

const REASONS: Readonly<Record<number, readonly [reason: string, message: string]>> = {
  403: ['Forbidden', 'Access is denied'],
  404: ['EndpointNotFound', 'API entry point not found'],
  406: ['Not Acceptable', 'Insecure request'],
  429: ['RateLimit', 'Rate limit exceeded'],
  500: ['System', 'The server encountered an error'],
  502: ['System', 'Technical issues'],
  503: ['Maintenance', 'The exchange is down for maintenance'],
}

/** What a fault answers with `status`, and with Retry-After unless null. */
export function refusalFor(status: number, retryAfterS: number | null): Refusal {
  const [reason, message] = REASONS[status] ?? ['Bad Request', 'Refused']
  const refusal = errorAnswer(status, reason, message)
  if (retryAfterS === null) return refusal
  return { ...refusal, headers: { ...refusal.headers, 'retry-after': retryAfterS.toString() } }
}
