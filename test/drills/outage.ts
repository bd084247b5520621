import { type Drill, mebibytes, percentile, seconds } from './drill.ts'
import { OutageScene, rateBetween, shares } from './outage-scene.ts'

/**
 * Postgres is away while a busy market goes on: memory stays flat, and what the journal has gathered is drained while
 * recording goes on. The exchange has a processor of its own; the recorder and Postgres share another.
 */
export const outage: Drill = {
  about: 'Postgres away while the market is busy: nothing lost, flat memory, and how fast it is caught up',
  usual: { 'warmup-s': 30, 'away-s': 600, 'changes-per-s': 10_000, seed: 1, 'patience-s': 1_800, 'goal-factor': 20 },
  async run(numbers, say) {
    const scene = await OutageScene.start(
      numbers('seed'),
      Math.round((100 * numbers('changes-per-s')) / USUAL_CHANGES_PER_S) / 100,
    )
    try {
      return await play(scene, numbers, say)
    } finally {
      await scene.close()
    }
  },
}

/** What all presets of the exchange change a second at rate 1. */
const USUAL_CHANGES_PER_S = 395
/** Entries that are under way at any moment of a recorder that keeps up: half a second of them. */
const LEVEL_SHARE_OF_SECOND = 0.5
const MAX_MEMORY_BYTES = 512 * 2 ** 20
/** Memory that grows by more than this from the first to the last third of the outage is not flat. */
const FLAT_BYTES = 64 * 2 ** 20

async function play(
  scene: OutageScene,
  numbers: (name: string) => number,
  say: (sentence: string) => void,
): Promise<readonly string[]> {
  const violations: string[] = []
  const { recorder, postgres } = scene
  const begun = await scene.sample()
  await scene.watch(numbers('warmup-s') * 1_000, say)
  const before = await scene.sample()
  const inflow = rateBetween(begun, before)
  say(
    `at the live edge: ${inflow.entries} entries and ${inflow.changes} level changes applied a second, of both feeds together`,
  )

  await postgres.crash()
  const awayFrom = await scene.sample()
  const away = await scene.watch(numbers('away-s') * 1_000, say)
  const atReturn = await scene.sample()
  await scene.startPostgres()
  const drained = await scene.watch(numbers('patience-s') * 1_000, say, (sample) => {
    return sample.backlog <= Math.max(500, inflow.entries * LEVEL_SHARE_OF_SECOND)
  })
  const level = await scene.sample()
  const inflowAway = rateBetween(awayFrom, atReturn)
  const awayMs = atReturn.atMs - awayFrom.atMs
  const drainMs = level.atMs - atReturn.atMs
  const third = Math.max(1, Math.floor(away.length / 3))
  const [early, late] = [away.slice(0, third), away.slice(-third)].map((part) =>
    percentile(
      part.map(({ memory }) => memory),
      0.5,
    ),
  )
  const growth = (late ?? 0) - (early ?? 0)
  say(`Postgres was away for ${seconds(awayMs)}; ${inflowAway.changes} changes a second went on into the journal`)
  say(`the backlog at its return: ${atReturn.backlog} entries`)
  say(
    `memory while it was away: median of the first third ${mebibytes(early ?? 0)}, of the last ${mebibytes(late ?? 0)}; ` +
      `peak of the whole run ${mebibytes(recorder.peakMemoryBytes)}`,
  )
  const factor = (awayMs + drainMs) / drainMs
  say(
    `drained in ${seconds(drainMs)}: ${factor.toFixed(1)} times as fast as the market, ` +
      `${Math.round((level.written - atReturn.written) / (drainMs / 1_000))} entries a second`,
  )
  say(`while draining: ${shares(atReturn, level)}`)
  if (growth > FLAT_BYTES) violations.push(`memory grew by ${mebibytes(growth)} while Postgres was away`)
  if (drained.length === 0 || level.backlog > Math.max(500, inflow.entries * LEVEL_SHARE_OF_SECOND))
    violations.push(`not caught up after ${numbers('patience-s')} s: ${level.backlog} entries wait`)
  if (factor < numbers('goal-factor'))
    violations.push(`drained at ${factor.toFixed(1)} times real time, the goal is ${numbers('goal-factor')}`)

  await recorder.stop()
  if (recorder.peakMemoryBytes > MAX_MEMORY_BYTES) violations.push(`${mebibytes(recorder.peakMemoryBytes)} of memory`)
  violations.push(...recorder.unasked, ...recorder.log.bugs, ...(await scene.findLost(say)))
  return violations
}
