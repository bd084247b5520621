import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { readDecimal } from '@booktape/market'
import { type RestMarket, type RestTrade, refusalFor, restAnswer, startVenueServer } from '@booktape/venue'
import { HOSTILE_SYMBOLS } from './hostile-symbols.ts'
import { countingListener } from './listeners.ts'
import { runCommand, SpawnedCommand, startRecorder } from './spawned-command.ts'
import { environment, SYMBOLS, startDatabase, startExchange } from './surroundings.ts'

// `booktape backfill` as a user runs it: a process of its own, real sockets, a real Postgres.

type Line = Readonly<{
  symbol: string
  found: number
  already_there: number
  new: number
  holes_closed: number
  holes_left: readonly Readonly<{ cause: string; why: string }>[]
  problem: string | null
}>

const linesOf = (stdout: string): Line[] =>
  stdout
    .trimEnd()
    .split('\n')
    .map((text) => JSON.parse(text) as Line)

test('without a recorder and beside one it fetches what nobody saw, each trade once, and nothing is found wrong', async (t) => {
  const exchange = await startExchange(t)
  const { url, client } = await startDatabase(t)
  const env = { ...environment(t, exchange), DATABASE_URL: url.href }
  const run = async (): Promise<Line[]> => {
    const ended = await runCommand(t, ['backfill', '--symbols', SYMBOLS.join(','), '--json'], env)
    assert.deepEqual([ended.code, ended.stderr], [0, ''])
    return linesOf(ended.stdout)
  }
  const made = (): string[] =>
    SYMBOLS.flatMap((symbol) => exchange.exchange.truth.trades(symbol).map(({ tradeId }) => `${symbol} ${tradeId}`))
  const lacking = async (of: readonly string[]): Promise<string[]> => {
    const { rows } = await client.query<{ key: string }>(`select symbol || ' ' || trade_id as key from market.trades`)
    const keys = new Set(rows.map(({ key }) => key))
    return of.filter((key) => !keys.has(key))
  }

  const first = await startRecorder(t, env)
  await first.command.until('trades of the recording', async () => {
    const { rows } = await client.query<{ n: number }>(
      `select count(distinct symbol)::int as n from market.trades where source <> 'rest'`,
    )
    return rows[0]?.n === SYMBOLS.length
  })
  assert.equal((await first.command.stop()).code, 0)
  const madeByThen = made().length
  while (made().length < madeByThen + 10) await new Promise((resolve) => setTimeout(resolve, 20))
  const unseen = made()
  assert.ok((await lacking(unseen)).length >= 10)
  const alone = await run()
  assert.deepEqual(await lacking(unseen), [])
  // Each stop is a gap that only the next start ends.
  assert.deepEqual(
    alone.map(({ symbol, holes_left, problem }) => [symbol, holes_left.map(({ cause, why }) => [cause, why]), problem]),
    SYMBOLS.map((symbol) => [symbol, [['stopped', 'open']], null]),
  )

  const second = await startRecorder(t, env)
  await Promise.all([run(), run()]) // beside it, and beside each other
  await second.command.until('the recorder has closed the gaps of its stop', async () => {
    const { rows } = await client.query(`select from market.gaps where stream = 'trades' and state <> 'filled'`)
    return rows.length === 0
  })
  assert.deepEqual(await lacking(unseen), [])
  assert.equal((await second.get('/livez')).status, 200)
  assert.equal((await second.command.stop()).code, 0)
  const verified = await runCommand(t, ['verify'], { DATABASE_URL: url.href })
  assert.match(verified.stdout, /nothing is altered, missing or doubled/)
  assert.equal(verified.code, 0)
})

test('killed in the middle it goes on where it ended, and Ctrl-C ends it with a sentence', async (t) => {
  const trades = tradesOfADay(2_300)
  const venue = await startVenue(t, trades)
  const { url, client } = await startDatabase(t)
  const env = { DATABASE_URL: url.href, BOOKTAPE_GEMINI_REST_URL: venue.restUrl }
  const count = async (): Promise<number> =>
    (await client.query<{ n: number }>('select count(*)::int as n from market.trades')).rows[0]?.n ?? 0

  for (const [signal, holdAt, stored, code] of [
    ['SIGKILL', 3, 1_000, null],
    ['SIGINT', 2, 1_499, 1],
  ] as const) {
    const held = venue.hold(holdAt)
    const command = new SpawnedCommand(t, ['backfill', 'btcusd'], env)
    await held
    assert.equal(await count(), stored, 'each page is stored before the next is asked for')
    const ended = await command.stop(signal)
    venue.release()
    assert.equal(ended.code, code)
    if (signal !== 'SIGINT') continue
    assert.match(ended.stdout.replaceAll(/ +/g, ' '), /^symbol found already there new .*\nbtcusd 500 1 499 /)
    assert.match(
      ended.stderr,
      /\nThe backfill was stopped before its end: the same command goes on behind what is stored\.\n$/,
    )
  }
  venue.asked.length = 0
  const ended = await runCommand(t, ['backfill', 'btcusd', '--json'], env)
  assert.equal(ended.code, 0)
  assert.deepEqual(
    linesOf(ended.stdout).map((line) => [line.found, line.already_there, line.new]),
    [[802, 1, 801]],
  )
  assert.equal(venue.asked.length, 2)
  assert.equal(await count(), trades.length)
})

test('a dry run says what is missing, and a database of another venue is refused', async (t) => {
  const venue = await startVenue(t, tradesOfADay(3))
  const { url, client } = await startDatabase(t)
  const env = { DATABASE_URL: url.href, BOOKTAPE_GEMINI_REST_URL: venue.restUrl }
  const dry = await runCommand(t, ['backfill', 'btcusd', '--to', '2026-03-01', '--dry-run'], env)
  assert.equal(dry.stdout, 'btcusd: the earliest trade there is to 2026-03-01T00:00:00.000000Z, when nobody recorded\n')
  assert.deepEqual([dry.code, venue.asked.length], [0, 0])
  await client.query(`insert into booktape.venue (name, checksum) values ('gemini', 0)`)
  const refused = await runCommand(t, ['backfill', 'btcusd'], env)
  assert.equal(
    refused.stderr,
    'The database holds data of "gemini" and REST is that of "simulated": set DATABASE_URL or BOOKTAPE_GEMINI_REST_URL.\n',
  )
  assert.deepEqual([refused.code, venue.asked.length], [78, 0])
})

test('a symbol that the exchange does not have does not stop the others', async (t) => {
  const venue = await startVenue(t, tradesOfADay(3))
  const { url } = await startDatabase(t)
  const env = { DATABASE_URL: url.href, BOOKTAPE_GEMINI_REST_URL: venue.restUrl }
  const ended = await runCommand(t, ['backfill', 'nosuch', 'btcusd'], env)
  assert.match(ended.stdout, /^btcusd +3 +0 +3 /m)
  assert.match(
    ended.stdout,
    /^not read to its end: nosuch: REST answered 400 \(Bad Request, .*\): is it a symbol of this exchange/m,
  )
  assert.equal(ended.code, 1)
})

const TIME = 'which is no time: write 2026-03-01, 2026-03-01T10:00:00Z, now, or 24h for that long ago.'

for (const [args, stderr] of [
  [[], 'No symbol is given: name some, such as btcusd ethusd.\n'],
  [['btcusd', '--from', 'yesterday'], `--from is "yesterday", ${TIME}\n`],
  [['btcusd', '--from', '2026-02-31'], `--from is "2026-02-31", ${TIME}\n`],
  [['btcusd', '--to', "'; drop table market.trades;--"], `--to is "'; drop table market.trades;--", ${TIME}\n`],
  [['btcusd', '--from', '2026-03-02', '--to', '2026-03-01'], '--from 2026-03-02 is not before --to 2026-03-01.\n'],
  [
    ['btcusd', '--from', '2200-01-01', '--to', '2200-01-02'],
    '--from 2200-01-01 lies in the future: no trade was made then.\n',
  ],
  [
    ['btcusd,', '--symbols', ','],
    '"btcusd," is no symbol: symbols look like btcusd.\n"" is no symbol: symbols look like btcusd.\n"" is no symbol: symbols look like btcusd.\n',
  ],
  ...['0', '101', '1e3', '-5', 'fast'].map(
    (text) =>
      [
        ['btcusd', '--requests-per-minute', text],
        `error: option '--requests-per-minute <count>' argument '${text}' is invalid. It must be a whole number from 1 to 100.\n(add --help for what can be said)\n`,
      ] as const,
  ),
  [['btcusd', '--feed', 'ws'], "error: unknown option '--feed'\n(add --help for what can be said)\n"],
] as const) {
  test(`booktape backfill ${args.join(' ')} says why in a sentence`, async (t) => {
    const { port, accepted } = await countingListener(t)
    const env = {
      DATABASE_URL: `postgres://u@127.0.0.1:${port}/db`,
      BOOKTAPE_GEMINI_REST_URL: `http://127.0.0.1:${port}`,
    }
    const ended = await runCommand(t, ['backfill', ...args], env)
    assert.equal(ended.stderr, stderr)
    assert.deepEqual([ended.code, ended.stdout, accepted()], [78, '', 0])
  })
}

test('hostile symbols and exchanges are named before any connection', async (t) => {
  const { port, accepted } = await countingListener(t)
  const env = { DATABASE_URL: `postgres://u@127.0.0.1:${port}/db` }
  const symbols = await runCommand(t, ['backfill', '--symbols', HOSTILE_SYMBOLS.join(',')], env)
  assert.equal(symbols.stderr.trimEnd().split('\n').length, HOSTILE_SYMBOLS.length)
  const foreign = { ...env, BOOKTAPE_GEMINI_REST_URL: 'https://api.gemini.com.example.org' }
  const exchange = await runCommand(t, ['backfill', 'btcusd'], foreign)
  assert.match(
    exchange.stderr,
    /^BOOKTAPE_GEMINI_REST_URL: .* is neither a host of Gemini nor a loopback address; .*\n$/,
  )
  assert.deepEqual([symbols.code, exchange.code, accepted()], [78, 78, 0])
})

/** A second apart from 2026-03-01 on. */
function tradesOfADay(count: number): RestTrade[] {
  const decimal = readDecimal('1.5') ?? assert.fail()
  return Array.from({ length: count }, (_, i) => ({
    tradeId: 2_840_141_030_000_000n + BigInt(i),
    eventTimeNs: 1_772_323_200_000_000_000n + BigInt(i) * 1_000_000_000n,
    price: decimal,
    quantity: decimal,
    takerSide: 'buy' as const,
    broken: false,
  }))
}

/** The REST of the simulated exchange with these trades of btcusd. `hold`: the nth question from now on waits, and resolves it. */
async function startVenue(t: TestContext, trades: readonly RestTrade[]) {
  const markets = new Map<string, RestMarket>([['btcusd', { details: null, book: null, trades }]])
  const asked: string[] = []
  let held: Readonly<{ at: number; came: () => void; go: Promise<void>; release: () => void }> | null = null
  const server = await startVenueServer(
    {
      moveToPresent: () => undefined,
      connectV1: () => refusalFor(404, null),
      connectWs: () => refusalFor(404, null),
      answer: async (request, path, query) => {
        asked.push(query.toString())
        if (held !== null && asked.length === held.at) {
          held.came()
          await held.go
        }
        return restAnswer(markets, request.method ?? 'GET', path, query)
      },
    },
    { port: 0 },
  )
  t.after(() => server.stop())
  return {
    restUrl: server.restUrl,
    asked,
    hold: async (nth: number): Promise<void> => {
      const { promise, resolve } = Promise.withResolvers<void>()
      const go = Promise.withResolvers<void>()
      held = { at: asked.length + nth, came: resolve, go: go.promise, release: go.resolve }
      await promise
    },
    release: (): void => {
      held?.release()
      held = null
    },
  }
}
