import { createHash, createHmac } from 'node:crypto'
import { invariant } from '@booktape/market'

/** What stands in a text where a key or a secret stood. */
const REDACTED = '[redacted]'

/**
 * An API key and its secret. Both are private fields, so that no logger, inspector or serializer shows them; they leave this object
 * only as the headers of a signed request.
 */
export class Credentials {
  readonly account: string | null
  readonly #key: string
  readonly #secret: string

  /** `account` names the account that a master key acts for; null with every other key (docs/gemini.md, claim 29). */
  constructor({ key, secret, account }: Readonly<{ key: string; secret: string; account: string | null }>) {
    invariant(key !== '' && secret !== '', 'credentials are never empty')
    invariant(isMasterKey(key) === (account !== null), 'an account is named with a master key and with no other')
    this.#key = key
    this.#secret = secret
    this.account = account
  }

  /** Says which key it is without being it: 16 hex digits, for names of files and rows. */
  get fingerprint(): string {
    return createHash('sha256').update(this.#key).digest('hex').slice(0, FINGERPRINT_DIGITS)
  }

  /** The two headers that every signed request has: the key, and the HMAC-SHA384 of the payload's base64 text, lowercase hex. */
  headersFor(payload: string): Readonly<Record<'X-GEMINI-APIKEY' | 'X-GEMINI-SIGNATURE', string>> {
    return {
      'X-GEMINI-APIKEY': this.#key,
      'X-GEMINI-SIGNATURE': createHmac('sha384', this.#secret).update(payload, 'utf8').digest('hex'),
    }
  }

  /** A text of the venue without our key and secret: its message about a missing role quotes the key (claim 33). */
  redact(text: string): string {
    return text.replaceAll(this.#key, REDACTED).replaceAll(this.#secret, REDACTED)
  }
}

/** Enough to tell keys apart, too little to try keys against. */
const FINGERPRINT_DIGITS = 16

/** A key of a group of accounts: each request must say which account it is about. */
export function isMasterKey(key: string): boolean {
  return key.startsWith('master-')
}
