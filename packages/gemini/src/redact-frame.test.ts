import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Credentials } from './credentials.ts'
import { redactFrame } from './redact-frame.ts'

const credentials = new Credentials({ key: 'account-canary', secret: 'secret-canary', account: null })

for (const [name, frame, expected] of [
  [
    'the key of an order, ours or another',
    '[{"type":"fill","api_session":"account-canary","order_id":"1"},{"api_session" : "account-other","price":"2"}]',
    '[{"type":"fill","api_session":"[redacted]","order_id":"1"},{"api_session" : "[redacted]","price":"2"}]',
  ],
  [
    'a key with an escaped quote',
    '{"api_session":"account-\\"other","price":"2"}',
    '{"api_session":"[redacted]","price":"2"}',
  ],
  [
    'the keys of a filter',
    '{"type":"subscription_ack","apiSessionFilter":["account-other","UI"],"symbolFilter":["btcusd"]}',
    '{"type":"subscription_ack","apiSessionFilter":[],"symbolFilter":["btcusd"]}',
  ],
  [
    'a key that is cut off',
    '[{"order_id":"1","api_session":"account-oth',
    '[{"order_id":"1","api_session":"[redacted]"',
  ],
  ['our key and secret, wherever they stand', '<p>account-canary secret-canary</p>', '<p>[redacted] [redacted]</p>'],
] as const) {
  test(`a frame loses ${name}`, () => assert.equal(redactFrame(frame, credentials), expected))
}

test('a frame without a key stays as it is, also one that quotes the name of the field', () => {
  const frame = '{"client_order_id":"\\"api_session\\":\\"mine\\"","account_name":"primary"}'
  assert.equal(redactFrame(frame, credentials), frame)
})
