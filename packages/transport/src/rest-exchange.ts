import { request as requestPlain } from 'node:http'
import { request as requestSecure } from 'node:https'
import type { LookupFunction } from 'node:net'
import type { TransportClock } from './clock.ts'
import { type BodyEnd, readAtMost } from './read-at-most.ts'
import { codeOf, isTlsCode, messageOf } from './refusal.ts'
import { readRetryAfterMs } from './retry-after.ts'

// The whole exchange: lookup, TCP, TLS, request and the body's last byte.
export const REST_DEADLINE_MS = 10_000
// A full book of the deepest symbol is about 1 MB of JSON.
export const MAX_REST_BODY_BYTES = 16 * 1024 * 1024

export type ExchangeOptions = Readonly<{
  clock: Pick<TransportClock, 'wallNs'>
  deadlineMs: number
  maxBodyBytes: number
  lookup: LookupFunction
  ca: string | undefined
}>

/** What is asked for. The headers of a private request hold the key: no sentence of ours quotes them. */
export type RestRequest = Readonly<{ method: 'GET' | 'POST'; headers: Readonly<Record<string, string>> }>

/** What one request came to. `transient`: the same request may fare better later. */
export type Exchange =
  | Readonly<{ kind: 'reply'; status: number; body: string; retryAfterMs: number | null }>
  | Readonly<{ kind: 'failed'; reason: string; transient: boolean }>

/** One request without a body, on a connection of its own: no redirect is followed, no compressed body is asked for or accepted. */
export function exchange(
  url: URL,
  { method, headers }: RestRequest,
  signal: AbortSignal,
  options: ExchangeOptions,
): Promise<Exchange> {
  const { clock, deadlineMs, maxBodyBytes, lookup, ca } = options
  const subject = `${method} ${url.pathname}`
  return new Promise((resolve) => {
    const request = (url.protocol === 'https:' ? requestSecure : requestPlain)(url, {
      agent: false, // a new connection resolves the name again and cannot be a stale one
      method,
      headers: { accept: 'application/json', 'accept-encoding': 'identity', 'user-agent': 'booktape', ...headers },
      lookup,
      minVersion: 'TLSv1.2',
      rejectUnauthorized: true, // said aloud, so that NODE_TLS_REJECT_UNAUTHORIZED cannot say otherwise
      ...(ca === undefined ? {} : { ca }),
    })
    const finish = (outcome: Exchange): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', giveUp)
      resolve(outcome)
      request.destroy()
    }
    const fail = (why: string, transient: boolean): void => {
      finish({ kind: 'failed', reason: `${subject} ${why}`, transient })
    }
    const giveUp = (): void => fail('was given up before its reply', false)
    const timer = setTimeout(() => fail(`had no whole reply within ${deadlineMs} ms`, true), deadlineMs)
    signal.addEventListener('abort', giveUp, { once: true })
    request.on('error', (error) => {
      const code = codeOf(error) ?? error.name
      fail(`had no reply: ${code}: ${messageOf(error)}`, !isTlsCode(code) && code !== 'PRIVATE_ADDRESS')
    })
    request.on('response', (response) => {
      readAtMost(response, maxBodyBytes, (body, end) => {
        const encoding = response.headers['content-encoding'] ?? 'identity'
        const text = readText(body, end)
        if (end === 'broken') fail(`lost its connection after ${body.length} bytes of the body`, true)
        else if (end === 'too long') fail(`was answered with a body of more than ${maxBodyBytes} bytes`, false)
        else if (encoding !== 'identity') fail(`was answered in ${encoding}, which was not asked for`, false)
        else if (text === null) fail('was answered with a body that is not UTF-8', false)
        else {
          const retryAfterMs = readRetryAfterMs(response.headers['retry-after'], clock)
          finish({ kind: 'reply', status: response.statusCode ?? 0, body: text, retryAfterMs })
        }
      })
    })
    request.end()
    if (signal.aborted) giveUp()
  })
}

function readText(body: Buffer, end: BodyEnd): string | null {
  if (end !== 'whole') return null
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body)
  } catch {
    return null // the only thing a fatal decoder throws for
  }
}
