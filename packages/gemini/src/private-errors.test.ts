import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Credentials } from './credentials.ts'
import { PRIVATE_REASONS, type PrivateRefusal, readPrivateRefusal } from './private-errors.ts'

const CREDENTIALS = new Credentials({ key: 'account-canary', secret: 'canary-secret', account: null })

function refusal(status: number, body: string, path = '/v1/instant/quote'): PrivateRefusal {
  return readPrivateRefusal({ method: 'POST', path }, { status, body }, CREDENTIALS)
}

function told(reason: string, message: string): string {
  return JSON.stringify({ result: 'error', reason, message })
}

for (const [name, status, body, reason, remedy, sentence] of [
  [
    'a role that is missing is named, and the key that the venue quotes is not',
    403,
    told(
      'MissingRole',
      'go to the settings page to assign one of these roles [Trader] to API key account-canary which has [Auditor]',
    ),
    'MissingRole',
    'operator',
    'POST /v1/instant/quote was refused (MissingRole, status 403): the key lacks a role: it needs the role Trader; give the key that role on the website, or use another key; the venue says: "go to the settings page to assign one of these roles [Trader] to API key [redacted] which has [Auditor]"',
  ],
  [
    'the other envelope of an error',
    403,
    '{"error":"MissingRole","message":"OrderStatus required"}',
    'MissingRole',
    'operator',
    'POST /v1/instant/quote was refused (MissingRole, status 403): the key lacks a role: it needs the role Trader; give the key that role on the website, or use another key; the venue says: "OrderStatus required"',
  ],
  [
    'a wrong secret',
    400,
    told('InvalidSignature', 'InvalidSignature'),
    'InvalidSignature',
    'operator',
    'POST /v1/instant/quote was refused (InvalidSignature, status 400): the secret is not that of the key: mend BOOKTAPE_GEMINI_API_SECRET; the venue says: "InvalidSignature"',
  ],
  [
    'a nonce',
    400,
    told('InvalidNonce', 'Nonce must be greater than the previous nonce'),
    'InvalidNonce',
    'fresh_nonce',
    'POST /v1/instant/quote was refused (InvalidNonce, status 400): the nonce was used before, or is not near the venue’s time; the venue says: "Nonce must be greater than the previous nonce"',
  ],
  [
    'maintenance as a page of HTML',
    503,
    '<html>Maintenance</html>',
    null,
    'retry',
    'POST /v1/instant/quote was refused (status 503): the venue failed',
  ],
  [
    'a redirect',
    302,
    '',
    null,
    'operator',
    'POST /v1/instant/quote was refused (status 302): the venue answered with a redirect, which is not followed with a signed request',
  ],
  [
    'a reason that nobody has documented',
    400,
    told('NewReason', 'something new'),
    null,
    'refused',
    'POST /v1/instant/quote was refused (status 400): the venue does not say why; the venue says: "something new"',
  ],
  [
    'a reason that is a word of JavaScript',
    400,
    told('constructor', 'x'),
    null,
    'refused',
    'POST /v1/instant/quote was refused (status 400): the venue does not say why; the venue says: "x"',
  ],
  [
    'an empty body',
    404,
    '',
    null,
    'refused',
    'POST /v1/instant/quote was refused (status 404): the venue does not say why',
  ],
  [
    'a master key at the new API',
    401,
    'Unauthorized',
    null,
    'operator',
    'POST /v1/instant/quote was refused (status 401): the venue does not take the key here',
  ],
  [
    'too many requests, whatever the body says',
    429,
    told('System', 'slow down'),
    'System',
    'rate_limited',
    'POST /v1/instant/quote was refused (System, status 429): too many requests; the venue says: "slow down"',
  ],
] as const) {
  test(name, () => assert.deepEqual(refusal(status, body), { status, reason, remedy, sentence }))
}

test('a path whose roles are not known takes them from the venue’s message', () => {
  const { sentence } = refusal(403, told('MissingRole', 'assign one of these roles [FundManager]'), '/v1/withdraw')
  assert.match(sentence, /it needs the role FundManager;/)
})

test('each of the 60 known reasons is read as itself, with a remedy and a meaning', () => {
  const reasons = Object.keys(PRIVATE_REASONS)
  const read = reasons.map((reason) => refusal(400, told(reason, reason)))
  assert.deepEqual(
    read.map(({ reason }) => reason),
    reasons,
  )
  for (const { sentence } of read) assert.ok(sentence.length > 60, sentence)
  assert.equal(reasons.length, 60)
})
