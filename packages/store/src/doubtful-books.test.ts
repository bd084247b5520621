import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type BookSnapshot, deriveId, type LevelChange, type MarketRecord } from '@booktape/market'
import type { Database } from './database.ts'
import { AT, batchOf, bookMessage, decimal, openStore, registeredWriter, SESSION } from './writer.fixture.ts'
import type { Writer } from './writer.ts'

// A message that the database refused is missing from the book: no function gives a book that lacks it, each gives the true one
// before it and from the next whole book on.

const EPOCH = deriveId('doubtful', 1)
const NEXT_EPOCH = deriveId('doubtful', 2)
const S = 1_000_000_000n
/** Whole seconds, so that an instant is asked for as it was stored. */
const START = AT - (AT % S)

/** The book after second n has one bid, of quantity n. */
const message = (n: number, symbol = 'btcusd'): MarketRecord =>
  bookMessage(n, {
    epochId: symbol === 'btcusd' ? EPOCH : deriveId('doubtful', symbol),
    symbol,
    firstUpdateId: BigInt(n * 10 - 10),
    lastUpdateId: BigInt(n * 10),
    receivedTimeNs: START + BigInt(n) * S,
    changes: [{ side: 'bid', price: decimal('100'), quantity: decimal(`${n}`), reason: null } satisfies LevelChange],
  })

const snapshot = (n: number, changed: Partial<BookSnapshot> = {}): BookSnapshot => ({
  kind: 'book_snapshot',
  epochId: EPOCH,
  symbol: 'btcusd',
  feed: 'ws',
  messageSeq: n,
  updateId: BigInt(n * 10),
  eventTimeNs: null,
  receivedTimeNs: START + BigInt(n) * S,
  reason: 'interval',
  bidPrices: [decimal('100')],
  bidQuantities: [decimal(`${n}`)],
  askPrices: [],
  askQuantities: [],
  digest: '00'.repeat(32),
  ...changed,
})

const beginning = (epoch: string, n: number, symbol = 'btcusd'): MarketRecord[] => [
  {
    kind: 'epoch_started',
    epochId: epoch,
    sessionId: SESSION,
    symbol,
    feed: 'ws',
    firstUpdateId: BigInt(n * 10),
    receivedTimeNs: START + BigInt(n) * S,
  },
  snapshot(n, { epochId: epoch, symbol, reason: 'initial' }),
]

const end = (n: number): MarketRecord => ({
  kind: 'epoch_ended',
  epochId: EPOCH,
  lastUpdateId: BigInt(n * 10),
  reason: 'disconnect',
  receivedTimeNs: START + BigInt(n) * S,
})

/** The whole story: seconds 1 to 9, message 4 refused, a whole book at 7. Another symbol beside it. */
const STORY: readonly MarketRecord[] = [
  ...beginning(EPOCH, 1),
  ...beginning(deriveId('doubtful', 'ethusd'), 1, 'ethusd'),
  ...[2, 3, 4, 5, 6, 7].flatMap((n) => [message(n), message(n, 'ethusd')]),
  snapshot(7),
  message(8),
  message(9),
  end(9),
]

for (const [name, cuts] of [
  ['in one batch', [STORY.length]],
  ['a record a batch', STORY.map((_, i) => i + 1)],
  ['cut after the refused message', [STORY.findIndex((record) => isMessage(record, 4)) + 1, STORY.length]],
] as const) {
  test(`a book that lacks one message, ${name}: refused from it on, right before it and from the next whole book on`, async (t) => {
    const { database, write } = await refusing(t, "not (message_seq = 4 and symbol = 'btcusd')")
    let from = 0
    for (const to of cuts) {
      await write(STORY.slice(from, to), from)
      from = to
    }
    const at = (seconds: number): Promise<string> =>
      bidAt(database, 'btcusd', START + BigInt(Math.round(seconds * 1_000_000)) * 1_000n)
    const answers = []
    for (const seconds of [1, 2.5, 3, 3.999999, 4, 5.5, 6.999999, 7, 8, 9]) answers.push([seconds, await at(seconds)])
    assert.deepEqual(answers, [
      [1, '1'],
      [2.5, '2'],
      [3, '3'],
      [3.999999, '3'],
      [4, 'gap unstorable'],
      [5.5, 'gap unstorable'],
      [6.999999, 'gap unstorable'],
      [7, '7'],
      [8, '8'],
      [9, '9'],
    ])
    assert.equal(await bidAt(database, 'ethusd', START + 5n * S), '5')
    const after = []
    for (const id of [10, 20, 30, 39, 40, 60, 69, 70, 90]) after.push([id, await bidAfter(database, id)])
    // 31 to 40 came in the refused message: an id within it is not known either.
    assert.deepEqual(after, [
      [10, '1'],
      [20, '2'],
      [30, '3'],
      [39, 'gap unstorable'],
      [40, 'gap unstorable'],
      [60, 'gap unstorable'],
      [69, 'gap unstorable'],
      [70, '7'],
      [90, '9'],
    ])
    assert.deepEqual(await changes(database, 0, 20), ['book 1', '2', '3', 'book 7', '8', '9'])
    assert.deepEqual(await changes(database, 5, 9), ['book 7', '8'])
    assert.deepEqual(await coverage(database, 1, 9), ['live 1 to 3.999999', 'gap 3.999999 to 7', 'live 7 to 9'])
    const top = await database.pool.query(`select from market.top_of_book_at('btcusd', $1)`, [instant(START + 5n * S)])
    assert.equal(top.rowCount, 0)
    const { rows } = await database.pool.query('select from_id, to_id, state, cause from market.gaps')
    assert.deepEqual(rows, [{ from_id: 30n, to_id: 70n, state: 'closed', cause: 'unstorable' }])
  })
}

test('until a whole book is stored the book is not known, and a restart does not forget it', async (t) => {
  const { database, write } = await refusing(t, 'message_seq <> 4')
  await write([...beginning(EPOCH, 1), message(2), message(3), message(4), message(5)], 0)
  // Proven without an end, as at the live edge.
  await database.pool.query(`update booktape.journals set recorded_until = now()`)
  const now = (): Promise<string> => bidAt(database, 'btcusd', 'now()')
  assert.equal(await now(), 'gap unstorable')
  assert.equal(await bidAt(database, 'btcusd', START + 3n * S), '3')
  const successor = await registeredWriter(database)
  await successor.write(batchOf([message(6), snapshot(6)], 6))
  await database.pool.query(`update booktape.journals set recorded_until = now()`)
  assert.equal(await now(), '6')
  assert.deepEqual(await coverage(database, 1, 7), ['live 1 to 3.999999', 'gap 3.999999 to 6', 'live 6 to 7'])
})

test('two messages that are missing before one whole book are two gaps with one end', async (t) => {
  const { database, write } = await refusing(t, 'message_seq not in (3, 5)')
  await write([...beginning(EPOCH, 1), ...[2, 3, 4, 5, 6].map((n) => message(n)), snapshot(6), message(7), end(7)], 0)
  assert.deepEqual(await coverage(database, 1, 7), ['live 1 to 2.999999', 'gap 2.999999 to 6', 'live 6 to 7'])
  assert.deepEqual(await changes(database, 0, 20), ['book 1', '2', 'book 6', '7'])
})

test('two missing messages with a whole book between are two spans', async (t) => {
  const { database, write } = await refusing(t, 'message_seq not in (2, 5)')
  const story = [
    ...beginning(EPOCH, 1),
    message(2),
    message(3),
    snapshot(3),
    message(4),
    message(5),
    message(6),
    snapshot(6),
    end(6),
  ]
  await write(story, 0)
  assert.deepEqual(await coverage(database, 1, 6), [
    'live 1 to 1.999999',
    'gap 1.999999 to 3',
    'live 3 to 4.999999',
    'gap 4.999999 to 6',
  ])
  assert.deepEqual(await changes(database, 0, 20), ['book 1', 'book 3', '4', 'book 6'])
  assert.equal(await bidAfter(database, 40), '4')
  assert.equal(await bidAfter(database, 50), 'gap unstorable')
})

test('an epoch whose first whole book is refused is known from its next one on', async (t) => {
  const { database, write } = await refusing(t, 'true', "reason <> 'initial'")
  await write([...beginning(EPOCH, 1), message(2), message(3), snapshot(3), message(4), end(4)], 0)
  assert.deepEqual(await coverage(database, 1, 4), ['gap 1 to 3', 'live 3 to 4'])
  assert.equal(await bidAt(database, 'btcusd', START + 2n * S), 'gap unstorable')
  assert.equal(await bidAt(database, 'btcusd', START + 4n * S), '4')
  assert.deepEqual(await changes(database, 0, 20), ['book 3', '4'])
})

test('a whole book of every minute that is refused takes nothing with it: the messages give that book', async (t) => {
  const { database, write } = await refusing(t, 'true', "reason <> 'interval'")
  await write([...beginning(EPOCH, 1), message(2), snapshot(2), message(3), end(3)], 0)
  assert.deepEqual(await coverage(database, 1, 3), ['live 1 to 3'])
  assert.equal(await bidAt(database, 'btcusd', START + 2n * S), '2')
})

test('an epoch that is refused is a gap until the next epoch, whatever whole books it has', async (t) => {
  const { database, write } = await refusing(t, 'true')
  await database.pool.query('alter table booktape.epochs add constraint poison check (first_update_id <> 10) not valid')
  const story = [...beginning(EPOCH, 1), message(2), snapshot(2), message(3), end(3), ...beginning(NEXT_EPOCH, 5)]
  await write(story, 0)
  assert.equal(await bidAt(database, 'btcusd', START + 2n * S), 'gap unstorable')
  const { rows } = await database.pool.query('select from_id, to_id, state from market.gaps')
  assert.deepEqual(rows, [{ from_id: 10n, to_id: 50n, state: 'closed' }])
})

test('where the clock was set back, the number of the message decides and not its time', async (t) => {
  const { database, write } = await refusing(t, 'message_seq <> 4')
  const back = { ...message(5), receivedTimeNs: START + 2n * S + 500_000_000n } as MarketRecord
  await write([...beginning(EPOCH, 1), message(2), message(3), message(4), back], 0)
  // At 2.6 s two messages had come by the times: the second, and, an hour later in truth, the fifth.
  assert.match(await bidAt(database, 'btcusd', START + 2n * S + 600_000_000n), /lacks a message/)
})

test('a missing trade makes the bars of its own time incomplete and no other; a missing message of v1 makes none so', async (t) => {
  const { database, write } = await refusing(t, 'message_seq <> 2')
  await database.pool.query('alter table booktape.trades add constraint poison check (trade_id <> 2) not valid')
  const v1 = (record: MarketRecord): MarketRecord => ({ ...record, feed: 'v1' }) as MarketRecord
  const records = [
    ...beginning(EPOCH, 1).map(v1),
    v1(message(2)),
    ...[1, 2, 3].map(
      (n): MarketRecord => ({
        kind: 'trade',
        symbol: 'btcusd',
        tradeId: BigInt(n),
        eventTimeNs: START + BigInt(n) * 10n * S,
        receivedTimeNs: START + BigInt(n) * 10n * S + 1_000_000n,
        price: decimal('1'),
        quantity: decimal('1'),
        takerSide: 'buy',
        source: 'v1',
        broken: false,
      }),
    ),
  ]
  await write(records, 0)
  await database.pool.query(`update booktape.journals set recorded_until = now() + interval '1 year'`)
  const { rows } = await database.pool.query<{ bar: string }>(
    `select trade_count || ' ' || complete as bar from market.bars('btcusd', interval '5 seconds', $1, $2) offset 1`,
    [instant(START), instant(START + 35n * S)],
  )
  assert.deepEqual(
    rows.map(({ bar }) => bar),
    ['0 true', '1 true', '0 true', '0 false', '0 true', '1 true'],
  )
})

/** A store whose messages and whole books must satisfy the conditions, and a writer into it. */
async function refusing(t: TestContext, messages: string, books = 'true') {
  const { database } = await openStore(t)
  await database.pool.query(`alter table booktape.book_messages add constraint poison check (${messages}) not valid;
    alter table booktape.book_snapshots add constraint poison check (${books}) not valid`)
  const writer: Writer = await registeredWriter(database)
  const write = async (records: readonly MarketRecord[], from: number): Promise<void> => {
    const batch = { ...batchOf(records, from), recordedUntilNs: START + 100n * S }
    assert.equal((await writer.write(batch)).outcome, 'committed')
  }
  return { database, write }
}

function isMessage(record: MarketRecord, seq: number): boolean {
  return record.kind === 'book_message' && record.messageSeq === seq && record.symbol === 'btcusd'
}

const instant = (ns: bigint): string =>
  new Date(Number(ns / 1_000_000n))
    .toISOString()
    .replace('Z', `${((ns / 1_000n) % 1_000n).toString().padStart(3, '0')}Z`)

/** The quantity of the one bid, or what the refusal names. */
async function bidAt(database: Database, symbol: string, at: bigint | 'now()'): Promise<string> {
  const when = at === 'now()' ? at : `timestamptz '${instant(at)}'`
  return await bidOf(database, `select quantity::text from market.book_at('${symbol}', ${when})`)
}

async function bidAfter(database: Database, id: number): Promise<string> {
  return await bidOf(database, `select quantity::text from market.book_at_update('btcusd', '${EPOCH}', ${id})`)
}

async function bidOf(database: Database, query: string): Promise<string> {
  try {
    const { rows } = await database.pool.query<{ quantity: string }>(query)
    assert.equal(rows.length, 1)
    return rows[0]?.quantity ?? ''
  } catch (error) {
    assert.ok(error instanceof Error && 'code' in error && error.code === 'BT001', String(error))
    return /gap [-0-9a-f]{36} \(unstorable[),]/.test(error.message) ? 'gap unstorable' : error.message
  }
}

async function changes(database: Database, from: number, to: number): Promise<string[]> {
  const { rows } = await database.pool.query<{ line: string }>(
    `select case when is_snapshot then 'book ' else '' end || quantity as line from market.changes_between('btcusd', $1, $2)`,
    [instant(START + BigInt(from) * S), instant(START + BigInt(to) * S)],
  )
  return rows.map(({ line }) => line)
}

async function coverage(database: Database, from: number, to: number): Promise<string[]> {
  const second = (column: string): string => `trim_scale(extract(epoch from ${column} - $3::timestamptz))`
  const { rows } = await database.pool.query<{ line: string }>(
    `select state || ' ' || ${second('from_time')} || ' to ' || ${second('to_time')} as line
     from market.coverage('btcusd', null, $1, $2)`,
    [instant(START + BigInt(from) * S), instant(START + BigInt(to) * S), instant(START)],
  )
  return rows.map(({ line }) => line)
}
