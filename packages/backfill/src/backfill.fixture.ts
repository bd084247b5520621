import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import {
  type DecimalText,
  deriveId,
  invariant,
  type MarketRecord,
  readDecimal,
  type TradeRecord,
} from '@booktape/market'
import { claimVenue, type Database, ensurePartitions, migrate, openDatabase, Writer } from '@booktape/store'
import { temporaryDatabase } from '@booktape/testkit'
import { Budget, createRestClient, TokenBucket } from '@booktape/transport'
import {
  type RestAnswer,
  type RestMarket,
  type RestTrade,
  refusalFor,
  restAnswer,
  startVenueServer,
} from '@booktape/venue'
import { verify } from '@booktape/verify'
import { type BackfillEvent, backfill } from './backfill.ts'
import type { SymbolReport } from './symbol-tally.ts'

/** The clock of every test: 2026-03-20T00:00:00Z. */
export const NOW = 1_773_964_800_000_000_000n
export const SECOND = 1_000_000_000n
export const MINUTE = 60n * SECOND
export const DAY = 86_400n * SECOND
export const SYMBOL = 'btcusd'
const FIRST_ID = 2_840_141_030_000_000n

export function decimal(text: string): DecimalText {
  const value = readDecimal(text)
  invariant(value !== null, `${text} is a decimal`)
  return value
}

/** `count` trades from `fromNs` on, `stepNs` apart, with ids that grow by 3. */
export function tradesFrom(fromNs: bigint, count: number, stepNs: bigint, firstId = FIRST_ID): RestTrade[] {
  return Array.from({ length: count }, (_, i) => ({
    tradeId: firstId + 3n * BigInt(i),
    eventTimeNs: fromNs + stepNs * BigInt(i),
    price: decimal(`8${i % 10}.25`),
    quantity: decimal('0.5'),
    takerSide: i % 2 === 0 ? 'buy' : 'sell',
    broken: false,
  }))
}

/** The REST of the simulated exchange over a real socket, with the trades that a test gives it. */
export type Venue = Readonly<{
  restUrl: string
  trades: RestTrade[] // those it has now, their ids growing
  asked: string[] // the queries for trades
  /** Answers the next question for trades in its own way; null: as usual. */
  before: { answer: ((query: URLSearchParams) => RestAnswer | null) | null }
}>

export async function startVenue(t: TestContext, trades: readonly RestTrade[]): Promise<Venue> {
  const market = { details: null, book: null, trades: [...trades] }
  const asked: string[] = []
  const before: Venue['before'] = { answer: null }
  const server = await startVenueServer(
    {
      moveToPresent: () => undefined,
      connectV1: () => refusalFor(404, null),
      connectWs: () => refusalFor(404, null),
      answer: (request, path, query) => {
        asked.push(query.toString())
        const markets = new Map<string, RestMarket>([
          [SYMBOL, market],
          ['ethusd', market],
        ])
        return before.answer?.(query) ?? restAnswer(markets, request.method ?? 'GET', path, query)
      },
    },
    { port: 0 },
  )
  t.after(() => server.stop())
  return { restUrl: server.restUrl, trades: market.trades, asked, before }
}

export async function openStore(t: TestContext): Promise<Database> {
  const temporary = await temporaryDatabase()
  await migrate(temporary.url)
  const database = openDatabase(temporary.url, { applicationName: 'booktape test', max: 4 })
  t.after(async () => {
    await database.close()
    await temporary.close()
  })
  return database
}

export type Ran = Readonly<{
  events: readonly BackfillEvent[]
  report: SymbolReport
  plan: Extract<BackfillEvent, { kind: 'plan' }>
}>
type RunOptions = Partial<
  Pick<Parameters<typeof backfill>[0], 'fromNs' | 'untilNs' | 'dryRun' | 'symbols' | 'stopping'>
>

/** One run as of `NOW`, as fast as it goes; what it waits for is over at once. */
export async function* run(database: Database, venue: Venue, options: RunOptions = {}): AsyncGenerator<BackfillEvent> {
  const clock = { wallNs: () => NOW, monoNs: () => process.hrtime.bigint(), sleep: async () => undefined }
  const bucket = new TokenBucket({ perMinute: 60_000, burst: 1_000 })
  const rest = createRestClient({
    baseUrl: venue.restUrl,
    budget: new Budget({ bucket, clock }),
    clock,
    random: () => 0.5,
    wait: async () => undefined,
  })
  yield* backfill({
    database,
    rest,
    clock,
    random: () => 0.5,
    symbols: [SYMBOL],
    fromNs: 0n,
    untilNs: NOW,
    dryRun: false,
    stopping: new AbortController().signal,
    ...options,
  })
}

export async function collected(events: AsyncGenerator<BackfillEvent>): Promise<readonly BackfillEvent[]> {
  const all: BackfillEvent[] = []
  for await (const event of events) all.push(event)
  return all
}

export async function ran(database: Database, venue: Venue, options: RunOptions = {}): Promise<Ran> {
  const events = await collected(run(database, venue, options))
  const plan = events.find((event) => event.kind === 'plan')
  const report = events.find((event) => event.kind === 'report')?.report
  assert.ok(plan !== undefined && report !== undefined)
  return { events, report, plan }
}

export type StoredTrade = Readonly<{ trade_id: bigint; price: string; source: string; line: string; broken: boolean }>

export async function storedTrades(database: Database): Promise<StoredTrade[]> {
  const { rows } = await database.pool.query<StoredTrade>(
    'select trade_id, price, source, line, broken from market.trades order by trade_id',
  )
  return rows
}

/** What `booktape verify` finds wrong. */
export async function findings(database: Database): Promise<string[]> {
  const everything = { fromTime: null, toTime: null, symbols: null, feed: null, line: null }
  const found: string[] = []
  for await (const event of verify(database, everything)) {
    if (event.kind === 'finding') found.push(event.finding.sentence)
  }
  return found
}

/** A hole of the recording below, by our clock, which is 20 ms behind the venue's events. */
export type Loss = Readonly<{
  name: string
  fromNs: bigint
  untilNs: bigint | null // null: it is open
  state: 'open' | 'closed' | 'unfillable'
  fromId?: null // null: no trade was known when it began
}>

/** A recorder of line `a` that has the book from `beganNs` on and all trades as they were made, but for those lost. */
export async function storeRecording(
  database: Database,
  trades: readonly RestTrade[],
  beganNs: bigint,
  losses: readonly Loss[],
): Promise<void> {
  const at = (ns: bigint) => ({ symbol: SYMBOL, feed: 'ws' as const, receivedTimeNs: ns })
  const sessionId = deriveId('session', 'fixture')
  const epochId = deriveId('epoch', 'fixture')
  const live = trades
    .map((trade): TradeRecord => {
      const { tradeId, eventTimeNs, price, quantity, takerSide } = trade
      return {
        kind: 'trade',
        tradeId,
        eventTimeNs,
        price,
        quantity,
        takerSide,
        source: 'ws',
        broken: false,
        symbol: SYMBOL,
        receivedTimeNs: eventTimeNs + 20_000_000n,
      }
    })
    .filter(
      ({ receivedTimeNs: ns }) =>
        ns >= beganNs && !losses.some((loss) => ns > loss.fromNs && (loss.untilNs === null || ns < loss.untilNs)),
    )
  const records: MarketRecord[] = [
    { kind: 'session_opened', sessionId, feed: 'ws', url: 'ws://127.0.0.1', receivedTimeNs: beganNs },
    { kind: 'epoch_started', epochId, sessionId, firstUpdateId: 1n, ...at(beganNs) },
    {
      kind: 'book_snapshot',
      epochId,
      messageSeq: 1,
      updateId: 1n,
      eventTimeNs: null,
      reason: 'initial',
      bidPrices: [decimal('1')],
      bidQuantities: [decimal('1')],
      askPrices: [],
      askQuantities: [],
      digest: 'f17fb8a0c9ecb1a2c2ea7c8d3fcc56d4a7ac5b0f6fed2b6b1b4d1ccdb6c8d4f1',
      ...at(beganNs),
    },
    ...live,
    ...losses.flatMap(({ name, fromNs, untilNs, state, fromId }): MarketRecord[] => {
      const gapId = deriveId('gap', name)
      const before = live.findLast(({ receivedTimeNs }) => receivedTimeNs <= fromNs)?.tradeId ?? null
      return [
        {
          kind: 'gap_opened',
          gapId,
          stream: 'trades',
          fromId: fromId === null ? null : before,
          cause: 'disconnect',
          ...at(fromNs),
        },
        ...(untilNs === null ? [] : [{ kind: 'gap_closed', gapId, toId: null, receivedTimeNs: untilNs } as const]),
        ...(state === 'unfillable' ? [{ kind: 'gap_settled', gapId, state, receivedTimeNs: NOW } as const] : []),
      ]
    }),
  ]
  await ensurePartitions(database, new Date(Number(beganNs / 1_000_000n)).toISOString().slice(0, 10), 2)
  await claimVenue(database, 'simulated')
  const writer = new Writer(database, { journalId: deriveId('journal', 'fixture'), line: 'a', shard: 0 })
  await writer.readPosition()
  const written = await writer.write({ fromPosition: 0, toPosition: 1, recordedUntilNs: NOW, records })
  assert.equal(written.outcome, 'committed')
}

export async function gapStates(database: Database): Promise<Record<string, string>> {
  const { rows } = await database.pool.query<{ gap_id: string; state: string }>('select gap_id, state from market.gaps')
  return Object.fromEntries(rows.map((row) => [row.gap_id, row.state]))
}
