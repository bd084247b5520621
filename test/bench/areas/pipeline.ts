import { type Area, atLeast, atMost, fasterThan, figureOf, type Metric, OURS, roundRobin } from '../measure.ts'
import { isPinned } from '../pinning.ts'
import { planOf, type RunFigures, runPeer, runRecorder } from '../pipeline-run.ts'

/** The peer's way, by name. */
export const PEER = 'ws + JSON.parse + tardis-dev + UNNEST'

/** 25,000 changes a second, at 6.6 changes a frame. */
export const PACED_FRAMES_PER_SECOND = 3_800

const RUN_SECONDS = 6
/** Of 20,000 frames each: some 400 MB in the journal. */
const MAX_CYCLES = 60

/** Real sockets, a synced journal, books, and committed rows in a real Postgres; beside it the peer's way, without a log on disk. */
export const pipeline: Area = {
  name: 'pipeline',
  run: async (options) => {
    const { isSmoke, rounds, seed } = options
    const shape = isSmoke
      ? { symbols: 3, levelsPerSide: 50, framesPerCycle: 20, cycles: 2, seed }
      : { symbols: 40, levelsPerSide: 1_000, framesPerCycle: 500, cycles: 5, seed }
    const blast = planOf({ ...shape, cycles: isSmoke ? shape.cycles : await cyclesFor(options, shape) })
    const paced = planOf({ ...shape, cycles: isSmoke ? 1 : 2 })
    const full = await measureRuns(options, blast, null)
    const steady = await measureRuns({ ...options, rounds: isSmoke ? 1 : rounds }, paced, PACED_FRAMES_PER_SECOND)
    const speed = full('messages committed', 'a second', 'more', (run) => run.messagesPerSecond)
    const p50 = steady('receive to commit, p50, at 25,000 changes a second', 'ms', 'less', (run) => run.lagP50Ms)
    const p99 = steady('receive to commit, p99, at 25,000 changes a second', 'ms', 'less', (run) => run.lagP99Ms)
    return {
      area: 'pipeline',
      workload: `${shape.symbols} symbols of ${shape.levelsPerSide} levels a side, ${blast.messages} frames, ${blast.changes} changes${isPinned ? '; the recording process alone on one core' : '; not pinned to a core'}`,
      metrics: [
        speed,
        full('processor time', '\u00b5s a message', 'less', (run) => run.cpuMicroseconds),
        full('share of a core', 'cores', 'less', (run) => run.cpuShare),
        full('peak memory', 'MiB', 'less', (run) => run.residentMib),
        p50,
        p99,
        steady('share of a core at 25,000 changes a second', 'cores', 'less', (run) => run.cpuShare),
      ],
      goals: [
        atLeast('messages committed', figureOf(speed, OURS), 150_000, 'a second'),
        fasterThan(speed, PEER, 2.4),
        atMost('receive to commit, p50', figureOf(p50, OURS), 100, 'ms'),
        atMost('receive to commit, p99', figureOf(p99, OURS), 250, 'ms'),
      ],
    }
  },
}

/** So many that a run lasts some seconds, whatever the machine: one run of ours, not counted, tells. */
async function cyclesFor(options: Parameters<Area['run']>[0], shape: Parameters<typeof planOf>[0]): Promise<number> {
  const probe = planOf(shape)
  const given = { venue: probe.venue, framesPerSecond: null, profileDirectory: null }
  const { messagesPerSecond } = await runRecorder(await options.server(), options.directory, given, probe.works, probe)
  const cycles = Math.ceil((messagesPerSecond * RUN_SECONDS) / (shape.symbols * shape.framesPerCycle))
  return Math.min(Math.max(cycles, shape.cycles), MAX_CYCLES)
}

export async function measureRuns(
  options: Parameters<Area['run']>[0],
  plan: ReturnType<typeof planOf>,
  framesPerSecond: number | null,
  readers?: number,
): Promise<(name: string, unit: string, better: Metric['better'], figure: (run: RunFigures) => number) => Metric> {
  const server = await options.server()
  const runs = new Map<string, RunFigures[]>([
    [OURS, []],
    [PEER, []],
  ])
  const takeRun = async (contestant: string, round: number): Promise<number> => {
    const given = {
      venue: plan.venue,
      framesPerSecond,
      profileDirectory: round === 1 ? options.profileDirectory : null,
      ...(readers === undefined ? {} : { readers }),
    }
    const run =
      contestant === OURS
        ? await runRecorder(server, options.directory, given, plan.works, plan)
        : await runPeer(server, given, plan.works, plan)
    if (run.complaint !== '') process.stderr.write(`${contestant}: ${run.complaint}\n`)
    runs.get(contestant)?.push(run)
    return run.messagesPerSecond
  }
  await roundRobin([OURS, PEER], options.rounds, takeRun, 0) // each run is a new process
  return (name, unit, better, figure) => ({
    name,
    unit,
    better,
    measured: [...runs].map(([contestant, taken]) => ({
      contestant,
      samples: taken.map(figure),
      correct: taken.every(({ correct }) => correct),
      note: contestant === OURS ? 'exact, journal synced' : 'floats, no log on disk',
    })),
  })
}
