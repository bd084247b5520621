import {
  type Credentials,
  EMPTY_POST_HEADERS,
  type PrivateParameters,
  type PrivateRefusal,
  readPrivateRefusal,
  signRequest,
} from '@booktape/gemini'
import type { Clock } from '@booktape/runtime'
import type { RestPoster } from '@booktape/transport'
import { NonceError, type NonceStore } from './nonce-store.ts'

/** What came of a private request. No text in it holds the key or the secret. */
export type PrivateReply = Readonly<{ sentNs: bigint; receivedNs: bigint }> &
  (
    | Readonly<{ kind: 'answered'; body: string }>
    | Readonly<{ kind: 'refused'; refusal: PrivateRefusal }>
    | Readonly<{ kind: 'failed'; reason: string }>
  )

/** All that a signed request is for here. Executing a quote, and orders, are not among them. */
export const PRIVATE_PATHS = ['/v1/instant/quote', '/v1/orders/history', '/v1/mytrades'] as const
export type PrivatePath = (typeof PRIVATE_PATHS)[number]

/**
 * Signed requests of one key, one at a time: nonces must arrive in the order in which they grow. Waiting for a budget, 429, 5xx and
 * lost connections are the REST client's; a nonce that is refused is given anew once.
 */
export class PrivateClient {
  readonly #rest: RestPoster
  readonly #credentials: Credentials
  readonly #nonces: Pick<NonceStore, 'take' | 'kind'>
  readonly #clock: Pick<Clock, 'wallNs'>
  #turn: Promise<unknown> = Promise.resolve()

  constructor(parts: {
    rest: RestPoster
    credentials: Credentials
    nonces: Pick<NonceStore, 'take' | 'kind'>
    clock: Pick<Clock, 'wallNs'>
  }) {
    this.#rest = parts.rest
    this.#credentials = parts.credentials
    this.#nonces = parts.nonces
    this.#clock = parts.clock
  }

  /** Never rejects for what the network, the venue or the clock does. */
  post(path: PrivatePath, parameters: PrivateParameters, signal: AbortSignal): Promise<PrivateReply> {
    const reply = this.#turn.then(() => this.#postNow(path, parameters, signal))
    this.#turn = reply.catch(() => undefined)
    return reply
  }

  async #postNow(path: PrivatePath, parameters: PrivateParameters, signal: AbortSignal): Promise<PrivateReply> {
    const first = await this.#attempt(path, parameters, signal)
    if (first.kind !== 'refused' || first.refusal.remedy !== 'fresh_nonce') return first
    const second = await this.#attempt(path, parameters, signal)
    if (second.kind !== 'refused' || second.refusal.remedy !== 'fresh_nonce') return second
    const sentence = `${second.refusal.sentence}; so was one before it: ${LASTING_NONCE_TROUBLE[this.#nonces.kind]}`
    return { ...second, refusal: { ...second.refusal, remedy: 'operator', sentence } }
  }

  async #attempt(path: PrivatePath, parameters: PrivateParameters, signal: AbortSignal): Promise<PrivateReply> {
    let sentNs = this.#clock.wallNs()
    try {
      const headersOf = async (): Promise<Readonly<Record<string, string>>> => {
        const nonce = await this.#nonces.take(signal)
        sentNs = this.#clock.wallNs()
        return { ...EMPTY_POST_HEADERS, ...signRequest(this.#credentials, path, nonce, parameters) }
      }
      const reply = await this.#rest.post(path, headersOf, signal)
      const times = { sentNs, receivedNs: this.#clock.wallNs() }
      if (reply.kind === 'failed') return { ...times, kind: 'failed', reason: this.#credentials.redact(reply.reason) }
      if (reply.status === 200) return { ...times, kind: 'answered', body: this.#credentials.redact(reply.body) }
      const refusal = readPrivateRefusal({ method: 'POST', path }, reply, this.#credentials)
      return { ...times, kind: 'refused', refusal }
    } catch (error) {
      if (!(error instanceof NonceError)) throw error
      return { sentNs, receivedNs: this.#clock.wallNs(), kind: 'failed', reason: `POST ${path}: ${error.message}` }
    }
  }
}

const LASTING_NONCE_TROUBLE = {
  monotonic: 'another program uses this key with greater nonces; give each program a key of its own',
  time: 'this machine’s clock is more than 30 s off, or another program uses this key; mend the clock, give each program a key of its own',
} as const
