import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { Credentials } from './credentials.ts'
import { type SignedHeaders, signRequest, signStream } from './signing.ts'

const DOCUMENTED = new Credentials({ key: 'mykey', secret: '1234abcd', account: null })
const ACCOUNT = new Credentials({ key: 'account-conformance', secret: 'conformance-api-secret', account: null })
const MASTER = new Credentials({ key: 'master-canary', secret: 'canary-secret', account: 'my-trading-account' })

test('the example of the venue’s documents: its payload gives its signature', () => {
  const payload =
    'ewogICAgInJlcXVlc3QiOiAiL3YxL29yZGVyL3N0YXR1cyIsCiAgICAibm9uY2UiOiAxMjM0NTYsCgogICAgIm9yZGVyX2lkIjogMTg4MzQKfQo='
  assert.deepEqual(DOCUMENTED.headersFor(payload), {
    'X-GEMINI-APIKEY': 'mykey',
    'X-GEMINI-SIGNATURE':
      '337cc8b4ea692cfe65b4a85fcc9f042b2e3f702ac956fd098d600ab15705775017beae402be773ceee10719ff70d710f',
  })
})

for (const [name, headers, key, text] of [
  [
    'a request without parameters',
    signRequest(ACCOUNT, '/v1/order/status', 1_700_000_000_001n),
    'account-conformance',
    '{"request":"/v1/order/status","nonce":1700000000001}',
  ],
  [
    'a request with parameters, in the order given',
    signRequest(ACCOUNT, '/v1/instant/quote', 1_700_000_000_000n, {
      symbol: 'BTCUSD',
      side: 'buy',
      totalSpend: '100.50',
    }),
    'account-conformance',
    '{"request":"/v1/instant/quote","nonce":1700000000000,"symbol":"BTCUSD","side":"buy","totalSpend":"100.50"}',
  ],
  [
    'a request of a master key, which names the account',
    signRequest(MASTER, '/v1/balances', 7n),
    'master-canary',
    '{"request":"/v1/balances","nonce":7,"account":"my-trading-account"}',
  ],
  [
    'an upgrade to the order events of v1',
    signRequest(ACCOUNT, '/v1/order/events', 9_007_199_254_740_993n),
    'account-conformance',
    '{"request":"/v1/order/events","nonce":9007199254740993}',
  ],
  ['an upgrade to the new API', signStream(ACCOUNT, 1_790_000_000n), 'account-conformance', '1790000000'],
] as const) {
  test(`${name}: the payload is that text, and openssl signs it alike`, (t) => {
    const payload = headers['X-GEMINI-PAYLOAD'] ?? ''
    assert.equal(Buffer.from(payload, 'base64').toString('utf8'), text)
    assert.equal(headers['X-GEMINI-APIKEY'], key)
    const secret = key === 'master-canary' ? 'canary-secret' : 'conformance-api-secret'
    const signature = opensslHmac(payload, secret)
    if (signature === null) {
      assert.equal(process.env['CI'], undefined, 'CI has openssl')
      return t.skip('no openssl here')
    }
    assert.equal(headers['X-GEMINI-SIGNATURE'], signature)
  })
}

test('a request has three headers; an upgrade to the new API has the nonce in one of its own', () => {
  const names = (headers: SignedHeaders): string[] => Object.keys(headers)
  const signed = ['X-GEMINI-PAYLOAD', 'X-GEMINI-APIKEY', 'X-GEMINI-SIGNATURE']
  assert.deepEqual(names(signRequest(ACCOUNT, '/v1/balances', 1n)), signed)
  assert.deepEqual(names(signStream(ACCOUNT, 1n)), ['X-GEMINI-NONCE', ...signed])
})

test('a path with a query, and a stream with a master key, are no requests of ours', () => {
  assert.throws(() => signRequest(ACCOUNT, '/v1/order/events?heartbeat=true', 1n), /without its query/)
  assert.throws(() => signStream(MASTER, 1n), /keys of one account/)
  assert.throws(() => new Credentials({ key: 'master-x', secret: 's', account: null }), /with a master key/)
  assert.throws(() => new Credentials({ key: 'account-x', secret: 's', account: 'primary' }), /with no other/)
})

test('credentials show neither key nor secret, however they are written out, and take both out of a text', () => {
  const shown = [
    inspect(MASTER, { showHidden: true, depth: 9 }),
    JSON.stringify(MASTER),
    JSON.stringify(Object.entries(MASTER)),
  ].join()
  assert.ok(!shown.includes('canary'), shown)
  assert.equal(MASTER.redact('key master-canary, secret canary-secret.'), 'key [redacted], secret [redacted].')
  assert.match(MASTER.fingerprint, /^[0-9a-f]{16}$/)
  assert.notEqual(MASTER.fingerprint, ACCOUNT.fingerprint)
})

/** Null where there is no openssl. */
function opensslHmac(text: string, secret: string): string | null {
  const ran = spawnSync('openssl', ['dgst', '-sha384', '-hmac', secret], { input: text, encoding: 'utf8' })
  return ran.error === undefined ? (/[0-9a-f]{96}/.exec(ran.stdout)?.[0] ?? null) : null
}
