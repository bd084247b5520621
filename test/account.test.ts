import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type ApiKey, type ExchangeServer, presetOf, startExchangeServer } from '@booktape/exchange'
import { invariant } from '@booktape/market'
import { type Environment, systemClock } from '@booktape/runtime'
import { runCommand, SpawnedCommand } from './spawned-command.ts'

// `booktape account` as a user starts it, against the simulated exchange. No database is needed to see what is said.

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const KEYS: readonly ApiKey[] = [
  { key: 'account-canary', secret: 'secret-canary', roles: ['Trader'], nonces: 'monotonic' },
  { key: 'account-canary-auditor', secret: 'secret-canary', roles: ['Auditor'], nonces: 'monotonic' },
  { key: 'account-canary-time', secret: 'secret-canary', roles: ['Trader'], nonces: 'time' },
  { key: 'master-canary', secret: 'secret-canary', roles: ['Trader'], nonces: 'monotonic', accounts: ['primary'] },
]

async function startExchange(t: TestContext): Promise<ExchangeServer> {
  const spec = presetOf('btcusd')
  invariant(spec !== null, 'the exchange has btcusd')
  const server = await startExchangeServer({ port: 0, seed: 11, symbols: [spec], keys: KEYS, clock: systemClock() })
  t.after(() => server.stop())
  return server
}

function environment(t: TestContext, exchange: ExchangeServer): Environment {
  const directory = mkdtempSync(join(tmpdir(), 'booktape-account-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  return {
    BOOKTAPE_GEMINI_API_KEY: 'account-canary',
    BOOKTAPE_GEMINI_API_SECRET: 'secret-canary',
    BOOKTAPE_GEMINI_V1_URL: exchange.v1Url,
    BOOKTAPE_GEMINI_WS_URL: exchange.wsUrl,
    BOOKTAPE_GEMINI_REST_URL: exchange.restUrl,
    BOOKTAPE_INSTANT_QUOTES: 'btcusd:buy:100',
    BOOKTAPE_DATA_DIR: directory,
    BOOKTAPE_HTTP_PORT: '0',
    BOOKTAPE_LOG_LEVEL: 'trace',
    DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none',
  }
}

/** The sentence that the first refusal is logged with. */
async function refusalOf(t: TestContext, env: Environment): Promise<string> {
  const command = new SpawnedCommand(t, ['account'], env)
  const { explanation } = JSON.parse(await command.line(/"msg":"a quote was refused"/)) as { explanation: string }
  const { stdout, stderr } = await command.stop()
  assert.ok(!`${stdout}${stderr}`.includes('canary'), stdout)
  return explanation
}

for (const [name, env, sentence] of [
  [
    'a key that the venue does not know',
    { BOOKTAPE_GEMINI_API_KEY: 'account-canary-unknown' },
    /^POST \/v1\/instant\/quote was refused \(InvalidApiKey, status 400\): the venue does not know the key: mend BOOKTAPE_GEMINI_API_KEY/,
  ],
  [
    'a secret that is not that of the key',
    { BOOKTAPE_GEMINI_API_SECRET: 'canary-wrong' },
    /\(InvalidSignature, status 400\): the secret is not that of the key: mend BOOKTAPE_GEMINI_API_SECRET/,
  ],
  [
    'a key without the role',
    { BOOKTAPE_GEMINI_API_KEY: 'account-canary-auditor' },
    /\(MissingRole, status 403\): the key lacks a role: it needs the role Trader; give the key that role .* to API key \[redacted\] which/,
  ],
  [
    'a key of time with nonces of the other kind',
    { BOOKTAPE_GEMINI_API_KEY: 'account-canary-time' },
    /\(InvalidNonce, status 400\): the nonce was used before, or is not near the venue’s time; .*; so was one before it: another program uses this key/,
  ],
  [
    'a master key with the name of no account',
    { BOOKTAPE_GEMINI_API_KEY: 'master-canary', BOOKTAPE_GEMINI_ACCOUNT: 'other' },
    /\(InvalidAccountName, status 400\): no account of the group has this name: mend BOOKTAPE_GEMINI_ACCOUNT/,
  ],
] as const) {
  test(`${name} is told in one sentence`, async (t) => {
    const exchange = await startExchange(t)
    assert.match(await refusalOf(t, { ...environment(t, exchange), ...env }), sentence)
    assert.equal(exchange.exchange.truth.privateCounts().executions, 0)
  })
}

for (const [name, key, env] of [
  ['a key of time', 'account-canary-time', { BOOKTAPE_GEMINI_NONCE: 'time' }],
  ['a master key with its account', 'master-canary', { BOOKTAPE_GEMINI_ACCOUNT: 'primary' }],
] as const) {
  test(`${name} is offered quotes`, async (t) => {
    const exchange = await startExchange(t)
    const command = new SpawnedCommand(t, ['account'], {
      ...environment(t, exchange),
      BOOKTAPE_GEMINI_API_KEY: key,
      ...env,
    })
    await command.until('an offer', () => exchange.exchange.truth.quotes().length > 0)
    assert.equal((await command.stop()).code, 0)
  })
}

test('a path that was changed on the way is told as that', async (t) => {
  const exchange = await startExchange(t)
  exchange.exchange.faults.inject({ fault: 'refuse_private', reason: 'EndpointMismatch' })
  assert.match(await refusalOf(t, environment(t, exchange)), /the path that was called is not the one that was signed/)
})

test('a nonce that another program has passed is told as that, after one fresh nonce', async (t) => {
  const exchange = await startExchange(t)
  const payload = Buffer.from('{"request":"/v1/instant/quote","nonce":9999999999999999}').toString('base64')
  exchange.exchange.privateRest('/v1/instant/quote', {
    'x-gemini-apikey': 'account-canary',
    'x-gemini-payload': payload,
    'x-gemini-signature': createHmac('sha384', 'secret-canary').update(payload).digest('hex'),
  })
  assert.match(
    await refusalOf(t, environment(t, exchange)),
    /so was one before it: another program uses this key with greater nonces/,
  )
  assert.equal(exchange.exchange.truth.privateCounts().mostInAMinute, 3)
})

test('a second process with the same key ends with 78 and names the first; a restart goes on with greater nonces', async (t) => {
  const exchange = await startExchange(t)
  const env = environment(t, exchange)
  const first = new SpawnedCommand(t, ['account'], env)
  await first.until('an offer', () => exchange.exchange.truth.quotes().length > 0)
  const second = await runCommand(t, ['account'], env)
  assert.equal(second.code, 78)
  assert.match(
    second.stderr,
    /^the process with pid \d+ signs with this API key already, .* \(BOOKTAPE_GEMINI_API_KEY\)\.\n$/,
  )
  await first.stop('SIGKILL').catch(() => undefined)
  const again = new SpawnedCommand(t, ['account'], env)
  await again.until('another offer', () => exchange.exchange.truth.quotes().length > 1)
  assert.equal(again.count(/refused/), 0)
  await again.stop()
})

test('neither key nor secret is in a line, a page or a file, nor in a name of one', async (t) => {
  const exchange = await startExchange(t)
  const env = environment(t, exchange)
  exchange.exchange.faults.inject({
    fault: 'refuse_private',
    reason: 'MissingRole account-canary secret-canary',
    status: 403,
  })
  const command = new SpawnedCommand(t, ['account'], env)
  const { http } = JSON.parse(await command.line(/"msg":"recording the account"/)) as { http: string }
  await command.line(/"msg":"a quote was refused"/)
  const pages = await Promise.all(
    ['/metrics', '/readyz', '/livez', '/'].map(async (path) => (await fetch(http + path)).text()),
  )
  const { stdout, stderr } = await command.stop()
  const directory = env['BOOKTAPE_DATA_DIR'] ?? ''
  const files = globSync('**/*', { cwd: directory, withFileTypes: true }).filter((entry) => entry.isFile())
  assert.ok(files.length >= 3, 'a journal, a nonce and whose they are')
  const texts = files.map((entry) => entry.name + readFileSync(join(entry.parentPath, entry.name), 'latin1'))
  for (const told of [stdout, stderr, ...pages, ...texts]) assert.ok(!told.includes('canary'), told)
})

test('a configuration that cannot work is refused with 78 before anything is asked', async (t) => {
  const exchange = await startExchange(t)
  const { code, stderr } = await runCommand(t, ['account'], {
    ...environment(t, exchange),
    BOOKTAPE_GEMINI_API_SECRET: '',
  })
  assert.equal(code, 78)
  assert.match(stderr, /^BOOKTAPE_GEMINI_API_SECRET is not set: .*\n$/)
  assert.equal(exchange.exchange.truth.privateCounts().mostInAMinute, 0)
})

test('where a crash would leave a core file, the account is not started; the command itself allows none', async (t) => {
  if (/^Max core file size +0 +0 /m.test(readFileSync('/proc/self/limits', 'utf8')))
    return t.skip('this machine allows no core file at all')
  const exchange = await startExchange(t)
  const env = { PATH: process.env['PATH'], ...environment(t, exchange) }
  const withCores = (program: string) => {
    const child = spawn('sh', ['-c', `ulimit -S -c unlimited && exec ${program} account`], { cwd: ROOT, env })
    t.after(() => void child.kill('SIGKILL'))
    return child
  }
  const refused = withCores(`"${process.execPath}" services/cli/src/main.ts`)
  const said = text(refused.stderr)
  const [code] = (await once(refused, 'exit')) as [number]
  assert.equal(code, 78)
  assert.match(
    await said,
    /^This process may write a core file \(of any size\), and with it the API key: start it with/,
  )

  const started = withCores('sh services/cli/bin/booktape')
  for await (const line of createInterface(started.stdout)) if (line.includes('"msg":')) break
  assert.match(readFileSync(`/proc/${started.pid}/limits`, 'utf8'), /^Max core file size +0 +0 /m)
})
