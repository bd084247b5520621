import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import type { ApiKey } from './api-keys.ts'
import { Exchange } from './exchange.ts'
import { presetOf } from './symbols.ts'

const START_NS = 1_790_732_600_000_000_000n
const NOW_S = 1_790_732_601n
const KEYS: readonly ApiKey[] = [
  { key: 'account-trader', secret: 'one', roles: ['Trader'], nonces: 'monotonic' },
  { key: 'account-auditor', secret: 'two', roles: ['Auditor'], nonces: 'monotonic' },
  { key: 'account-time', secret: 'three', roles: ['Trader'], nonces: 'time' },
  { key: 'master-group', secret: 'four', roles: ['Trader'], nonces: 'monotonic', accounts: ['primary'] },
]
const QUOTE = { request: '/v1/instant/quote', nonce: 1, symbol: 'btcusd', side: 'buy', totalSpend: '100' }

function exchange(): Exchange {
  const symbols = ['btcusd', 'ethgusdperp'].map((symbol) => presetOf(symbol)).filter((spec) => spec !== null)
  const made = new Exchange({ seed: 6, symbols, startNs: START_NS, rate: 10, keys: KEYS })
  made.advanceTo(START_NS + 1_000_000_000n)
  return made
}

function signed(payload: object | string, key = 'account-trader', secret = 'one'): Record<string, string> {
  const text = typeof payload === 'string' ? payload : JSON.stringify(payload)
  const base64 = Buffer.from(text).toString('base64')
  return {
    'x-gemini-apikey': key,
    'x-gemini-payload': base64,
    'x-gemini-signature': createHmac('sha384', secret).update(base64).digest('hex'),
  }
}

function answerOf(made: Exchange, headers: Record<string, string>, path = '/v1/instant/quote'): readonly unknown[] {
  const { status, body } = made.privateRest(path, headers)
  const { reason } = JSON.parse(body) as { reason?: string }
  return [status, reason ?? 'none']
}

for (const [name, headers, expected] of [
  ['a good one', signed(QUOTE), [200, 'none']],
  ['no key', { ...signed(QUOTE), 'x-gemini-apikey': undefined }, [400, 'MissingApikeyHeader']],
  ['no payload', { ...signed(QUOTE), 'x-gemini-payload': undefined }, [400, 'MissingPayloadHeader']],
  ['no signature', { ...signed(QUOTE), 'x-gemini-signature': undefined }, [400, 'MissingSignatureHeader']],
  ['a key that nobody has', signed(QUOTE, 'account-nobody'), [400, 'InvalidApiKey']],
  ['a wrong secret', signed(QUOTE, 'account-trader', 'wrong'), [400, 'InvalidSignature']],
  ['a payload that is not JSON', signed('{"request"'), [400, 'InvalidJson']],
  ['a payload of another path', signed({ ...QUOTE, request: '/v1/instant/quote/' }), [400, 'EndpointMismatch']],
  ['no nonce', signed({ request: QUOTE.request }), [400, 'MissingPayloadKey']],
  ['a key without the role', signed(QUOTE, 'account-auditor', 'two'), [403, 'MissingRole']],
  ['a nonce of time that is now', signed({ ...QUOTE, nonce: Number(NOW_S) }, 'account-time', 'three'), [200, 'none']],
  ['one of 31 s ago', signed({ ...QUOTE, nonce: Number(NOW_S) - 31 }, 'account-time', 'three'), [400, 'InvalidNonce']],
  ['one in ms', signed({ ...QUOTE, nonce: Number(NOW_S) * 1000 }, 'account-time', 'three'), [400, 'InvalidNonce']],
  ['a master key without an account', signed(QUOTE, 'master-group', 'four'), [400, 'MissingAccounts']],
  ['one with a wrong one', signed({ ...QUOTE, account: 'x' }, 'master-group', 'four'), [400, 'InvalidAccountName']],
  ['one with its own', signed({ ...QUOTE, account: 'primary' }, 'master-group', 'four'), [200, 'none']],
  ['a symbol that is not there', signed({ ...QUOTE, symbol: 'nosuch' }), [400, 'InvalidSymbol']],
  ['a side that is not there', signed({ ...QUOTE, side: 'bid' }), [400, 'InvalidSide']],
  ['an amount that is none', signed({ ...QUOTE, totalSpend: '-1' }), [400, 'InvalidParameterValue']],
  ['an amount that is too small', signed({ ...QUOTE, totalSpend: '0.01' }), [400, 'InvalidQuantity']],
  ['an amount beyond the book', signed({ ...QUOTE, totalSpend: '99999999999999999' }), [400, 'InvalidQuantity']],
] as const) {
  test(`a signed request with ${name} is answered with ${expected.join(' ')}`, () => {
    const given = Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined))
    assert.deepEqual(answerOf(exchange(), given as Record<string, string>), expected)
  })
}

test('a nonce is taken once, and only a greater one after it', () => {
  const made = exchange()
  assert.deepEqual(answerOf(made, signed({ ...QUOTE, nonce: 5 })), [200, 'none'])
  assert.deepEqual(answerOf(made, signed({ ...QUOTE, nonce: 5 })), [400, 'InvalidNonce'])
  assert.deepEqual(answerOf(made, signed({ ...QUOTE, nonce: 4 })), [400, 'InvalidNonce'])
  assert.deepEqual(answerOf(made, signed({ ...QUOTE, nonce: 6 })), [200, 'none'])
})

for (const [side, totalSpend, currency] of [
  ['buy', '100000', 'USD'],
  ['sell', '1.25', 'BTC'],
] as const) {
  test(`a quote to ${side} is priced from the book, and adds up to the last digit`, () => {
    const made = exchange()
    const { body } = made.privateRest('/v1/instant/quote', signed({ ...QUOTE, side, totalSpend }))
    const quote = JSON.parse(body) as Record<string, string>
    const [truth] = made.truth.quotes()
    assert.ok(truth !== undefined)
    assert.deepEqual(
      [quote['price'], quote['quantity'], quote['fee'], quote['totalSpend'], quote['totalSpendCurrency']],
      [truth.price, truth.quantity, truth.fee, totalSpend, currency],
    )
    assert.equal(truth.updateId, made.truth.lastUpdateId('btcusd'))
    const book = made.truth.bookAfter('btcusd', truth.updateId)
    const best = Number((side === 'buy' ? book.asks : book.bids)[0]?.[0])
    const price = Number(truth.price)
    assert.ok(side === 'buy' ? price > best * 1.004 : price < best * 0.996, `${price} against ${best}`)
    if (side === 'buy')
      assert.equal(exact(truth.price) * exact(truth.quantity) + exact(truth.fee) * UNIT, 100_000n * UNIT * UNIT)
  })
}

test('nothing is executed, and whoever asks for it is counted', () => {
  const made = exchange()
  const headers = signed({ request: '/v1/instant/execute', nonce: 1 })
  assert.deepEqual(answerOf(made, headers, '/v1/instant/execute'), [400, 'MarketNotOpen'])
  assert.deepEqual(made.truth.privateCounts(), { executions: 1, rateLimited: 0, mostInAMinute: 1 })
  assert.equal(made.privateRest('/v1/nosuch', headers).status, 404)
})

test('the 601st signed request of a minute is told to wait', () => {
  const made = exchange()
  for (let nonce = 1; nonce <= 600; nonce++) made.privateRest('/v1/instant/quote', signed({ ...QUOTE, nonce }))
  const { status, headers } = made.privateRest('/v1/instant/quote', signed({ ...QUOTE, nonce: 601 }))
  assert.deepEqual([status, headers['retry-after']], [429, '1'])
  assert.deepEqual(made.truth.privateCounts(), { executions: 0, rateLimited: 1, mostInAMinute: 600 })
  made.advanceTo(START_NS + 62_000_000_000n)
  assert.deepEqual(answerOf(made, signed({ ...QUOTE, nonce: 602 })), [200, 'none'])
})

test('any documented reason is given on request, as often as asked', () => {
  const made = exchange()
  made.faults.inject({
    fault: 'refuse_private',
    reason: 'RemoteAddressForbidden',
    status: 403,
    times: 2,
    retryAfterS: 7,
  })
  assert.deepEqual(answerOf(made, signed(QUOTE)), [403, 'RemoteAddressForbidden'])
  assert.equal(made.privateRest('/v1/instant/quote', signed(QUOTE)).headers['retry-after'], '7')
  assert.deepEqual(answerOf(made, signed(QUOTE)), [200, 'none'])
})

const DIGITS = 15
const UNIT = 10n ** BigInt(DIGITS)

function exact(text: string): bigint {
  const [integer = '', fraction = ''] = text.split('.')
  return BigInt(integer + fraction.padEnd(DIGITS, '0'))
}
