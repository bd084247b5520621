import { zstdCompressSync } from 'node:zlib'
import { invariant } from '@booktape/market'
import { openDatabase, settle } from '@booktape/store'
import { type Area, atMost, figureOf, type Metric, OURS, roundRobin } from '../measure.ts'
import { CHANGE_TABLE, changeRows, storePlainChanges } from '../plain-changes.ts'
import type { BenchDatabase, BenchServer } from '../server.ts'
import { START_NS } from '../session-driver.ts'
import { openStore, recordsOf } from '../stored-work.ts'
import { frameText, makeWorkload, type Workload } from '../workload.ts'

/** btcusd: 5.7 frames a second. */
const FRAME_NS = 175_000_000n
const ARCHIVE_FRAMES = 57 // ten seconds

/** Bytes on disk for a level change, indexes included: how much a database grows by a recording. */
export const storage: Area = {
  name: 'storage',
  run: async ({ isSmoke, rounds, seed, server }) => {
    const work = makeWorkload({ levelsPerSide: isSmoke ? 50 : 3_000, frames: isSmoke ? 100 : 20_000, seed })
    const metric = await measureSizes(work, rounds, await server())
    return {
      area: 'storage',
      workload: `${work.changes} changes in ${work.frames.length} messages, ${Math.round((work.frames.length * Number(FRAME_NS)) / 60e9)} minutes of a book of ${work.opening.bids.length} levels a side`,
      metrics: [metric],
      goals: [atMost('bytes a change, by the changes alone', figureOf(metric, OURS), 20, 'bytes')],
    }
  },
}

type Way = Readonly<{ name: string; note: string; store(): Promise<Readonly<{ bytes: number; isRight: boolean }>> }>

type Kept = Readonly<{ withBooks: boolean; isSettled: boolean }>

/** As an hour or two later, and after midnight, when the emptied partition goes. */
async function settleAll(url: string): Promise<void> {
  const database = openDatabase(url, { applicationName: 'booktape bench', max: 1 })
  try {
    const nextDay = new Date(Number(START_NS / 1_000_000n) + DAY_MS).toISOString().slice(0, 10)
    const { droppedPartitions } = await settle(database, nextDay, new AbortController().signal, {
      before: `${nextDay}T00:00:00Z`,
    })
    invariant(droppedPartitions > 0, 'a day that is settled leaves no rows')
  } finally {
    await database.close()
  }
}

const DAY_MS = 86_400_000

async function measureSizes(work: Workload, rounds: number, server: BenchServer): Promise<Metric> {
  const recorded = [...recordsOf(work, FRAME_NS)]
  const rows = changeRows(
    work,
    recorded.slice(1).map(({ atNs }) => atNs),
  )
  const ours = (name: string, note: string, { withBooks, isSettled }: Kept): Way => ({
    name,
    note,
    store: () =>
      grown(server, 'market.book_changes where not is_snapshot', work, async (database) => {
        const store = await openStore(database) // makes the day's partitions, before anything is weighed
        const kept = recorded.map(({ records, atNs }) => ({
          records: records.filter(
            (record) => withBooks || record.kind !== 'book_snapshot' || record.reason === 'initial',
          ),
          atNs,
        }))
        return async () => {
          await store.write(kept)
          await store.close()
          if (isSettled) await settleAll(database.url)
        }
      }),
  })
  const plain = (name: string, table: string): Way => ({
    name,
    note: 'one index, by time',
    store: () =>
      grown(server, 'public.changes', work, async ({ client }) => {
        await client.query(table)
        await client.query('create index on public.changes (received_time)')
        return () => storePlainChanges(client, rows)
      }),
  })
  const archive: Way = {
    name: 'raw frames, zstd',
    note: 'a file of ten seconds each, nothing to query',
    store: async () => {
      let bytes = 0
      for (let from = 0; from < work.frames.length; from += ARCHIVE_FRAMES) {
        const frames = work.frames.slice(from, from + ARCHIVE_FRAMES)
        bytes += zstdCompressSync(frames.map((frame) => frameText(work.symbol, frame)).join('\n')).length
      }
      return { bytes, isRight: true }
    },
  }
  const right = new Map<Way, boolean>()
  const ways = [
    ours(OURS, 'settled, readable as market.book_changes', { withBooks: false, isSettled: true }),
    ours('booktape with its books', 'settled, with those that are kept to find a book fast', {
      withBooks: true,
      isSettled: true,
    }),
    ours('booktape, fresh rows', 'of the last hours, until they are settled', { withBooks: false, isSettled: false }),
    plain('a row a change, numeric', CHANGE_TABLE),
    plain('a row a change, float8', CHANGE_TABLE.replaceAll('numeric', 'float8')),
    archive,
  ]
  const samples = await roundRobin(
    ways,
    Math.min(rounds, 2), // sizes do not depend on the machine's mood
    async (way) => {
      const { bytes, isRight } = await way.store()
      right.set(way, right.get(way) !== false && isRight)
      return bytes / work.changes
    },
    0,
  )
  return {
    name: 'size on disk',
    unit: 'bytes a change',
    better: 'less',
    measured: [...samples].map(([way, figures]) => ({
      contestant: way.name,
      samples: figures,
      correct: way === archive ? null : (right.get(way) ?? false),
      note: way.note,
    })),
  }
}

/** How much a database grows by what is stored in it, and whether it is all there. */
async function grown(
  server: BenchServer,
  relation: string,
  work: Workload,
  prepare: (database: BenchDatabase) => Promise<() => Promise<void>>,
): Promise<Readonly<{ bytes: number; isRight: boolean }>> {
  const database = await server.freshDatabase()
  const { client } = database
  const size = async (): Promise<number> => {
    await client.query('checkpoint')
    const { rows } = await client.query<{ bytes: string }>('select pg_database_size(current_database()) as bytes')
    return Number(rows[0]?.bytes)
  }
  try {
    const store = await prepare(database)
    const before = await size()
    await store()
    const bytes = (await size()) - before
    const { rows } = await client.query<{ count: string }>(`select count(*) as count from ${relation}`)
    return { bytes, isRight: Number(rows[0]?.count) === work.changes }
  } finally {
    await database.close()
  }
}
