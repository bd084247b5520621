import { decodeSymbols } from '@booktape/gemini'
import { VenueProtocolError } from '@booktape/market'
import type { Clock, Logger } from '@booktape/runtime'
import type { RestClient, RestReply } from '@booktape/transport'

/** Status and increments change rarely; hourly is twenty-four looks a day at 1 request a second. */
export const REFRESH_INTERVAL_MS = 3_600_000
/** While the venue does not answer, asked again after this long. */
const RETRY_MS = 10_000

/** The symbols the venue lists now, canonical. Waits until it answers. Empty only when `signal` fired. */
export async function listSymbols(rest: RestClient, clock: Clock, log: Logger, signal: AbortSignal): Promise<string[]> {
  while (!signal.aborted) {
    const reply = await rest.get('/v1/symbols', signal)
    const listed = readSymbols(reply)
    if (Array.isArray(listed)) return listed
    log.warn({ reason: listed }, 'the list of symbols is not to be had yet: asking again')
    await clock.sleep(RETRY_MS, signal).catch(() => undefined)
  }
  return []
}

/**
 * Keeps `market.instruments` fresh: every symbol's details, again and again, at the pace of the REST budget. `note` writes
 * each reply into the journal, from which the rows are made.
 */
export async function refreshInstruments(
  symbols: readonly string[],
  parts: { rest: RestClient; clock: Clock; log: Logger; note: (body: string) => void },
  signal: AbortSignal,
): Promise<void> {
  const { rest, clock, log, note } = parts
  while (!signal.aborted) {
    for (const symbol of symbols) {
      const reply = await rest.get(`/v1/symbols/details/${symbol}`, signal)
      if (signal.aborted) return
      if (reply.kind === 'reply' && reply.status === 200) note(reply.body)
      else log.warn({ symbol, reason: describe(reply) }, 'no symbol details: the last known ones stay')
    }
    await clock.sleep(REFRESH_INTERVAL_MS, signal).catch(() => undefined)
  }
}

function readSymbols(reply: RestReply): string[] | string {
  if (reply.kind !== 'reply' || reply.status !== 200) return describe(reply)
  try {
    return [...decodeSymbols(reply.body)]
  } catch (error) {
    if (!(error instanceof VenueProtocolError)) throw error
    return error.message
  }
}

function describe(reply: RestReply): string {
  return reply.kind === 'failed' ? reply.reason : `the venue answered ${reply.status}`
}
