import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { QuoteRecord } from '@booktape/market'
import { storedInstruments } from './stored-instruments.ts'
import { QUOTES_A_PAGE, type StoredQuote, storedQuotes } from './stored-quotes.ts'
import { AT, batchOf, decimal, instrument, openStore, registeredWriter, SESSION } from './writer.fixture.ts'

const QUOTES = 2 * QUOTES_A_PAGE + 1

/** Three to an instant, so that pages end within one. */
const quotes = Array.from(
  { length: QUOTES },
  (_, i): QuoteRecord => ({
    kind: 'quote',
    epochId: null,
    sessionId: SESSION,
    symbol: 'btcusd',
    feed: 'ws',
    messageSeq: i + 1,
    updateId: BigInt(i),
    eventTimeNs: i % 2 === 0 ? null : AT,
    receivedTimeNs: AT + BigInt(Math.floor(i / 3)),
    top: { bidPrice: decimal('10'), bidQuantity: decimal('1.5'), askPrice: null, askQuantity: null },
  }),
)

test('quotes come in their order, each once, page after page, and within the nanoseconds asked for', async (t) => {
  const { database } = await openStore(t)
  const writer = await registeredWriter(database)
  const other = await registeredWriter(database, 'second', 'b')
  assert.equal((await writer.write(batchOf(quotes))).outcome, 'committed')
  assert.equal(
    (await other.write(batchOf([{ ...quotes[0], sessionId: '00000000-0000-4000-8000-000000000002' } as QuoteRecord])))
      .outcome,
    'committed',
  )

  const read = async (fromNs: bigint, untilNs: bigint): Promise<StoredQuote[]> => {
    const client = await database.pool.connect()
    const found: StoredQuote[] = []
    const span = { symbol: 'btcusd', feed: 'ws', line: 'a', fromNs, untilNs } as const
    for await (const page of storedQuotes(client, span)) found.push(...page)
    client.release()
    return found
  }
  const expected = quotes.map(({ symbol, feed, updateId, eventTimeNs, receivedTimeNs, top }) => {
    return { kind: 'quote', symbol, feed, line: 'a', updateId, eventTimeNs, receivedTimeNs, top }
  })
  assert.deepEqual(await read(AT, AT + BigInt(QUOTES)), expected)
  assert.deepEqual(await read(AT + 1n, AT + 3n), expected.slice(3, 9))
  assert.deepEqual(await read(AT + BigInt(QUOTES), AT + 10n ** 12n), [])
})

test('the details of a symbol are those that held then, or the first there are', async (t) => {
  const { database } = await openStore(t)
  const writer = await registeredWriter(database)
  const before = instrument({ status: 'open' })
  const after = instrument({ status: 'limit_only' })
  await writer.write(batchOf([{ kind: 'instrument', instrument: before, receivedTimeNs: AT }]))
  await writer.write(batchOf([{ kind: 'instrument', instrument: after, receivedTimeNs: AT + 10n ** 9n }], 1))
  const client = await database.pool.connect()
  for (const [time, expected] of [
    ['2026-07-29T07:00Z', before],
    ['2026-07-29T08:00:01Z', before],
    ['2026-07-29T09:00Z', after],
  ] as const) {
    assert.deepEqual(await storedInstruments(client, ['btcusd', 'nosuch'], time), [expected], time)
  }
  client.release()
})
