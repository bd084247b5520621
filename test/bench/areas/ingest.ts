import type { TradeRecord } from '@booktape/market'
import { invariant, readDecimal } from '@booktape/market'
import type { Client } from 'pg'
import { copyIn } from '../copy.ts'
import { type Area, atLeast, figureOf, type Metric, milliseconds, OURS, roundRobin } from '../measure.ts'
import { CHANGE_TABLE, changeRows, storePlainChanges } from '../plain-changes.ts'
import type { BenchDatabase, BenchServer } from '../server.ts'
import { START_NS } from '../session-driver.ts'
import { openStore, type Recorded, recordsOf } from '../stored-work.ts'
import { WorkDice } from '../work-dice.ts'
import { makeWorkload, type Workload } from '../workload.ts'

/** Rows of one statement: as many as booktape's own batches have. */
const BATCH = 5_000
const FRAME_NS = 10_000_000n

/** A way to store rows: what it needs first, the timed part, and a query whose one value says what is stored. */
type Way = Readonly<{
  name: string
  note: string
  prepare(database: BenchDatabase): Promise<() => Promise<void>>
  close?(): Promise<void>
  checksum: string
}>

/** Into Postgres, with its writes synced: trades exactly once, and level changes. */
export const ingest: Area = {
  name: 'ingest',
  run: async ({ isSmoke, rounds, seed, server }) => {
    const trades = makeTrades(isSmoke ? 200 : 100_000, seed)
    const work = makeWorkload({ levelsPerSide: isSmoke ? 50 : 1_000, frames: isSmoke ? 30 : 20_000, seed })
    const ofTrades = await measureWays(
      'trades, exactly once',
      'rows a second',
      trades.length,
      tradeWays(trades),
      rounds,
      await server(),
    )
    const ofChanges = await measureWays(
      'level changes',
      'changes a second',
      work.changes,
      changeWays(work),
      rounds,
      await server(),
    )
    return {
      area: 'ingest',
      workload: `${trades.length} trades; ${work.changes} changes in ${work.frames.length} messages; batches of ${BATCH} records`,
      metrics: [ofTrades, ofChanges],
      goals: [atLeast('trades, exactly once', figureOf(ofTrades, OURS), 200_000, 'rows a second')],
    }
  },
}

async function measureWays(
  name: string,
  unit: string,
  rows: number,
  ways: readonly Way[],
  rounds: number,
  server: BenchServer,
): Promise<Metric> {
  const checksums = new Map<Way, string>()
  const samples = await roundRobin(ways, rounds, async (way) => {
    const database = await server.freshDatabase()
    try {
      const work = await way.prepare(database)
      const took = await milliseconds(work)
      const found = await database.client.query<{ checksum: string }>(way.checksum)
      const checksum = found.rows[0]?.checksum ?? 'none'
      const known = checksums.get(way)
      checksums.set(way, known === undefined || known === checksum ? checksum : 'not always the same')
      return rows / (took / 1e3)
    } finally {
      await way.close?.()
      await database.close()
    }
  })
  // Each way stored the same rows as every other: they were told apart by nothing else.
  const expected = checksums.get(ways[ways.length - 1] as Way)
  return {
    name,
    unit,
    better: 'more',
    measured: [...samples].map(([way, figures]) => ({
      contestant: way.name,
      samples: figures,
      correct: checksums.get(way) === expected,
      note: way.note,
    })),
  }
}

function makeTrades(count: number, seed: number): TradeRecord[] {
  const dice = new WorkDice(seed, 'trades of the benchmarks')
  const decimal = (scaled: number, digits: number) => {
    const value = readDecimal((scaled / 10 ** digits).toFixed(digits))
    invariant(value !== null, 'a trade of the workload has plain digits')
    return value
  }
  return Array.from({ length: count }, (_, i): TradeRecord => {
    const atNs = START_NS + BigInt(i) * 1_000_000n
    return {
      kind: 'trade',
      symbol: 'btcusd',
      tradeId: 2_840_000_000_000_000n + BigInt(i),
      eventTimeNs: atNs,
      receivedTimeNs: atNs + 5_000_000n,
      price: decimal(8_350_000 + dice.between(-5_000, 5_000), 2),
      quantity: decimal(dice.between(1, 100_000_000), 8),
      takerSide: dice.chance(0.5) ? 'buy' : 'sell',
      source: 'ws',
      broken: false,
    }
  })
}

const TRADE_COLUMNS = 'symbol, trade_id, event_time_ns, received_time_ns, price, quantity, taker_side'
const TRADE_TABLE = `create table public.trades (symbol text, trade_id bigint, event_time_ns bigint, received_time_ns bigint,
  price numeric, quantity numeric, taker_side text`
const tradeChecksum = (table: string): string =>
  `select count(*) || ' ' || md5(string_agg(concat_ws(' ', trade_id, event_time_ns, trim_scale(price), trim_scale(quantity), taker_side), ','
    order by trade_id)) as checksum from ${table}`

function tradeWays(trades: readonly TradeRecord[]): Way[] {
  const fields = (trade: TradeRecord): string[] => [
    trade.symbol,
    String(trade.tradeId),
    String(trade.eventTimeNs),
    String(trade.receivedTimeNs),
    trade.price,
    trade.quantity,
    trade.takerSide,
  ]
  const inBatches = async (store: (batch: readonly string[][]) => Promise<void>): Promise<void> => {
    for (let from = 0; from < trades.length; from += BATCH) await store(trades.slice(from, from + BATCH).map(fields))
  }
  const lines = (batch: readonly string[][]): string[] => batch.map((row) => row.join('\t'))
  const keyed = `${TRADE_TABLE}, primary key (symbol, trade_id))`
  return [
    ourWay(
      () => trades.map((trade): Recorded => ({ records: [trade], atNs: trade.receivedTimeNs })),
      'market.trades',
      tradeChecksum,
    ),
    {
      name: 'COPY to a stage, then INSERT',
      note: 'exactly once, no position kept',
      prepare: async ({ client }) => {
        await client.query(keyed)
        await client.query('create temporary table stage (like public.trades)')
        return () =>
          inBatches(async (batch) => {
            await client.query('begin')
            await copyIn(client, `copy stage (${TRADE_COLUMNS}) from stdin`, lines(batch))
            await client.query('insert into public.trades select * from stage on conflict do nothing')
            await client.query('truncate stage')
            await client.query('commit')
          })
      },
      checksum: tradeChecksum('public.trades'),
    },
    {
      name: 'UNNEST',
      note: 'exactly once, no position kept',
      prepare: async ({ client }) => {
        await client.query(keyed)
        const insert = `insert into public.trades select * from
          unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::numeric[], $6::numeric[], $7::text[]) on conflict do nothing`
        return () => inBatches(async (batch) => void (await client.query(insert, columnsOf(batch))))
      },
      checksum: tradeChecksum('public.trades'),
    },
    {
      name: 'COPY',
      note: 'the floor: no key, twice is twice',
      prepare: async ({ client }) => {
        await client.query(`${TRADE_TABLE})`)
        return () =>
          inBatches((batch) => copyIn(client, `copy public.trades (${TRADE_COLUMNS}) from stdin`, lines(batch)))
      },
      checksum: tradeChecksum('public.trades'),
    },
  ]
}

const columnsOf = (rows: readonly string[][]): string[][] =>
  (rows[0] ?? []).map((_, i) => rows.map((row) => row[i] ?? ''))

const changeChecksum = (table: string): string =>
  `select count(*) || ' ' || md5(string_agg(concat_ws(' ', update_id, side, trim_scale(price), trim_scale(quantity)), ','
    order by update_id, side, price)) as checksum from ${table}`

function changeWays(work: Workload): Way[] {
  const recorded = [...recordsOf(work, FRAME_NS)]
  const rows = changeRows(
    work,
    recorded.slice(1).map(({ atNs }) => atNs),
  )
  const inBatches = async (store: (batch: readonly string[][]) => Promise<void>): Promise<void> => {
    for (let from = 0; from < rows.length; from += BATCH) await store(rows.slice(from, from + BATCH))
  }
  const index = async (client: Client): Promise<void> => {
    await client.query(CHANGE_TABLE)
    await client.query('create index on public.changes (received_time)')
  }
  return [
    ourWay(
      () => recorded.map(({ records, atNs }) => ({ records: records.filter(isKept), atNs })),
      'market.book_changes where not is_snapshot',
      changeChecksum,
    ),
    {
      name: 'UNNEST, a row a change',
      note: 'one index, no position kept',
      prepare: async ({ client }) => {
        await index(client)
        const insert =
          'insert into public.changes select * from unnest($1::timestamptz[], $2::bigint[], $3::text[], $4::numeric[], $5::numeric[])'
        return () => inBatches(async (batch) => void (await client.query(insert, columnsOf(batch))))
      },
      checksum: changeChecksum('public.changes'),
    },
    {
      name: 'COPY, a row a change',
      note: 'the floor: no index',
      prepare: async ({ client }) => {
        await client.query(CHANGE_TABLE)
        return () => inBatches((batch) => storePlainChanges(client, batch))
      },
      checksum: changeChecksum('public.changes'),
    },
  ]
}

/** Whole books by the minute are what storage and book_at measure. */
const isKept = (record: Recorded['records'][number]): boolean =>
  record.kind !== 'book_snapshot' || record.reason === 'initial'

function ourWay(make: () => readonly Recorded[], relation: string, checksum: (table: string) => string): Way {
  const recorded = make()
  let close = async (): Promise<void> => undefined
  return {
    name: OURS,
    note: 'exactly once, with the journal\u2019s position',
    prepare: async (database) => {
      const store = await openStore(database)
      close = () => store.close()
      return () => store.write(recorded)
    },
    close: () => close(),
    checksum: checksum(relation),
  }
}
