import { createHmac, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { Refusal } from '@booktape/venue'
import { errorAnswer } from '@booktape/venue'

export type Role = 'Trader' | 'Auditor' | 'FundManager'

/** A key that the exchange has given out. */
export type ApiKey = Readonly<{
  key: string
  secret: string
  roles: readonly Role[]
  nonces: 'monotonic' | 'time'
  accounts?: readonly string[] // of a master key: the accounts it may name
}>

/** For a first look at the private side; there is nothing that they protect. */
export const SIMULATED_KEYS: readonly ApiKey[] = [
  { key: 'account-simulated', secret: 'simulated-secret', roles: ['Trader'], nonces: 'monotonic' },
  { key: 'account-simulated-time', secret: 'simulated-secret', roles: ['Trader'], nonces: 'time' },
  { key: 'account-simulated-auditor', secret: 'simulated-secret', roles: ['Auditor'], nonces: 'monotonic' },
  {
    key: 'master-simulated',
    secret: 'simulated-secret',
    roles: ['Trader'],
    nonces: 'monotonic',
    accounts: ['primary'],
  },
]

/** The key that signed a request, and the fields of its payload. */
export type Signed = Readonly<{ key: ApiKey; fields: Readonly<Record<string, unknown>> }>

/** A nonce of time is good this far from the venue's clock. */
const TIME_TOLERANCE_S = 30n
const NS_PER_S = 1_000_000_000n

/** What a private request shows of itself; Node writes the names of headers in lowercase. */
export type PrivateHeaders = IncomingHttpHeaders

/** The keys given out, and the last nonce of each: who signed what, or why it is not taken. */
export class KeyRing {
  readonly #keys: ReadonlyMap<string, ApiKey>
  readonly #lastNonces = new Map<string, bigint>()

  constructor(keys: readonly ApiKey[]) {
    this.#keys = new Map(keys.map((key) => [key.key, key]))
  }

  /** A request of REST, or the upgrade of the order events. */
  readRequest(path: string, headers: PrivateHeaders, roles: readonly Role[], nowNs: bigint): Signed | Refusal {
    const signed = this.#readSigned(headers)
    if ('status' in signed) return signed
    const { key, payload } = signed
    const fields = parse(payload)
    if (fields === null) return errorAnswer(400, 'InvalidJson', 'The JSON provided is invalid')
    if (fields['request'] !== path)
      return errorAnswer(400, 'EndpointMismatch', `The payload is for another endpoint than ${path}`)
    const refusal =
      this.#refuseNonce(key, /"nonce"\s*:\s*"?(\d{1,30})"?\s*[,}]/.exec(payload)?.[1], nowNs) ??
      refuseAccount(key, fields['account']) ??
      refuseRoles(key, roles)
    return refusal ?? { key, fields }
  }

  /** The upgrade of the new WebSocket API; null for a connection that shows no key. */
  readStream(headers: PrivateHeaders, nowNs: bigint): Signed | Refusal | null {
    if (headers['x-gemini-apikey'] === undefined) return null
    const signed = this.#readSigned(headers)
    if ('status' in signed) return signed
    const { key, payload } = signed
    if (key.nonces !== 'time' || key.accounts !== undefined || headers['x-gemini-nonce'] !== payload)
      return errorAnswer(401, 'Unauthorized', 'Authentication failed')
    return this.#refuseNonce(key, payload, nowNs) ?? { key, fields: {} }
  }

  #readSigned(headers: PrivateHeaders): Readonly<{ key: ApiKey; payload: string }> | Refusal {
    const keyText = headers['x-gemini-apikey']
    const base64 = headers['x-gemini-payload']
    const signature = headers['x-gemini-signature']
    if (typeof keyText !== 'string') return missing('MissingApikeyHeader', 'X-GEMINI-APIKEY')
    if (typeof base64 !== 'string') return missing('MissingPayloadHeader', 'X-GEMINI-PAYLOAD')
    if (typeof signature !== 'string') return missing('MissingSignatureHeader', 'X-GEMINI-SIGNATURE')
    const key = this.#keys.get(keyText)
    if (key === undefined) return errorAnswer(400, 'InvalidApiKey', 'The API key is not known')
    const expected = Buffer.from(createHmac('sha384', key.secret).update(base64).digest('hex'))
    const given = Buffer.from(signature)
    if (expected.length !== given.length || !timingSafeEqual(expected, given))
      return errorAnswer(400, 'InvalidSignature', 'InvalidSignature')
    return { key, payload: Buffer.from(base64, 'base64').toString('utf8') }
  }

  #refuseNonce(key: ApiKey, text: string | undefined, nowNs: bigint): Refusal | null {
    if (text === undefined || !/^\d{1,30}$/.test(text))
      return errorAnswer(400, 'MissingPayloadKey', 'The payload has no nonce')
    const nonce = BigInt(text)
    const last = this.#lastNonces.get(key.key) ?? -1n
    if (nonce <= last) return errorAnswer(400, 'InvalidNonce', 'Nonce must be greater than the previous nonce')
    const distance = nonce - nowNs / NS_PER_S
    if (key.nonces === 'time' && (distance > TIME_TOLERANCE_S || distance < -TIME_TOLERANCE_S))
      return errorAnswer(400, 'InvalidNonce', `Nonce is not within ${TIME_TOLERANCE_S} seconds of Unix Epoch timestamp`)
    this.#lastNonces.set(key.key, nonce)
    return null
  }
}

function refuseAccount(key: ApiKey, account: unknown): Refusal | null {
  if (key.accounts === undefined) return null
  if (typeof account !== 'string') return errorAnswer(400, 'MissingAccounts', 'A required account field is missing')
  if (key.accounts.includes(account)) return null
  return errorAnswer(400, 'InvalidAccountName', 'The name did not match any account of the group')
}

/** The venue's own words, which quote the key (docs/gemini.md, claim 33). */
function refuseRoles(key: ApiKey, roles: readonly Role[]): Refusal | null {
  if (key.roles.some((role) => roles.includes(role))) return null
  return errorAnswer(
    403,
    'MissingRole',
    'To access this endpoint, you need to log in to the website and go to the settings page to assign one of these roles ' +
      `[${roles.join(', ')}] to API key ${key.key} which currently has roles [${key.roles.join(', ')}]`,
  )
}

function missing(reason: string, header: string): Refusal {
  return errorAnswer(400, reason, `The ${header} header is missing`)
}

function parse(payload: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(payload)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null
  } catch {
    return null
  }
}
