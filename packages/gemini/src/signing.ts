import { invariant } from '@booktape/market'
import type { Credentials } from './credentials.ts'

/** The headers of a signed request, of an HTTP upgrade too. They hold the key: never to be logged or stored. */
export type SignedHeaders = Readonly<Record<string, string>>

/** Parameters of a private request. The venue takes amounts and ids as strings, times and limits as whole numbers. */
export type PrivateParameters = Readonly<Record<string, string | number>>

/**
 * Signs a request of REST, or the upgrade of `/v1/order/events` (docs/gemini.md, claim 27). Everything is in the headers. `path` is
 * the path that is called, to the letter: the venue compares them.
 */
export function signRequest(
  credentials: Credentials,
  path: string,
  nonce: bigint,
  parameters: PrivateParameters = {},
): SignedHeaders {
  invariant(/^\/v\d\/[a-z0-9/]*$/.test(path), 'a private path is signed without its query')
  const account = credentials.account === null ? {} : { account: credentials.account }
  const fields = Object.entries({ ...account, ...parameters }).map(([key, value]) => {
    return `,${JSON.stringify(key)}:${JSON.stringify(value)}`
  })
  return signed(credentials, `{"request":"${path}","nonce":${nonce}${fields.join('')}}`)
}

/**
 * Signs the upgrade of a private connection to the new WebSocket API: the payload is the nonce and nothing else, and the nonce
 * is Unix seconds (claim 30).
 */
export function signStream(credentials: Credentials, nonce: bigint): SignedHeaders {
  invariant(credentials.account === null, 'the new WebSocket API knows keys of one account only')
  return { 'X-GEMINI-NONCE': nonce.toString(), ...signed(credentials, nonce.toString()) }
}

/** What a private request of REST has beside its signature: it is a POST with nothing in its body. */
export const EMPTY_POST_HEADERS: Readonly<Record<string, string>> = {
  'Content-Type': 'text/plain',
  'Content-Length': '0',
  'Cache-Control': 'no-cache',
}

function signed(credentials: Credentials, text: string): SignedHeaders {
  const payload = Buffer.from(text, 'utf8').toString('base64')
  return { 'X-GEMINI-PAYLOAD': payload, ...credentials.headersFor(payload) }
}
