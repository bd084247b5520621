import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConfigError, type Environment } from '@booktape/runtime'
import { MAX_SYMBOLS, type RecorderConfig, readRecorderConfig } from './config.ts'

const read = (env: Environment): RecorderConfig => readRecorderConfig({ BOOKTAPE_SYMBOLS: 'btcusd', ...env })

function problems(env: Environment): readonly string[] {
  try {
    readRecorderConfig(env)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

test('with the symbols alone, everything else has the default that the contract names', () => {
  assert.deepEqual(read({}), {
    symbols: ['btcusd'],
    feeds: ['v1', 'ws'],
    databaseUrl: null,
    dataDir: '.booktape',
    line: 'a',
    shard: 0,
    shards: 1,
    httpHost: '127.0.0.1',
    httpPort: 9464,
    statusPage: false,
    v1Url: 'wss://api.gemini.com/',
    wsUrl: 'wss://ws.gemini.com/',
    restUrl: 'https://api.gemini.com/',
    venue: 'gemini',
    dialsPerMinute: 60,
    snapshotIntervalMs: 60_000,
    rotateAfterMs: 82_800_000,
    journalLimitBytes: 21_474_836_480,
    journalRetentionMs: 86_400_000,
    logLevel: 'info',
  })
})

const LOOPBACK = {
  BOOKTAPE_GEMINI_V1_URL: 'ws://127.0.0.1:9465',
  BOOKTAPE_GEMINI_WS_URL: 'ws://localhost:9465',
  BOOKTAPE_GEMINI_REST_URL: 'http://[::1]:9465',
}

for (const [what, env, expected] of [
  ['any case, blanks and repeats', { BOOKTAPE_SYMBOLS: ' BTCUSD, ethusd,btcusd ' }, { symbols: ['btcusd', 'ethusd'] }],
  ['a star', { BOOKTAPE_SYMBOLS: '*' }, { symbols: 'all' }],
  ['one feed', { BOOKTAPE_FEEDS: 'WS' }, { feeds: ['ws'] }],
  ['a database', { DATABASE_URL: 'postgresql://u:p@h/db' }, { databaseUrl: 'postgresql://u:p@h/db' }],
  ['the last shard', { BOOKTAPE_SHARD: '3', BOOKTAPE_SHARDS: '4' }, { shard: 3, shards: 4 }],
  ['a second line', { BOOKTAPE_LINE: 'b' }, { line: 'b' }],
  ['the status page', { BOOKTAPE_STATUS_PAGE: 'true' }, { statusPage: true }],
  ['the sandbox', { BOOKTAPE_SANDBOX: 'true' }, { venue: 'gemini-sandbox', wsUrl: 'wss://ws.sandbox.gemini.com/' }],
  ['a simulated exchange', LOOPBACK, { venue: 'simulated', restUrl: 'http://[::1]:9465/' }],
  ['sizes and durations', { BOOKTAPE_JOURNAL_LIMIT: '256MiB' }, { journalLimitBytes: 268_435_456 }],
  ['a snapshot a second', { BOOKTAPE_SNAPSHOT_INTERVAL: '1s' }, { snapshotIntervalMs: 1_000 }],
  ['a rotation every hour', { BOOKTAPE_ROTATE_AFTER: '1h' }, { rotateAfterMs: 3_600_000 }],
  ['no rotation', { BOOKTAPE_ROTATE_AFTER: 'never' }, { rotateAfterMs: null }],
  ['variables set to nothing', { BOOKTAPE_LINE: '', BOOKTAPE_HTTP_PORT: ' ' }, { line: 'a', httpPort: 9464 }],
] as const) {
  test(`${what}: ${Object.keys(env).join(', ')} is read`, () => {
    const config = read(env)
    assert.deepEqual({ ...config, ...expected }, config)
  })
}

for (const [value, symbol] of [
  ['btcusd\u0000', 'btcusd\\u0000'], // an environment cannot hold NUL, but a caller's can
  ["btcusd'; drop table market.trades;--", "btcusd'; drop table market.trades;--"],
  ['../../etc/passwd', '../../etc/passwd'],
  ['btc usd', 'btc usd'],
  ['btc\nusd', 'btc\\nusd'],
  ['btcusd\u001b[2J', 'btcusd\\u001b[2j'],
  ['\u{1f4a9}', '\u{1f4a9}'],
  ['b', 'b'],
  ['*usd', '*usd'],
  ['__proto__', '__proto__'],
  ['x'.repeat(300), 'x'.repeat(40)],
] as const) {
  test(`BOOKTAPE_SYMBOLS=${JSON.stringify(value.slice(0, 50))} is refused, quoted on one line`, () => {
    assert.deepEqual(problems({ BOOKTAPE_SYMBOLS: value }), [
      `BOOKTAPE_SYMBOLS holds "${symbol}", which is no symbol: symbols look like btcusd.`,
    ])
  })
}

for (const [name, value, problem] of [
  ['BOOKTAPE_SYMBOLS', '', 'BOOKTAPE_SYMBOLS is not set and has no default.'],
  ['BOOKTAPE_SYMBOLS', ' ', 'BOOKTAPE_SYMBOLS is not set and has no default.'],
  ['BOOKTAPE_SYMBOLS', 'a,,b', 'BOOKTAPE_SYMBOLS has an empty place between its commas: "a,,b".'],
  ['BOOKTAPE_SYMBOLS', '*,btcusd', 'BOOKTAPE_SYMBOLS holds "*", which is no symbol: symbols look like btcusd.'],
  ['BOOKTAPE_FEEDS', 'v1,v3', 'BOOKTAPE_FEEDS holds "v3"; the feeds are v1 and ws.'],
  ['BOOKTAPE_HTTP_PORT', '65536', 'BOOKTAPE_HTTP_PORT must be at most 65535, not 65536.'],
  ['BOOKTAPE_HTTP_PORT', '0x50', 'BOOKTAPE_HTTP_PORT must be a whole number, not "0x50".'],
  ['BOOKTAPE_SHARDS', '0', 'BOOKTAPE_SHARDS must be at least 1, not 0.'],
  ['BOOKTAPE_SHARD', '1', 'BOOKTAPE_SHARD is 1, but shards count from 0 to 0 (BOOKTAPE_SHARDS).'],
  ['BOOKTAPE_LINE', 'A line', 'BOOKTAPE_LINE must be a short lowercase name such as a or b.'],
  ['BOOKTAPE_STATUS_PAGE', 'yes', 'BOOKTAPE_STATUS_PAGE must be true or false, not "yes".'],
  ['BOOKTAPE_DIALS_PER_MINUTE', '61', 'BOOKTAPE_DIALS_PER_MINUTE must be at most 60, not 61.'],
  ['BOOKTAPE_SNAPSHOT_INTERVAL', '999ms', 'BOOKTAPE_SNAPSHOT_INTERVAL must be from 1s to 24h.'],
  [
    'BOOKTAPE_SNAPSHOT_INTERVAL',
    '60',
    'BOOKTAPE_SNAPSHOT_INTERVAL must be a duration such as 500ms, 60s or 24h, not "60".',
  ],
  ['BOOKTAPE_ROTATE_AFTER', '1m', 'BOOKTAPE_ROTATE_AFTER must be from 2m to 720h, or never.'],
  [
    'BOOKTAPE_ROTATE_AFTER',
    'always',
    'BOOKTAPE_ROTATE_AFTER must be a duration such as 500ms, 60s or 24h, not "always".',
  ],
  ['BOOKTAPE_JOURNAL_LIMIT', '1MiB', 'BOOKTAPE_JOURNAL_LIMIT must be at least 256MiB.'],
  [
    'BOOKTAPE_LOG_LEVEL',
    'loud',
    'BOOKTAPE_LOG_LEVEL must be one of trace, debug, info, warn, error, fatal, silent, not "loud".',
  ],
  ['DATABASE_URL', 'mysql://u:canary@h/db', 'DATABASE_URL must look like postgres://user:password@host:5432/database.'],
  [
    'DATABASE_URL',
    'postgres://u:canary@h:port/db',
    'DATABASE_URL must look like postgres://user:password@host:5432/database.',
  ],
  [
    'BOOKTAPE_GEMINI_WS_URL',
    'wss://127.0.0.1',
    'BOOKTAPE_GEMINI_V1_URL, …_WS_URL and …_REST_URL must all be Gemini, all its sandbox, or all simulated.',
  ],
] as const) {
  test(`${name}=${JSON.stringify(value)} is one problem`, () => {
    assert.ok(problems({ BOOKTAPE_SYMBOLS: 'btcusd', [name]: value }).includes(problem))
  })
}

test('every problem is named at once', () => {
  const found = problems({
    BOOKTAPE_FEEDS: 'v3',
    BOOKTAPE_SHARD: '2',
    BOOKTAPE_HTTP_PORT: 'x',
    DATABASE_URL: 'canary',
    BOOKTAPE_GEMINI_V1_URL: 'wss://example.org',
  })
  assert.deepEqual(found.map((problem) => /^[A-Z0-9_]+/.exec(problem)?.[0] ?? problem).sort(), [
    'BOOKTAPE_FEEDS',
    'BOOKTAPE_GEMINI_V1_URL',
    'BOOKTAPE_HTTP_PORT',
    'BOOKTAPE_SHARD',
    'BOOKTAPE_SYMBOLS',
    'DATABASE_URL',
  ])
  assert.doesNotMatch(found.join(), /canary/)
})

test(`more than ${MAX_SYMBOLS} symbols are refused, that many are taken`, () => {
  const names = Array.from({ length: MAX_SYMBOLS + 1 }, (_, i) => `s${i}usd`)
  assert.deepEqual(problems({ BOOKTAPE_SYMBOLS: names.join(',') }), [
    'BOOKTAPE_SYMBOLS holds 1001 symbols; one recorder takes 1000: use BOOKTAPE_SHARDS.',
  ])
  assert.equal(read({ BOOKTAPE_SYMBOLS: names.slice(1).join(',') }).symbols.length, 1_000)
})
