import type { Credentials } from './credentials.ts'
import { decodeRestError } from './decode-rest.ts'
import { excerpt } from './excerpt.ts'

/**
 * What a refusal of a private request means. `retry`: the venue failed. `rate_limited`: we were too fast. `fresh_nonce`: the same request
 * with another nonce. `operator`: the key, its roles or its settings must be mended. `refused`: this request will never work.
 */
export type PrivateRemedy = 'retry' | 'rate_limited' | 'fresh_nonce' | 'operator' | 'refused'

type Rule = Readonly<{ remedy: PrivateRemedy; meaning: string }>

/** Every reason of the venue's documents, and those that only the wire has (docs/gemini.md, claim 32). */
export const PRIVATE_REASONS = {
  AccountNotOfTypeRequired: operator('the account is not of the type that this needs'),
  AccountsOfTypeRequired: operator('an account of another type is needed'),
  AmbiguousAuthentication: operator('the request was signed in two ways at once'),
  AuctionNotOpen: refused('there is no auction of this symbol'),
  'Bad Request': refused('a value of the request is not valid'),
  BadAccountType: refused('the type of the account is neither exchange nor custody'),
  BadNonce: freshNonce('the nonce was used before, or is not near the venue’s time'),
  ClientOrderIdMustBeString: refused('the client order id is not a string'),
  ClientOrderIdTooLong: refused('the client order id has 100 characters or more'),
  ConflictingAccountName: refused('the name of the account is taken'),
  ConflictingOptions: refused('options that exclude each other'),
  EndpointMismatch: operator(
    'the path that was called is not the one that was signed: something between us changes paths',
  ),
  EndpointNotFound: refused('there is no such path'),
  ExceededMaxAccountsInGroup: refused('the group has as many accounts as it may have'),
  GTSTradeIDMustBeString: refused('the clearing id is not a string'),
  HasNotAgreedToCustodyTerms: operator('the terms of custody must be agreed to on the website'),
  IneligibleTiming: refused('it is too late for this auction'),
  InsufficientFunds: refused('the account does not hold enough'),
  InvalidAccountName: operator('no account of the group has this name: mend BOOKTAPE_GEMINI_ACCOUNT'),
  InvalidAccountType: refused('the type of the account is not one it can have'),
  InvalidApiKey: operator(
    'the venue does not know the key: mend BOOKTAPE_GEMINI_API_KEY (keys of the sandbox work there only)',
  ),
  InvalidFundTransfer: refused('the transfer did not happen'),
  InvalidJson: refused('the payload is not JSON'),
  InvalidNonce: freshNonce('the nonce was used before, or is not near the venue’s time'),
  InvalidOrderType: refused('there is no such type of order'),
  InvalidParameterValue: refused('a parameter has a value it cannot have'),
  InvalidPrice: refused('the price is not one it can be'),
  InvalidQuantity: refused('the quantity is not one it can be'),
  InvalidSide: refused('the side is neither buy nor sell'),
  InvalidSignature: operator('the secret is not that of the key: mend BOOKTAPE_GEMINI_API_SECRET'),
  InvalidStopPrice: refused('the stop price is not one it can be'),
  InvalidStopPriceBuy: refused('the stop price is above the price of the buy'),
  InvalidStopPriceRatio: refused('the price is not within half of the stop price'),
  InvalidStopPriceSell: refused('the stop price is below the price of the sell'),
  InvalidSymbol: refused('there is no such symbol'),
  InvalidTimestampInPayload: refused('a timestamp has a value it cannot have'),
  Maintenance: retry('the venue is down for maintenance'),
  MarketNotOpen: retry('the market of this symbol is not open'),
  MethodNotAllowed: refused('the path is called by another method'),
  MissingAccountName: operator('a master key must say which account it is about: set BOOKTAPE_GEMINI_ACCOUNT'),
  MissingAccounts: operator('a master key must say which account it is about: set BOOKTAPE_GEMINI_ACCOUNT'),
  MissingApikeyHeader: operator('the header with the key did not arrive: something between us takes headers away'),
  MissingName: refused('a name is missing'),
  MissingOrderField: refused('the order id is missing'),
  MissingPayloadHeader: operator('the header with the payload did not arrive: something between us takes headers away'),
  MissingPayloadKey: refused('the payload lacks a field'),
  MissingRole: operator('the key lacks a role'),
  MissingSecurityHeaders: operator('the signed headers did not arrive: something between us takes headers away'),
  MissingSignatureHeader: operator(
    'the header with the signature did not arrive: something between us takes headers away',
  ),
  MustAccepTerms: operator('terms must be agreed to on the website'), // spelt so by the venue
  NoAccountOfTypeRequired: operator('the group has no account of the type that this needs'),
  NoSSL: operator('the venue is spoken to by https only'),
  NotGroupApiCompatible: operator('this works with the key of one account only, not with a master key'),
  OptionsMustBeArray: refused('the options are no array'),
  OrderNotFound: refused('there is no such order'),
  RateLimit: rateLimited('too many requests'),
  RemoteAddressForbidden: operator('the key may not be used from this address: add it to the addresses of the key'),
  System: retry('the venue failed'),
  'Too Many Requests': rateLimited('too many requests'),
  UnsupportedOption: refused('there is no such option'),
} as const satisfies Readonly<Record<string, Rule>>

export type PrivateReason = keyof typeof PRIVATE_REASONS

/** The roles that can do it, as the venue's documents name them. */
export const ROLES_OF: Readonly<Record<string, string>> = {
  '/v1/instant/quote': 'Trader',
  '/v1/order/events': 'Trader or Auditor',
  '/v1/orders/history': 'Trader or Auditor',
  '/v1/mytrades': 'Trader or Auditor',
}

/** One refusal. `sentence` names the request, the cause and the next step, and holds neither key nor secret. */
export type PrivateRefusal = Readonly<{
  status: number
  reason: PrivateReason | null // null: none that is known
  remedy: PrivateRemedy
  sentence: string
}>

/**
 * Reads a reply to a private request that is not 200. Never throws: the body may be anything. The status decides over 429, 5xx and
 * redirects, which are never followed, because the headers hold the key.
 */
export function readPrivateRefusal(
  request: Readonly<{ path: string; method: 'GET' | 'POST' }>,
  reply: Readonly<{ status: number; body: string }>,
  credentials: Credentials,
): PrivateRefusal {
  const { status } = reply
  const told = decodeRestError(status, reply.body)
  const reason = isPrivateReason(told.reason) ? told.reason : null
  const rule = ruleOf(status, reason)
  const because = reason === null ? `status ${status}` : `${reason}, status ${status}`
  const venueSays = told.message === null ? '' : `; the venue says: ${excerpt(credentials.redact(told.message), SAID)}`
  const roles = reason === 'MissingRole' ? roleSentence(request.path, told.message) : ''
  const sentence = `${request.method} ${request.path} was refused (${because}): ${rule.meaning}${roles}${venueSays}`
  return { status, reason, remedy: rule.remedy, sentence }
}

/** A message is one sentence. */
const SAID = 200

function roleSentence(path: string, message: string | null): string {
  const needed = ROLES_OF[path] ?? /\[([A-Za-z, ]{1,60})\]/.exec(message ?? '')?.[1] ?? 'another one'
  return `: it needs the role ${needed}; give the key that role on the website, or use another key`
}

function ruleOf(status: number, reason: PrivateReason | null): Rule {
  if (status === 429) return rateLimited('too many requests')
  if (status >= 500) return retry(reason === null ? 'the venue failed' : PRIVATE_REASONS[reason].meaning)
  if (status >= 300 && status < 400) {
    return operator('the venue answered with a redirect, which is not followed with a signed request')
  }
  if (reason !== null) return PRIVATE_REASONS[reason]
  if (status === 401) return operator('the venue does not take the key here')
  if (status === 403) return operator('the key may not do this')
  return refused('the venue does not say why')
}

function isPrivateReason(reason: string | null): reason is PrivateReason {
  return reason !== null && Object.hasOwn(PRIVATE_REASONS, reason)
}

function retry(meaning: string): Rule {
  return { remedy: 'retry', meaning }
}

function rateLimited(meaning: string): Rule {
  return { remedy: 'rate_limited', meaning }
}

function freshNonce(meaning: string): Rule {
  return { remedy: 'fresh_nonce', meaning }
}

function operator(meaning: string): Rule {
  return { remedy: 'operator', meaning }
}

function refused(meaning: string): Rule {
  return { remedy: 'refused', meaning }
}
