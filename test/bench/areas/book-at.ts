import type { Client } from 'pg'
import { type Area, atMost, figureOf, type Metric, milliseconds, OURS, percentile, roundRobin } from '../measure.ts'
import { CHANGE_TABLE, changeRows, storePlainChanges, timeText } from '../plain-changes.ts'
import type { BenchDatabase } from '../server.ts'
import { START_NS } from '../session-driver.ts'
import { digestOfRows, type LevelRow } from '../stored-book.ts'
import { openStore, recordsOf } from '../stored-work.ts'
import { WorkDice } from '../work-dice.ts'
import { makeWorkload, TrueBook, type Workload } from '../workload.ts'

/** btcusd: 5.7 frames a second. */
const FRAME_NS = 175_000_000n
const CHECKED_INSTANTS = 8
const DEPTH = 10

/** A book of the past: what one question costs, and whether it costs more in a longer recording. */
export const bookAt: Area = {
  name: 'book-at',
  run: async ({ isSmoke, rounds, seed, server }) => {
    const frames = isSmoke ? 60 : 20_000
    const work = makeWorkload({ levelsPerSide: isSmoke ? 50 : 10_000, frames, seed })
    const questions = isSmoke ? 5 : 40
    const database = await (await server()).freshDatabase()
    try {
      const store = await openStore(database)
      const recorded = [...recordsOf(work, FRAME_NS)]
      const early = Math.floor(frames / 6)
      await store.write(recorded.slice(0, early + 1))
      const short = await ask(database.client, WAYS.slice(0, 2), recorded.slice(1, early + 1), questions, rounds, seed)
      await store.write(recorded.slice(early + 1))
      await storePlain(database, work, recorded.slice(1))
      const whole = await ask(database.client, WAYS, recorded.slice(1), questions, rounds, seed)
      const right = await checkBooks(database.client, work, recorded.slice(1))
      await store.close()
      const minutes = (count: number): number => Math.round((count * Number(FRAME_NS)) / 60e9)
      const metricOf = (share: number, found: typeof whole, frameCount: number): Metric => ({
        name: `p${share * 100} in ${minutes(frameCount)} minutes of recording`,
        unit: 'ms',
        better: 'less',
        measured: [...found].map(([way, taken]) => ({
          contestant: way.name,
          samples: taken.map((round) => percentile(round, share)),
          correct: right.get(way.name) ?? null,
          note: way.note,
        })),
      })
      const shortP50 = metricOf(0.5, short, early)
      const p50 = metricOf(0.5, whole, frames)
      const p99 = metricOf(0.99, whole, frames)
      return {
        area: 'book-at',
        workload: `${2 * work.opening.bids.length} levels, a snapshot a minute, 5.7 messages a second; ${questions} random instants a round`,
        metrics: [shortP50, metricOf(0.99, short, early), p50, p99],
        goals: [
          atMost(`${OURS}, p50`, figureOf(p50, OURS), 10, 'ms'),
          atMost(`${OURS}, p99`, figureOf(p99, OURS), 60, 'ms'),
          atMost(`${WHOLE}, p50`, figureOf(p50, WHOLE), 10, 'ms'),
          atMost(`${WHOLE}, p99`, figureOf(p99, WHOLE), 60, 'ms'),
          atMost(
            'p50 in six times the recording over p50 before',
            figureOf(p50, OURS) / figureOf(shortP50, OURS),
            1.25,
            'times',
          ),
        ],
      }
    } finally {
      await database.close()
    }
  },
}

const WHOLE = 'booktape, every level'

/** `sql` is timed; `levels` gives the whole book, best level first. */
type Way = Readonly<{ name: string; note: string; sql: string; levels: string }>

const OUR_LEVELS = `select side, price::text as price, quantity::text as quantity
  from market.book_at('btcusd', $1::timestamptz, null, 'ws') order by side, level`

const LATEST = `select distinct on (side, price) side, price, quantity from public.changes
  where received_time <= $1::timestamptz order by side, price, received_time desc, update_id desc`

const WAYS: readonly Way[] = [
  {
    name: OURS,
    note: `the best ${DEPTH} levels a side`,
    sql: `select * from market.book_at('btcusd', $1::timestamptz, ${DEPTH}, 'ws')`,
    levels: OUR_LEVELS,
  },
  {
    name: WHOLE,
    note: 'counted in the server: sending them is the same for all',
    sql: `select count(*) from market.book_at('btcusd', $1::timestamptz, null, 'ws')`,
    levels: OUR_LEVELS,
  },
  {
    name: 'SQL over a row a change',
    note: 'every level, counted in the server, from the beginning on',
    sql: `select count(*) from (${LATEST}) latest where quantity > 0`,
    levels: `select side, price::text as price, quantity::text as quantity from (${LATEST}) latest
      where quantity > 0 order by side, case side when 'bid' then -price else price end`,
  },
]

type Instants = readonly Readonly<{ atNs: bigint }>[]

async function ask(
  client: Client,
  ways: readonly Way[],
  instants: Instants,
  questions: number,
  rounds: number,
  seed: number,
): Promise<ReadonlyMap<Way, readonly number[][]>> {
  const taken = new Map<Way, number[][]>(ways.map((way) => [way, []]))
  await roundRobin(ways, rounds, async (way, round) => {
    const dice = new WorkDice(seed, `questions of round ${round}`)
    const took: number[] = []
    for (let i = 0; i < questions; i++) {
      const at = timeText(dice.pick(instants)?.atNs ?? START_NS)
      took.push(await milliseconds(async () => void (await client.query(way.sql, [at]))))
    }
    if (round > 0) taken.get(way)?.push(took)
    return 0
  })
  return taken
}

/** The same recording, one row a change, the opening book first. */
async function storePlain({ client }: BenchDatabase, work: Workload, instants: Instants): Promise<void> {
  await client.query(CHANGE_TABLE)
  await client.query('create index on public.changes (received_time)')
  const opening = (['bids', 'asks'] as const).flatMap((side) =>
    work.opening[side].map(([price, quantity]) => [timeText(START_NS), '0', side.slice(0, 3), price, quantity]),
  )
  const rows = [
    ...opening,
    ...changeRows(
      work,
      instants.map(({ atNs }) => atNs),
    ),
  ]
  await storePlainChanges(client, rows)
  await client.query('analyze public.changes')
}

/** Whole books at some instants, level by level, against the plainest book there is. */
async function checkBooks(client: Client, work: Workload, instants: Instants): Promise<ReadonlyMap<string, boolean>> {
  const truth = new TrueBook(work)
  const every = Math.max(1, Math.floor(work.frames.length / CHECKED_INSTANTS))
  const right = new Map(WAYS.map(({ name }) => [name, true]))
  for (const [i, frame] of work.frames.entries()) {
    truth.apply(frame)
    if (i % every !== every - 1) continue
    const at = timeText(instants[i]?.atNs ?? START_NS)
    for (const { name, levels } of WAYS) {
      const { rows } = await client.query<LevelRow>(levels, [at])
      if (digestOfRows(rows) !== truth.digest()) right.set(name, false)
    }
  }
  return right
}
