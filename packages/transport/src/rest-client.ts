import type { LookupFunction } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { invariant } from '@booktape/market'
import pRetry from 'p-retry'
import { urlProblem } from './address.ts'
import type { TransportClock } from './clock.ts'
import type { Budget } from './dial-budget.ts'
import { sharedLookup } from './lookup.ts'
import { type Exchange, exchange, MAX_REST_BODY_BYTES, REST_DEADLINE_MS, type RestRequest } from './rest-exchange.ts'

// Without a Retry-After: 1 + 2 + 4 + 8 seconds. The session above knows whether a fifth failure is worth a sixth try.
export const REST_ATTEMPTS = 5

const FIRST_RETRY_MS = 1_000
const LONGEST_RETRY_MS = 60_000

export type RestReply =
  | Readonly<{ kind: 'reply'; status: number; body: string; retryAfterMs: number | null }>
  | Readonly<{ kind: 'failed'; reason: string }> // a sentence that names the request and the cause

export type RestClient = Readonly<{
  /** `path` starts with a slash and may hold a query. Never rejects for what the network or the venue does. */
  get(path: string, signal: AbortSignal): Promise<RestReply>
}>

export type RestPoster = Readonly<{
  /**
   * A request without a body, as `get` in all else. `headersOf` is asked anew for each attempt, once its turn has come: a signature
   * holds a nonce, which is never sent twice. What it throws is thrown.
   */
  post(
    path: string,
    headersOf: () => Promise<Readonly<Record<string, string>>>,
    signal: AbortSignal,
  ): Promise<RestReply>
}>

/**
 * Asks below one base URL, each attempt paid for from `budget`. A lost connection, a deadline, 429 and 5xx are tried
 * again, `REST_ATTEMPTS` times in all; every other status, redirects too, is a reply for the caller to read.
 */
export function createRestClient(
  options: Readonly<{
    baseUrl: string
    budget: Pick<Budget, 'acquire'>
    clock: Pick<TransportClock, 'wallNs'>
    random: () => number // 0 to below 1, for jitter
    ca?: string
    lookup?: LookupFunction
    deadlineMs?: number
    maxBodyBytes?: number
    wait?: (ms: number, signal: AbortSignal) => Promise<void>
  }>,
): RestClient & RestPoster {
  const problem = urlProblem(options.baseUrl, 'https:', 'http:')
  invariant(problem === null, `a base URL is checked before: ${options.baseUrl} ${problem}`)
  const base = options.baseUrl.replace(/\/$/, '')
  const { budget, random, wait = waitFor } = options
  const exchangeOptions = {
    clock: options.clock,
    deadlineMs: options.deadlineMs ?? REST_DEADLINE_MS,
    maxBodyBytes: options.maxBodyBytes ?? MAX_REST_BODY_BYTES,
    lookup: options.lookup ?? sharedLookup,
    ca: options.ca,
  }

  type HeadersOf = () => Promise<RestRequest['headers']>
  const attempt = async (
    method: RestRequest['method'],
    url: URL,
    headersOf: HeadersOf,
    signal: AbortSignal,
  ): Promise<Exchange> => {
    await budget.acquire(signal)
    const outcome = await exchange(url, { method, headers: await headersOf() }, signal, exchangeOptions)
    if (isTransient(outcome)) throw new TransientOutcome(outcome)
    return outcome
  }

  const ask = async (
    method: RestRequest['method'],
    path: string,
    headersOf: HeadersOf,
    signal: AbortSignal,
  ): Promise<RestReply> => {
    invariant(path.startsWith('/'), `a path starts with a slash: ${path}`)
    const url = new URL(base + path)
    try {
      const outcome = await pRetry(() => attempt(method, url, headersOf, signal), {
        retries: REST_ATTEMPTS - 1,
        minTimeout: 0, // we wait ourselves: the venue may say how long
        signal,
        async onFailedAttempt({ error, attemptNumber, retriesLeft }) {
          if (retriesLeft === 0 || !(error instanceof TransientOutcome)) return
          await wait(retryDelayMs(attemptNumber, error.retryAfterMs, random()), signal)
        },
        shouldRetry: ({ error }) => error instanceof TransientOutcome,
      })
      return replyOf(outcome)
    } catch (error) {
      if (signal.aborted) return { kind: 'failed', reason: `${method} ${url.pathname} was given up before its reply` }
      if (error instanceof TransientOutcome) return replyOf(error.outcome)
      throw error
    }
  }

  return {
    get: (path, signal) => ask('GET', path, async () => ({}), signal),
    post: (path, headersOf, signal) => ask('POST', path, headersOf, signal),
  }
}

/**
 * Milliseconds before the attempt after `attempt` (from 1): what the venue asked for, or a doubling from 1 s to 60 s
 * of which a random half is left out, so that many clients do not come back as one. `random` is 0 to below 1.
 */
export function retryDelayMs(attempt: number, retryAfterMs: number | null, random: number): number {
  if (retryAfterMs !== null) return retryAfterMs
  const longest = Math.min(FIRST_RETRY_MS * 2 ** (attempt - 1), LONGEST_RETRY_MS)
  return Math.round(longest * (1 - random / 2))
}

/** How p-retry is told to try again. */
class TransientOutcome extends Error {
  readonly outcome: Exchange

  constructor(outcome: Exchange) {
    super('the request may fare better later')
    this.name = 'TransientOutcome'
    this.outcome = outcome
  }

  get retryAfterMs(): number | null {
    return this.outcome.kind === 'reply' ? this.outcome.retryAfterMs : null
  }
}

function isTransient(outcome: Exchange): boolean {
  return outcome.kind === 'reply' ? outcome.status === 429 || outcome.status >= 500 : outcome.transient
}

function replyOf(outcome: Exchange): RestReply {
  return outcome.kind === 'reply' ? outcome : { kind: 'failed', reason: outcome.reason }
}

async function waitFor(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal })
}
