import assert from 'node:assert/strict'
import { test } from 'node:test'
import { applyChange, bookDigest, bookFromLevels, emptyBook } from '@booktape/book'
import { openTape, type Tape, type TapeEvent, type TapeQuestion } from '@booktape/client'
import { Exchange, presetOf } from '@booktape/exchange'
import {
  type BookMessage,
  type DecimalText,
  deriveId,
  invariant,
  type LevelChange,
  type MarketRecord,
} from '@booktape/market'
import { ensurePartitions, migrate, openDatabase, settle, Writer } from '@booktape/store'
import { temporaryDatabase } from '@booktape/testkit'
import { trueDigest, VirtualRecorder } from './virtual-recorder.ts'

const START_NS = 1_790_732_600_000_000_000n
const SYMBOLS = ['btcgusdperp', 'ethgusdperp'] as const
const NS_PER_MS = 1_000_000n
const BATCH = 5_000

test('a tape gives back what was recorded, from rows and from chunks, and says where nothing is known', async (t) => {
  const specs = SYMBOLS.map((symbol) => presetOf(symbol))
  const exchange = new Exchange({ seed: 7, symbols: specs.map((spec) => spec ?? assert.fail()), startNs: START_NS })
  const recorder = new VirtualRecorder(exchange, {})
  recorder.pass(90_000)
  recorder.stop()
  recorder.beAway(30_000)
  recorder.start({ runId: 'again' })
  recorder.pass(90_000)
  recorder.stop()
  const { records } = recorder
  const endNs = exchange.nowNs + NS_PER_MS

  const temporary = await temporaryDatabase()
  await migrate(temporary.url)
  const database = openDatabase(temporary.url, { applicationName: 'booktape test', max: 4 })
  const tape = openTape(temporary.url)
  t.after(async () => {
    await tape.close()
    await database.close()
    await temporary.close()
  })
  await ensurePartitions(database, '2026-09-29', 2)
  const writer = new Writer(database, { journalId: deriveId('journal', 'tape'), line: 'a', shard: 0 })
  await writer.readPosition()
  for (let from = 0; from < records.length; from += BATCH) {
    const some = records.slice(from, from + BATCH)
    const batch = { fromPosition: from, toPosition: from + some.length, recordedUntilNs: endNs, records: some }
    assert.equal((await writer.write(batch)).outcome, 'committed')
  }

  for (const form of ['rows', 'chunks'] as const) {
    if (form === 'chunks') {
      const { messages } = await settle(database, '2031-01-01', new AbortController().signal, { before: '2031-01-01' })
      assert.notEqual(messages, 0n)
    }
    for (const feed of ['v1', 'ws'] as const) {
      for (const symbol of SYMBOLS) {
        await t.test(`${form}: ${feed} ${symbol}`, async () => {
          const question: TapeQuestion = { symbols: [symbol], from: START_NS, to: endNs, feed }
          const events = await all(tape, question)
          const isOfIt = (record: Extract<MarketRecord, { kind: 'book_message' | 'epoch_started' }>) =>
            record.feed === feed && record.symbol === symbol
          const messages = records
            .filter((record) => record.kind === 'book_message')
            .filter(isOfIt)
            .map(asStored)
          assert.deepEqual(ofKind(events, 'book_message').map(withoutLine), messages)
          const started = records.filter((record) => record.kind === 'epoch_started').filter(isOfIt)
          const books = ofKind(events, 'book')
          assert.equal(books.length, started.length)
          const gaps = ofKind(events, 'gap')
          // Before the first book, while nobody was there, and after the stop.
          assert.deepEqual(
            gaps.map(({ causes }) => causes.length > 0),
            [false, true, true],
          )
          assert.equal(gaps[1]?.toNs, books[1]?.receivedTimeNs)
          const { digest, updateId } = played(events)
          assert.equal(digest, trueDigest(exchange, symbol, updateId))
        })
      }
    }
  }

  await t.test('trades are given once, in their order', async () => {
    const ids = new Set(
      records.flatMap((record) => (record.kind === 'trade' ? [`${record.symbol} ${record.tradeId}`] : [])),
    )
    const events = await all(tape, { symbols: SYMBOLS, from: START_NS, to: endNs, only: 'trades', clock: 'exchange' })
    const trades = ofKind(events, 'trade')
    assert.deepEqual(new Set(trades.map(({ symbol, tradeId }) => `${symbol} ${tradeId}`)), ids)
    assert.equal(trades.length, ids.size)
    assert.ok(trades.every((trade, i) => i === 0 || trade.eventTimeNs >= (trades[i - 1]?.eventTimeNs ?? 0n)))
  })

  await t.test('a span that begins within an epoch begins with the book of that instant', async () => {
    const symbol = SYMBOLS[0]
    const from = START_NS + 45_000n * NS_PER_MS
    const events = await all(tape, {
      symbols: [symbol],
      from,
      to: from + 20_000n * NS_PER_MS,
      feed: 'ws',
      only: 'books',
    })
    const [first] = events
    assert.equal(first?.kind, 'book')
    const { digest, updateId } = played(events)
    assert.equal(digest, trueDigest(exchange, symbol, updateId))
  })
})

test('an epoch that begins in the microsecond in which the one before ended follows it without a gap', async (t) => {
  const temporary = await temporaryDatabase()
  await migrate(temporary.url)
  const database = openDatabase(temporary.url, { applicationName: 'booktape test', max: 2 })
  const tape = openTape(temporary.url)
  t.after(async () => {
    await tape.close()
    await database.close()
    await temporary.close()
  })
  await ensurePartitions(database, '2026-09-29', 2)
  const writer = new Writer(database, { journalId: deriveId('journal', 'rotation'), line: 'a', shard: 0 })
  await writer.readPosition()
  const switchNs = START_NS + 1_000_000_789n
  const records = [
    ...epochOf('first', 1n, START_NS),
    {
      kind: 'epoch_ended',
      epochId: deriveId('epoch', 'first'),
      lastUpdateId: 1n,
      reason: 'rotation',
      receivedTimeNs: switchNs,
    },
    ...epochOf('second', 1n, switchNs),
  ] as const satisfies readonly MarketRecord[]
  const batch = { fromPosition: 0, toPosition: records.length, recordedUntilNs: switchNs + 5_000n, records }
  assert.equal((await writer.write(batch)).outcome, 'committed')

  const question: TapeQuestion = {
    symbols: ['btcusd'],
    from: START_NS,
    to: switchNs + 2_000n,
    feed: 'ws',
    only: 'books',
  }
  assert.deepEqual(
    (await all(tape, question)).map(({ kind }) => kind),
    ['book', 'book'],
  )
  assert.deepEqual(
    (await tape.coverage(question)).map(({ isKnown }) => isKnown),
    [true, true],
  )
})

/** An epoch of an empty book but for one bid. */
function epochOf(name: string, updateId: bigint, receivedTimeNs: bigint): MarketRecord[] {
  const [epochId, sessionId] = [deriveId('epoch', name), deriveId('session', name)]
  const of = { symbol: 'btcusd', feed: 'ws', receivedTimeNs } as const
  const price = '10' as DecimalText
  const book = bookFromLevels([{ side: 'bid', price, quantity: price, reason: null }])
  return [
    { kind: 'session_opened', sessionId, url: 'ws://127.0.0.1:1', ...of },
    { kind: 'epoch_started', epochId, sessionId, firstUpdateId: updateId, ...of },
    {
      kind: 'book_snapshot',
      epochId,
      ...of,
      messageSeq: 1,
      updateId,
      eventTimeNs: null,
      reason: 'initial',
      bidPrices: [price],
      bidQuantities: [price],
      askPrices: [],
      askQuantities: [],
      digest: bookDigest(book),
    },
  ]
}

async function all(tape: Tape, question: TapeQuestion): Promise<readonly TapeEvent[]> {
  const events: TapeEvent[] = []
  for await (const event of tape.events(question)) events.push(event)
  return events
}

function ofKind<Kind extends TapeEvent['kind']>(events: readonly TapeEvent[], kind: Kind) {
  return events.filter((event): event is Extract<TapeEvent, { kind: Kind }> => event.kind === kind)
}

function withoutLine(message: TapeEvent & BookMessage): BookMessage {
  const { line, ...rest } = message
  assert.equal(line, 'a')
  return rest
}

/** v1's changes carry what they changed by, which is not stored. */
function asStored(message: BookMessage): BookMessage {
  const changes = message.changes.map(({ side, price, quantity, reason }) => ({ side, price, quantity, reason }))
  return { ...message, changes }
}

/** The book after all events, as a reader of the tape would keep it. */
function played(events: readonly TapeEvent[]): Readonly<{ digest: string; updateId: bigint }> {
  let book = emptyBook()
  let updateId: bigint | null = null
  for (const event of events) {
    if (event.kind === 'book') {
      const level =
        (side: 'bid' | 'ask') =>
        ({ price, quantity }: TapeLevel): LevelChange => ({ side, price, quantity, reason: null })
      book = bookFromLevels([...event.bids.map(level('bid')), ...event.asks.map(level('ask'))])
      updateId = event.updateId
    } else if (event.kind === 'book_message') {
      for (const { side, price, quantity } of event.changes) applyChange(book, side, price, quantity)
      updateId = event.lastUpdateId
    }
  }
  invariant(updateId !== null, 'a book was given')
  return { digest: bookDigest(book), updateId }
}

type TapeLevel = Extract<TapeEvent, { kind: 'book' }>['bids'][number]
