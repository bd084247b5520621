import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { readRecorderConfig } from '@booktape/recorder'
import { ConfigError, type Environment } from '@booktape/runtime'
import { HOSTILE_SYMBOLS } from './hostile-symbols.ts'
import { countingListener } from './listeners.ts'
import { type Ended, runCommand } from './spawned-command.ts'

// Bad input, as a user meets it: the real command line, with the whole environment written out.

const EXIT_CONFIG = 78
/** No message may ever hold it. */
const CANARY = 'canary-3f9a'

for (const [what, env, sentences] of [
  ['no symbols', { BOOKTAPE_SYMBOLS: undefined }, ['BOOKTAPE_SYMBOLS is not set and has no default.']],
  ['empty symbols', { BOOKTAPE_SYMBOLS: '' }, ['BOOKTAPE_SYMBOLS is not set and has no default.']],
  [
    'an empty place',
    { BOOKTAPE_SYMBOLS: 'btcusd,,ethusd' },
    ['BOOKTAPE_SYMBOLS has an empty place between its commas: "btcusd,,ethusd".'],
  ],
  [
    'many wrong settings at once',
    {
      BOOKTAPE_SYMBOLS: "btcusd'; drop table market.trades;--",
      BOOKTAPE_FEEDS: 'v1,v3',
      BOOKTAPE_HTTP_PORT: '70000',
      BOOKTAPE_SNAPSHOT_INTERVAL: 'a while',
      BOOKTAPE_SHARD: '4',
      BOOKTAPE_SHARDS: '4',
      BOOKTAPE_LOG_LEVEL: 'loud',
      BOOKTAPE_JOURNAL_LIMIT: '20',
      BOOKTAPE_LINE: '../b',
      DATABASE_URL: `mysql://u:${CANARY}@127.0.0.1/db`,
    },
    [
      'BOOKTAPE_SHARD is 4, but shards count from 0 to 3 (BOOKTAPE_SHARDS).',
      'BOOKTAPE_LINE must be a short lowercase name such as a or b.',
      'BOOKTAPE_SNAPSHOT_INTERVAL must be a duration such as 500ms, 60s or 24h, not "a while".',
      'BOOKTAPE_JOURNAL_LIMIT must be a size such as 512MiB or 20GiB, not "20".',
      'BOOKTAPE_SYMBOLS holds "btcusd\'; drop table market.trades;--", which is no symbol: symbols look like btcusd.',
      'BOOKTAPE_FEEDS holds "v3"; the feeds are v1 and ws.',
      'DATABASE_URL must look like postgres://user:password@host:5432/database.',
      'BOOKTAPE_HTTP_PORT must be at most 65535, not 70000.',
      'BOOKTAPE_LOG_LEVEL must be one of trace, debug, info, warn, error, fatal, silent, not "loud".',
    ],
  ],
  [
    'an sslmode that may go without TLS in silence',
    { DATABASE_URL: `postgres://u:${CANARY}@127.0.0.1:1/db?sslmode=prefer` },
    [
      'DATABASE_URL: sslmode=prefer in the database URL is not usable: choose verify-full, verify-ca, require or disable',
    ],
  ],
  [
    'a secret given twice',
    { DATABASE_URL_FILE: '/dev/null' },
    ['DATABASE_URL and DATABASE_URL_FILE are both set: keep one of them.'],
  ],
  [
    'a secret in a file that is not there',
    { DATABASE_URL: undefined, DATABASE_URL_FILE: '/nowhere/url' },
    ['DATABASE_URL_FILE names a file that cannot be read (ENOENT): /nowhere/url.'],
  ],
  [
    'plain text to a host of the venue',
    realBases({ BOOKTAPE_GEMINI_V1_URL: 'ws://api.gemini.com' }),
    [
      'BOOKTAPE_GEMINI_V1_URL: "ws://api.gemini.com" is not encrypted; write wss:// (plain ws:// is for loopback addresses).',
    ],
  ],
  [
    'a foreign host',
    realBases({ BOOKTAPE_GEMINI_REST_URL: 'https://api.gemini.com.example.org' }),
    [
      'BOOKTAPE_GEMINI_REST_URL: "https://api.gemini.com.example.org" is neither a host of Gemini nor a loopback address; use one of api.gemini.com, ws.gemini.com, api.sandbox.gemini.com, ws.sandbox.gemini.com.',
    ],
  ],
  [
    'half real, half simulated',
    { BOOKTAPE_GEMINI_WS_URL: undefined },
    ['BOOKTAPE_GEMINI_V1_URL, …_WS_URL and …_REST_URL must all be Gemini, all its sandbox, or all simulated.'],
  ],
  [
    'certificates that nobody checks',
    { NODE_TLS_REJECT_UNAUTHORIZED: '0' },
    ['NODE_TLS_REJECT_UNAUTHORIZED is 0, which lets anyone pose as the venue: unset it.'],
  ],
] as const) {
  test(`record with ${what} names it and ends with 78 before any connection`, async (t) => {
    const { ended, accepted } = await recordWith(t, env)
    assert.equal(ended.stderr, sentences.map((sentence) => `${sentence}\n`).join(''))
    assertRefused(ended, EXIT_CONFIG)
    assert.equal(accepted(), 0)
  })
}

test(`record with ${HOSTILE_SYMBOLS.length} hostile symbols names each on a line of its own`, async (t) => {
  const { ended, accepted } = await recordWith(t, { BOOKTAPE_SYMBOLS: HOSTILE_SYMBOLS.join(',') })
  const lines = ended.stderr.trimEnd().split('\n')
  assert.equal(lines.length, 200)
  for (const line of lines) {
    assert.match(line, /^BOOKTAPE_SYMBOLS holds ".+", which is no symbol: symbols look like btcusd\.$/)
  }
  assertRefused(ended, EXIT_CONFIG)
  assert.equal(accepted(), 0)
})

test('each hostile symbol is refused by itself too', () => {
  for (const symbol of HOSTILE_SYMBOLS) {
    assert.throws(() => readRecorderConfig({ BOOKTAPE_SYMBOLS: `ethusd,${symbol}` }), ConfigError, symbol)
  }
})

test('a data directory that cannot be one is named', async (t) => {
  const root = scratch(t)
  const file = join(root, 'file')
  writeFileSync(file, '')
  mkdirSync(join(root, 'journal-is-a-file'))
  writeFileSync(join(root, 'journal-is-a-file', 'journal'), '')
  mkdirSync(join(root, 'of-gemini'))
  writeFileSync(join(root, 'of-gemini', 'venue'), 'gemini\n')
  for (const [directory, sentence] of [
    [file, `BOOKTAPE_DATA_DIR ${file} cannot be used (EEXIST): name a directory that this user may write.`],
    [
      join(root, 'journal-is-a-file'),
      `BOOKTAPE_DATA_DIR ${root}/journal-is-a-file cannot be used: ${root}/journal-is-a-file/journal (EEXIST). Make it a directory that this user may write, or name another one.`,
    ],
    [
      join(root, 'of-gemini'),
      `BOOKTAPE_DATA_DIR ${root}/of-gemini holds data of "gemini" and this recorder is at "simulated": give it a directory of its own.`,
    ],
  ] as const) {
    const { ended, accepted } = await recordWith(t, { BOOKTAPE_DATA_DIR: directory })
    assert.equal(ended.stderr, `${sentence}\n`)
    assertRefused(ended, EXIT_CONFIG)
    assert.equal(accepted(), 0)
  }
})

test('a taken HTTP port is named', async (t) => {
  const { port } = await countingListener(t)
  const { ended, accepted } = await recordWith(t, { BOOKTAPE_HTTP_PORT: `${port}` })
  assert.equal(
    ended.stderr,
    `port ${port} on 127.0.0.1 is already taken by another program: set BOOKTAPE_HTTP_PORT to another one.\n`,
  )
  assertRefused(ended, 1)
  assert.equal(accepted(), 0)
})

const KNOWN_SYMBOLS = 'choose from btcusd, ethusd, [a-z, ]+, trumpgusdperp'

for (const [args, env, code, stderr] of [
  [['nonsense'], {}, 78, /^error: unknown command 'nonsense'\n\(add --help for what can be said\)\n$/],
  [
    ['record', 'btcusd'],
    {},
    78,
    /^error: too many arguments for 'record'\. Expected 0 arguments but got 1[.:].*\n\(add --help/,
  ],
  [
    ['exchange', '--port', 'x'],
    {},
    78,
    /^error: option '--port <port>' argument 'x' is invalid\. It must be a whole number from 0 to 65535\.\n\(add --help/,
  ],
  [
    ['exchange', '--symbols', 'btcusd,nosuch,'],
    {},
    78,
    new RegExp(`^The simulated exchange has no "nosuch", ""; ${KNOWN_SYMBOLS} with --symbols\\.\\n$`),
  ],
  [
    ['start', 'nosuchsymbol'],
    {},
    78,
    new RegExp(`^The simulated exchange has no "nosuchsymbol"; ${KNOWN_SYMBOLS}, or add --live\\.\\n$`),
  ],
  [['migrate'], {}, 78, /^DATABASE_URL is not set: name the database, such as postgres:\/\/user@host\/booktape\.\n$/],
  [
    ['status'],
    { DATABASE_URL: `redis://:${CANARY}@127.0.0.1` },
    78,
    /^the database URL does not begin with postgres:\/\/: correct DATABASE_URL\n$/,
  ],
  [
    ['migrate'],
    { DATABASE_URL: `postgres://u:${CANARY}@127.0.0.1:1/db` },
    1,
    /^DATABASE_URL: Postgres: connect ECONNREFUSED 127\.0\.0\.1:1 \(ECONNREFUSED\): try again later\n$/,
  ],
] as const) {
  test(`booktape ${args.join(' ')} ends with ${code} and says why`, async (t) => {
    const ended = await runCommand(t, args, env)
    assert.match(ended.stderr, stderr)
    assertRefused(ended, code)
  })
}

test('booktape exchange at a taken port names the option', async (t) => {
  const { port } = await countingListener(t)
  const ended = await runCommand(t, ['exchange', '--port', `${port}`], {})
  assert.equal(ended.stderr, `Port ${port} is already taken by another program: choose another with --port.\n`)
  assertRefused(ended, EXIT_CONFIG)
})

/** Every address in the environment is one listener's, unless `env` says otherwise. */
async function recordWith(t: TestContext, env: Environment): Promise<{ ended: Ended; accepted: () => number }> {
  const { port, accepted } = await countingListener(t)
  const ended = await runCommand(t, ['record'], {
    BOOKTAPE_SYMBOLS: 'btcusd',
    BOOKTAPE_DATA_DIR: join(scratch(t), 'data'),
    BOOKTAPE_HTTP_PORT: '0',
    BOOKTAPE_GEMINI_V1_URL: `ws://127.0.0.1:${port}`,
    BOOKTAPE_GEMINI_WS_URL: `ws://127.0.0.1:${port}`,
    BOOKTAPE_GEMINI_REST_URL: `http://127.0.0.1:${port}`,
    DATABASE_URL: `postgres://u:${CANARY}@127.0.0.1:${port}/db`,
    ...env,
  })
  return { ended, accepted }
}

function realBases(env: Environment): Environment {
  return {
    BOOKTAPE_GEMINI_V1_URL: undefined,
    BOOKTAPE_GEMINI_WS_URL: undefined,
    BOOKTAPE_GEMINI_REST_URL: undefined,
    ...env,
  }
}

function assertRefused(ended: Ended, code: number): void {
  assert.equal(ended.code, code)
  assert.doesNotMatch(ended.stderr, /^\s+at /m, 'no stack trace')
  assert.ok(!`${ended.stdout}${ended.stderr}`.includes(CANARY), 'no secret')
}

function scratch(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'booktape-test-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}
