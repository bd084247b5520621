import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { migrate } from '@booktape/store'
import { Client } from 'pg'
import { CrashingPostgres } from '../../chaos/crashing-postgres.ts'
import { type Area, atLeast, atMost, type BenchOptions, type Metric, median, OURS } from '../measure.ts'
import { isPinned, keepOffOwnCore } from '../pinning.ts'
import { complaintOf, isAllCommitted, lastIdsOf, liveEpochs, planOf, startRecorder, until } from '../pipeline-run.ts'
import type { RecorderProcess } from '../recorder-process.ts'
import { startVenue } from '../venue.ts'

const SECONDS = 60
const CHANGES_PER_SECOND = 100_000
/** Memory that grows by more from the first third of the outage to the last is not flat. */
const FLAT_MIB = 64
const SAMPLE_MS = 500

type Figures = Readonly<{
  changesPerSecond: number
  drainTimes: number // as fast as they came
  firstMib: number
  lastMib: number
  peakMib: number
  complaint: string
}>

/** Postgres is away while far more comes than the venue ever sent for so long; then what the journal took is drained. */
export const outage: Area = {
  name: 'outage',
  run: async (options) => {
    const { isSmoke, seed } = options
    const shape = isSmoke
      ? { symbols: 3, levelsPerSide: 50, framesPerCycle: 20, seed }
      : { symbols: 40, levelsPerSide: 1_000, framesPerCycle: 500, seed }
    const one = planOf({ ...shape, cycles: 1 })
    const cycles = isSmoke ? 5 : Math.ceil((SECONDS * CHANGES_PER_SECOND) / one.changes)
    const plan = planOf({ ...shape, cycles })
    const framesPerSecond = isSmoke ? 200 : Math.round(CHANGES_PER_SECOND / (plan.changes / plan.messages))
    const figures = await run(options, plan, framesPerSecond)
    if (figures.complaint !== '') process.stderr.write(`${figures.complaint}\n`)
    const metric = (name: string, unit: string, better: Metric['better'], figure: number): Metric => ({
      name,
      unit,
      better,
      measured: [{ contestant: OURS, samples: [figure], correct: figures.complaint === '' }],
    })
    return {
      area: 'outage',
      workload: `${plan.messages} frames, ${plan.changes} changes, one run; Postgres stopped until all are received${isPinned ? '; the recorder alone on one core' : ''}`,
      metrics: [
        metric('received while Postgres is away', 'changes a second', 'more', figures.changesPerSecond),
        metric('drained, as fast as it came', 'times', 'more', figures.drainTimes),
        metric('memory in the first third', 'MiB', 'less', figures.firstMib),
        metric('memory in the last third', 'MiB', 'less', figures.lastMib),
        metric('peak memory, draining included', 'MiB', 'less', figures.peakMib),
      ],
      goals: [
        atLeast('drained', figures.drainTimes, 20, 'times as fast as it came'),
        atMost('memory grows', figures.lastMib - figures.firstMib, FLAT_MIB, 'MiB'),
      ],
    }
  },
}

async function run(
  { directory, profileDirectory }: BenchOptions,
  plan: ReturnType<typeof planOf>,
  framesPerSecond: number,
): Promise<Figures> {
  const postgres = await CrashingPostgres.start()
  keepOffOwnCore(postgres.pid)
  await migrate(postgres.url)
  const venue = await startVenue(plan.venue)
  const recorder = startRecorder(
    postgres.url,
    join(directory, 'recorder-outage'),
    venue.port,
    { profileDirectory },
    plan.works,
  )
  let client = await connect(postgres.url)
  try {
    await recorder.started()
    await Promise.race([venue.subscribed, recorder.ended])
    await until(recorder, async () => (await liveEpochs(client)).length === plan.works.length)
    await client.end()
    await postgres.crash()

    const memory: number[] = []
    const before = received(await recorder.metrics())
    const startMs = performance.now()
    venue.go(framesPerSecond)
    await until(recorder, async () => {
      await delay(SAMPLE_MS)
      memory.push(recorder.residentMib())
      return received(await recorder.metrics()) - before >= plan.messages
    })
    const awaySeconds = (performance.now() - startMs) / 1e3

    await postgres.restart()
    keepOffOwnCore(postgres.pid)
    client = await connect(postgres.url)
    const backMs = performance.now()
    const lastIds = lastIdsOf(plan.works, plan.venue.cycles)
    await until(recorder, async () => await isAllCommitted(client, lastIds))
    const drainSeconds = (performance.now() - backMs) / 1e3
    const third = Math.max(1, Math.floor(memory.length / 3))
    return {
      changesPerSecond: plan.changes / awaySeconds,
      drainTimes: awaySeconds / drainSeconds,
      firstMib: median(memory.slice(0, third)),
      lastMib: median(memory.slice(-third)),
      peakMib: recorder.peakMib(),
      complaint: await complaintOf(client, plan.works, lastIds, plan.changes),
    }
  } finally {
    await client.end().catch(() => undefined)
    await recorder.stop()
    await venue.stop()
    await postgres.remove()
  }
}

async function connect(url: string): Promise<Client> {
  const client = new Client({ connectionString: url })
  client.on('error', () => undefined) // stopped below it: whoever waits for an answer is told by the answer
  await client.connect()
  return client
}

function received(metrics: Awaited<ReturnType<RecorderProcess['metrics']>>): number {
  const counts = metrics.matchAll(/^booktape_messages_received_total\{[^}]*kind="depth"[^}]*\} (\d+)$/gm)
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0)
}
