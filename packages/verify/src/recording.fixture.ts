import type { TestContext } from 'node:test'
import { applyChange, bookDigest, bookFromLevels, depth, type OrderBook, topOfBook } from '@booktape/book'
import {
  type DecimalText,
  deriveId,
  type Feed,
  type GapCause,
  invariant,
  type LevelChange,
  type MarketRecord,
  readDecimal,
  type SnapshotReason,
} from '@booktape/market'
import {
  claimVenue,
  type Database,
  ensurePartitions,
  migrate,
  noteArchivedDay,
  openDatabase,
  settle,
  Writer,
} from '@booktape/store'
import { temporaryDatabase } from '@booktape/testkit'

/** 2026-07-29T08:00:00.123456789Z */
export const AT = 1_785_312_000_123_456_789n
const SECOND = 1_000_000_000n
const MINUTE = 60n * SECOND

/** A migrated database that a recorder has claimed, gone after the test. */
export async function emptyStore(t: TestContext): Promise<Readonly<{ url: string; database: Database }>> {
  const temporary = await temporaryDatabase()
  await migrate(temporary.url)
  const database = openDatabase(temporary.url, { applicationName: 'booktape test', max: 4 })
  t.after(async () => {
    await database.close()
    await temporary.close()
  })
  await ensurePartitions(database, '2026-07-29', 0)
  await claimVenue(database, 'simulated')
  return { url: temporary.url, database }
}

/**
 * Three hours of two lines, small, with something in every table: epochs that follow on a gap, a rotation and a refused message,
 * trades that were broken and filled, and copies of line a's ids on line b, which were omitted. The first two hours have settled.
 */
export async function storedRecording(t: TestContext): Promise<Readonly<{ url: string; database: Database }>> {
  const store = await emptyStore(t)
  const { database } = store
  await write(database, 'a', lineA())
  await write(database, 'b', bookOf('b', 'btcusd', 'ws', 1, 190, { isLive: true }).records)
  const before = new Date(Number((AT + 120n * MINUTE) / 1_000_000n)).toISOString().replace(/:\d\d:\d\d\..*/, ':00:00Z')
  const never = new AbortController().signal
  await settle(database, '2026-07-29', never, { before, messagesATurn: 7 })
  for (const [day, manifest] of [
    ['2026-07-27', 'a'.repeat(64)],
    ['2026-07-28', 'b'.repeat(64)],
  ] as const)
    await noteArchivedDay(database, { day, place: '/srv/tape', manifest })
  return store
}

function lineA(): readonly MarketRecord[] {
  const btc = bookOf('a', 'btcusd', 'ws', 1, 100)
  const gapId = deriveId('gap', 'a')
  const place = { symbol: 'btcusd', feed: 'ws' } as const
  const again = bookOf('a', 'btcusd', 'ws', 120, 190, { name: 'again', isLive: true })
  const eth = bookOf('a', 'ethusd', 'v1', 1, 40, { end: 'rotation' })
  const rotated = bookOf('a', 'ethusd', 'v1', 40, 80, { name: 'rotated', isLive: true })
  const [tradesGap, filledGap] = [deriveId('gap', 'open trades'), deriveId('gap', 'filled trades')]
  return [
    ...btc.records,
    {
      kind: 'gap_opened',
      gapId,
      stream: 'book',
      fromId: 100n,
      cause: 'sequence',
      receivedTimeNs: timeOf(100),
      ...place,
    },
    { kind: 'gap_closed', gapId, toId: 120n, receivedTimeNs: timeOf(120) },
    ...again.records,
    ...eth.records,
    ...rotated.records,
    {
      kind: 'gap_opened',
      gapId: filledGap,
      stream: 'trades',
      fromId: 4n,
      cause: 'disconnect',
      receivedTimeNs: timeOf(10),
      ...place,
    },
    { kind: 'gap_closed', gapId: filledGap, toId: 6n, receivedTimeNs: timeOf(20) },
    { kind: 'gap_settled', gapId: filledGap, state: 'filled', receivedTimeNs: timeOf(30) },
    {
      kind: 'gap_opened',
      gapId: tradesGap,
      stream: 'trades',
      fromId: 9n,
      cause: 'disconnect',
      receivedTimeNs: timeOf(150),
      ...place,
    },
    ...Array.from(
      { length: 12 },
      (_, i): MarketRecord => trade(i + 1, i === 5 ? 'rest' : i % 2 === 0 ? 'ws' : 'v1', i === 3),
    ),
    { kind: 'instrument', instrument: instrument('open'), receivedTimeNs: timeOf(1) },
    { kind: 'instrument', instrument: instrument('closed'), receivedTimeNs: timeOf(90) },
    ...(['book_ticker', 'depth', 'rest'] as const).map(
      (method, i): MarketRecord => ({
        kind: 'audit',
        method,
        updateId: BigInt(50 + i),
        levelsCompared: 2,
        levelsDifferent: i === 2 ? 1 : 0,
        result: i === 2 ? 'different' : 'equal',
        receivedTimeNs: timeOf(50 + i),
        ...place,
      }),
    ),
    ...[1, 2, 3].map(
      (n): MarketRecord => ({
        kind: 'quarantine',
        sessionId: deriveId('session', 'a', 'btcusd', 'ws', ''),
        messageSeq: 500 + n,
        feed: 'ws',
        symbol: n === 1 ? null : 'btcusd',
        reason: `MALFORMED_JSON: "at" byte ${n}\n`,
        payload: Buffer.from(`{"broken":${n}`),
        receivedTimeNs: timeOf(60 + n),
      }),
    ),
  ]
}

/** The instant of update id `id`: 180 of them in three hours. */
const timeOf = (id: number): bigint => AT + BigInt(id) * MINUTE - 30n * SECOND + BigInt(id * 7)

type BookOptions = Readonly<{ name?: string; isLive?: boolean; end?: GapCause | 'rotation' }>

/** A session with one epoch of the ids (from, to], one a message, a whole book every 25, and the quotes of what changed the top. */
function bookOf(
  line: string,
  symbol: string,
  feed: Feed,
  from: number,
  to: number,
  { name = '', isLive = false, end = 'sequence' }: BookOptions = {},
): Readonly<{ records: readonly MarketRecord[] }> {
  const sessionId = deriveId('session', line, symbol, feed, name)
  const epochId = deriveId('epoch', line, symbol, feed, name)
  const seqOf = (id: number): number => 3 * (id - from) + 1 // others' messages lie between
  const book = bookFromLevels(OPENING)
  const place = { symbol, feed }
  const records: MarketRecord[] = [
    { kind: 'session_opened', sessionId, feed, url: 'wss://ws.gemini.com', receivedTimeNs: timeOf(from) - SECOND },
    { kind: 'epoch_started', epochId, sessionId, firstUpdateId: BigInt(from), receivedTimeNs: timeOf(from), ...place },
    snapshotOf(book, 'initial', from),
  ]
  for (let id = from + 1; id <= to; id++) {
    const changes = changesOf(id)
    for (const { side, price, quantity } of changes) applyChange(book, side, price, quantity)
    const stamp = {
      messageSeq: seqOf(id),
      eventTimeNs: id % 9 === 0 ? null : timeOf(id) - 5_000_000n,
      receivedTimeNs: timeOf(id),
    }
    const firstUpdateId = BigInt(feed === 'ws' ? id - 1 : id)
    records.push({
      kind: 'book_message',
      epochId,
      firstUpdateId,
      lastUpdateId: BigInt(id),
      changes,
      ...stamp,
      ...place,
    })
    if (id % 10 === 0)
      records.push({
        kind: 'quote',
        epochId,
        sessionId,
        updateId: BigInt(id),
        top: topOfBook(book),
        ...stamp,
        ...place,
      })
    if (id % 25 === 0) records.push(snapshotOf(book, 'interval', id))
  }
  if (isLive) return { records }
  records.push(
    snapshotOf(book, 'epoch_end', to),
    { kind: 'epoch_ended', epochId, lastUpdateId: BigInt(to), reason: end, receivedTimeNs: timeOf(to) },
    { kind: 'session_closed', sessionId, code: 1006, reason: 'lost', receivedTimeNs: timeOf(to) + SECOND },
  )
  return { records }

  function snapshotOf(of: OrderBook, reason: SnapshotReason, id: number): MarketRecord {
    const [bids, asks] = [depth(of, 'bid'), depth(of, 'ask')]
    return {
      kind: 'book_snapshot',
      epochId,
      messageSeq: seqOf(id),
      updateId: BigInt(id),
      eventTimeNs: null,
      receivedTimeNs: timeOf(id),
      reason,
      bidPrices: bids.prices,
      bidQuantities: bids.quantities,
      askPrices: asks.prices,
      askQuantities: asks.quantities,
      digest: bookDigest(of),
      ...place,
    }
  }
}

const decimal = (text: string): DecimalText => {
  const value = readDecimal(text)
  invariant(value !== null, `${text} is a decimal`)
  return value
}

const level = (side: 'bid' | 'ask', price: string, quantity: string): LevelChange => ({
  side,
  price: decimal(price),
  quantity: decimal(quantity),
  reason: null,
})

const OPENING: readonly LevelChange[] = [
  level('bid', '100', '1'),
  level('bid', '99.5', '2.5'),
  level('ask', '101', '1'),
  level('ask', '4105123935484.817624', '0.000000000000000001'),
]

/** The same for each line: what an id is, the venue says. Every eleventh message moves the id alone. */
function changesOf(id: number): readonly LevelChange[] {
  if (id % 11 === 0) return []
  const price = `${90 + (id % 7)}.${id % 10}`
  return [level('bid', price, `${id % 5}.25`), level('ask', `${102 + (id % 4)}`, id % 3 === 0 ? '0' : `${id}`)]
}

function trade(id: number, source: 'v1' | 'ws' | 'rest', broken: boolean): MarketRecord {
  return {
    kind: 'trade',
    symbol: 'btcusd',
    tradeId: BigInt(id),
    eventTimeNs: timeOf(id * 10) - 3_000_000n,
    receivedTimeNs: timeOf(id * 10),
    price: decimal(`100.${id}`),
    quantity: decimal('0.01'),
    takerSide: id % 2 === 0 ? 'buy' : 'sell',
    source,
    broken,
  }
}

function instrument(status: string) {
  return {
    symbol: 'btcusd',
    baseCurrency: 'BTC',
    quoteCurrency: 'USD',
    priceIncrement: decimal('0.01'),
    quantityIncrement: decimal('0.00000001'),
    minOrderSize: decimal('0.00001'),
    status,
    productType: 'spot',
    contractType: 'vanilla',
  }
}

/** In a few batches, so that rows are added to what was counted before. */
async function write(database: Database, line: string, records: readonly MarketRecord[]): Promise<void> {
  const writer = new Writer(database, { journalId: deriveId('journal', line), line, shard: 0 })
  await writer.readPosition()
  const batch = Math.ceil(records.length / 3)
  for (let from = 0; from < records.length; from += batch) {
    const part = records.slice(from, from + batch)
    const written = await writer.write({
      fromPosition: from,
      toPosition: from + part.length,
      recordedUntilNs: timeOf(200),
      records: part,
    })
    invariant(written.outcome === 'committed', 'a batch of the fixture is stored')
  }
}
