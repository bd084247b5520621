import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Client } from 'pg'
import { startRecorder } from './spawned-command.ts'
import { environment, startDatabase, startExchange } from './surroundings.ts'
import { assertWhole } from './whole.ts'

// A database that refuses some rows of one symbol, while a recorder writes them: everything that is shown is true, everything
// that is not shown is disclosed, and the other symbol notices nothing.

const POISONED = 'btcusd'
// One update in 499 and one trade in 29 are refused: a batch of any size stays below what it may set aside.
const OTHER = 'ethgusdperp'
/** Gaps of each stream to wait for, each with its end. */
const GAPS = 2
const SAMPLES = 60
/** Entries that wait for their commit at the live edge: some seconds at most, which a stop waits for. */
const BACKLOG = 500

test('of a symbol some of whose rows are refused every book and trade that is shown is true, and every other is disclosed', async (t) => {
  const exchange = await startExchange(t)
  const { truth } = exchange.exchange
  const { url, client } = await startDatabase(t)
  const { command, get } = await startRecorder(t, {
    ...environment(t, exchange),
    DATABASE_URL: url.href,
    BOOKTAPE_SNAPSHOT_INTERVAL: '1s',
  })
  await command.until('readiness', async () => (await get('/readyz')).status === 200)
  await client.query(
    `alter table booktape.book_messages add constraint poison check (symbol <> '${POISONED}' or update_id % 499 <> 0) not valid;
     alter table booktape.trades add constraint poison check (symbol <> '${POISONED}' or trade_id % 29 <> 0) not valid`,
  )
  const closed = async (stream: string): Promise<number> =>
    await count(
      client,
      `select from market.gaps where cause = 'unstorable' and state = 'closed' and stream = '${stream}'`,
    )
  await command.until('gaps of the book', async () => (await closed('book')) >= GAPS)
  await command.until('gaps of trades', async () => (await closed('trades')) >= GAPS)
  assert.equal((await get('/readyz')).status, 200)
  const { body: metrics } = await get('/metrics')
  assert.match(metrics, /^booktape_write_failures_total\{class="poison"\} [1-9]/m)
  assert.match(metrics, /^booktape_quarantined_total\{feed="ws",reason="unstorable"\} [1-9]/m)
  await client.query(
    'alter table booktape.book_messages drop constraint poison; alter table booktape.trades drop constraint poison',
  )
  const backlog = async (): Promise<number> =>
    Number(/^booktape_backlog_messages (\d+)$/m.exec((await get('/metrics')).body)?.[1])
  await command.until('the live edge', async () => (await backlog()) < BACKLOG)
  const { code, stdout } = await command.stop()
  assert.equal(code, 0)
  assert.match(
    stdout,
    /"level":"error".*"table":"book_messages".*"the database refuses a row: it is kept in quarantine"/,
  )

  for (const symbol of [POISONED, OTHER]) {
    const { rows: samples } = await client.query<Sample>(SAMPLED, [symbol, SAMPLES])
    let refused = 0
    for (const { epoch, update, disclosed } of samples) {
      const shown = await bookAfter(client, symbol, epoch, update)
      assert.equal(shown === null, disclosed, `${symbol} after ${update}`)
      if (shown === null) refused++
      else assert.deepEqual(shown, levelsOf(truth.bookAfter(symbol, BigInt(update))), `${symbol} after ${update}`)
    }
    assert.ok(samples.length > SAMPLES / 2)
    if (symbol === OTHER) assert.equal(refused, 0)
    else assert.ok(refused > 0 && refused < samples.length)
  }

  // Each trade between the first and the last that is known is a row, or a gap of its own.
  const { rows: trades } = await client.query<{ id: string }>(
    'select trade_id::text as id from market.trades where symbol = $1',
    [POISONED],
  )
  const { rows: gaps } = await client.query<{ id: string }>(
    `select distinct to_id::text as id from market.gaps where symbol = $1 and stream = 'trades' and cause = 'unstorable' and from_id = to_id - 1`,
    [POISONED],
  )
  const known = [...trades, ...gaps].map(({ id }) => BigInt(id)).sort((a, b) => (a < b ? -1 : 1))
  const happened = truth.trades(POISONED).map(({ tradeId }) => tradeId)
  const [first, last] = [known[0] ?? 0n, known.at(-1) ?? 0n]
  assert.deepEqual(
    known,
    happened.filter((id) => id >= first && id <= last),
  )

  const { rows: causes } = await client.query<{ gap: string }>(
    `select distinct concat_ws(' ', symbol, cause) as gap from market.gaps order by 1`,
  )
  assert.deepEqual(
    causes.map(({ gap }) => gap),
    [`${POISONED} stopped`, `${POISONED} unstorable`, `${OTHER} stopped`],
  )
  assert.equal(await count(client, 'select from market.epochs'), 4)
  await assertWhole(url.href)
})

type Sample = { epoch: string; update: string; disclosed: boolean }

/** Updates spread over what is stored, and whether a gap says that the book is not known after them. */
const SAMPLED = `select epoch, update, exists (
    select from booktape.gaps g where g.epoch_id = epoch::uuid and g.cause = 'unstorable'
      and g.from_id < update::bigint and (g.to_id is null or update::bigint < g.to_id)
  ) as disclosed
  from (
    select epoch_id::text as epoch, update_id::text as update, row_number() over (order by received_time, message_seq) as place,
      count(*) over () as total
    from booktape.book_messages where symbol = $1
  ) numbered where place % greatest(1, total / $2) = 0`

/** Null where it is not known. */
async function bookAfter(client: Client, symbol: string, epoch: string, update: string): Promise<string[] | null> {
  try {
    const { rows } = await client.query<{ shown: string }>(
      `select side || ' ' || price || ' ' || quantity as shown from market.book_at_update($1, $2, $3) order by side = 'ask', level`,
      [symbol, epoch, update],
    )
    return rows.map(({ shown }) => shown)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'BT001') return null
    throw error
  }
}

type Levels = readonly (readonly [string, string])[]

function levelsOf({ bids, asks }: Readonly<{ bids: Levels; asks: Levels }>): string[] {
  return [...bids.map(([p, q]) => `bid ${p} ${q}`), ...asks.map(([p, q]) => `ask ${p} ${q}`)]
}

async function count(client: Client, query: string): Promise<number> {
  return (await client.query(query)).rowCount ?? 0
}
