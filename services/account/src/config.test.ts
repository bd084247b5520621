import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConfigError, type Environment } from '@booktape/runtime'
import { type AccountConfig, readAccountConfig } from './config.ts'

const KEYS = {
  BOOKTAPE_GEMINI_API_KEY: 'account-canary',
  BOOKTAPE_GEMINI_API_SECRET: 'secret-canary',
  DATABASE_URL: 'postgres://u:p@h/db',
}

const read = (env: Environment): AccountConfig => readAccountConfig({ ...KEYS, ...env })

function problems(env: Environment): readonly string[] {
  try {
    readAccountConfig(env)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

test('with a key and a database, everything else has a default', () => {
  const { credentials, secrets, ...rest } = read({})
  assert.equal(credentials.account, null)
  assert.deepEqual(secrets, ['account-canary', 'secret-canary'])
  assert.deepEqual(rest, {
    feeds: [],
    nonceKind: 'monotonic',
    nonceDir: '.booktape/nonces',
    quotes: [],
    quoteIntervalMs: 60_000,
    databaseUrl: 'postgres://u:p@h/db',
    dataDir: '.booktape',
    httpHost: '127.0.0.1',
    httpPort: 9466,
    journalLimitBytes: 1_073_741_824,
    journalRetentionMs: 86_400_000,
    logLevel: 'info',
    v1Url: 'wss://api.gemini.com/',
    wsUrl: 'wss://ws.gemini.com/',
    restUrl: 'https://api.gemini.com/',
    venue: 'gemini',
  })
})

for (const [what, env, expected] of [
  [
    'quotes in any case, with blanks',
    { BOOKTAPE_INSTANT_QUOTES: ' BTCUSD:buy:100.50, ethusd:SELL:0.010' },
    {
      quotes: [
        { symbol: 'btcusd', side: 'buy', totalSpend: '100.5' },
        { symbol: 'ethusd', side: 'sell', totalSpend: '0.01' },
      ],
    },
  ],
  ['a feed of its events', { BOOKTAPE_ACCOUNT_FEEDS: 'v1' }, { feeds: ['v1'] }],
  [
    'both feeds with a key of time',
    { BOOKTAPE_ACCOUNT_FEEDS: 'ws,v1', BOOKTAPE_GEMINI_NONCE: 'time' },
    { feeds: ['v1', 'ws'], nonceKind: 'time' },
  ],
  ['a pace', { BOOKTAPE_INSTANT_QUOTE_INTERVAL: '5s' }, { quoteIntervalMs: 5_000 }],
  ['nonces of time', { BOOKTAPE_GEMINI_NONCE: 'time' }, { nonceKind: 'time' }],
  [
    'the sandbox, by one switch',
    { BOOKTAPE_SANDBOX: 'true' },
    {
      venue: 'gemini-sandbox',
      restUrl: 'https://api.sandbox.gemini.com/',
      wsUrl: 'wss://ws.sandbox.gemini.com/',
      v1Url: 'wss://api.sandbox.gemini.com/',
    },
  ],
  ['nonces beside the data', { BOOKTAPE_DATA_DIR: '/data' }, { nonceDir: '/data/nonces' }],
  ['nonces elsewhere', { BOOKTAPE_DATA_DIR: '/data', BOOKTAPE_NONCE_DIR: '/keys' }, { nonceDir: '/keys' }],
] as const) {
  test(what, () => {
    const config: Partial<AccountConfig> = read(env)
    for (const [name, value] of Object.entries(expected)) assert.deepEqual(config[name as keyof AccountConfig], value)
  })
}

test('a master key names its account', () => {
  const { credentials } = read({ BOOKTAPE_GEMINI_API_KEY: 'master-canary', BOOKTAPE_GEMINI_ACCOUNT: 'primary' })
  assert.equal(credentials.account, 'primary')
})

for (const [what, env, expected] of [
  [
    'nothing at all',
    {},
    [
      'BOOKTAPE_GEMINI_API_KEY is not set: give it, or name a file that holds it by BOOKTAPE_GEMINI_API_KEY_FILE.',
      'BOOKTAPE_GEMINI_API_SECRET is not set: give it, or name a file that holds it by BOOKTAPE_GEMINI_API_SECRET_FILE.',
      'DATABASE_URL is not set: name the database that the recorder writes to, such as postgres://user:password@host:5432/booktape.',
    ],
  ],
  [
    'a key with a line end within',
    { ...KEYS, BOOKTAPE_GEMINI_API_KEY: 'account-\r\nX-Other: canary' },
    ['BOOKTAPE_GEMINI_API_KEY holds a blank, a line end or a letter that no key of Gemini has: copy it again.'],
  ],
  [
    'a master key without an account',
    { ...KEYS, BOOKTAPE_GEMINI_API_KEY: 'master-canary' },
    ['BOOKTAPE_GEMINI_ACCOUNT is not set: a master key must say which account it is about.'],
  ],
  [
    'an account that the key has anyway',
    { ...KEYS, BOOKTAPE_GEMINI_ACCOUNT: 'primary' },
    ['BOOKTAPE_GEMINI_ACCOUNT is for a master key only, and this key belongs to one account: remove it.'],
  ],
  [
    'a feed that there is not',
    { ...KEYS, BOOKTAPE_ACCOUNT_FEEDS: 'v1,v2' },
    ['BOOKTAPE_ACCOUNT_FEEDS holds "v2"; the feeds are v1, ws.'],
  ],
  [
    'the new API with a key whose nonces only grow',
    { ...KEYS, BOOKTAPE_ACCOUNT_FEEDS: 'v1,ws' },
    [
      'BOOKTAPE_ACCOUNT_FEEDS holds ws, which takes only keys made with a time based nonce: use such a key and set BOOKTAPE_GEMINI_NONCE=time, or v1 alone.',
    ],
  ],
  [
    'the new API with a master key',
    {
      ...KEYS,
      BOOKTAPE_GEMINI_API_KEY: 'master-canary',
      BOOKTAPE_GEMINI_ACCOUNT: 'primary',
      BOOKTAPE_GEMINI_NONCE: 'time',
      BOOKTAPE_ACCOUNT_FEEDS: 'ws',
    },
    ['BOOKTAPE_ACCOUNT_FEEDS holds ws, which takes no master key: use a key of the account itself, or v1 alone.'],
  ],
  [
    'a quote without an amount',
    { ...KEYS, BOOKTAPE_INSTANT_QUOTES: 'btcusd:buy' },
    [
      'BOOKTAPE_INSTANT_QUOTES holds "btcusd:buy": write symbol:side:amount, such as btcusd:buy:100 (dollars spent) or btcusd:sell:0.01 (bitcoin sold).',
    ],
  ],
  [
    'a quote of nothing',
    { ...KEYS, BOOKTAPE_INSTANT_QUOTES: 'btcusd:buy:0' },
    [
      'BOOKTAPE_INSTANT_QUOTES holds "btcusd:buy:0": write symbol:side:amount, such as btcusd:buy:100 (dollars spent) or btcusd:sell:0.01 (bitcoin sold).',
    ],
  ],
  [
    'a pace above the budget',
    {
      ...KEYS,
      BOOKTAPE_INSTANT_QUOTES: 'a1:buy:1,a2:buy:1,a3:buy:1,a4:buy:1,a5:buy:1,a6:buy:1',
      BOOKTAPE_INSTANT_QUOTE_INTERVAL: '1s',
    },
    [
      'BOOKTAPE_INSTANT_QUOTE_INTERVAL: 6 quotes that often are more than 300 requests a minute, which is all that Gemini advises: make it 2s or longer.',
    ],
  ],
  [
    'a pace of days',
    { ...KEYS, BOOKTAPE_INSTANT_QUOTE_INTERVAL: '2d' },
    ['BOOKTAPE_INSTANT_QUOTE_INTERVAL must be from 1s to 24h.'],
  ],
  [
    'hosts of two venues',
    { ...KEYS, BOOKTAPE_GEMINI_REST_URL: 'https://api.sandbox.gemini.com' },
    ['BOOKTAPE_GEMINI_V1_URL, …_WS_URL and …_REST_URL must all be Gemini, all its sandbox, or all simulated.'],
  ],
] as const) {
  test(`${what} is refused in a sentence`, () => {
    const found = problems(env)
    assert.deepEqual(found, expected)
    assert.ok(!found.join().includes('canary'))
  })
}
