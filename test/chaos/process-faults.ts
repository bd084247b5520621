import { spawnSync } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import type { Dice } from '../simulation/dice.ts'
import type { SpawnedRecorder } from './spawned-recorder.ts'
import type { World } from './world.ts'

/**
 * kill -9 at random moments, mostly before the recorder has recovered from the last one: in the middle of reading its journal,
 * of its first contact with the database, of its first books.
 */
export async function killAtRandom(world: World, dice: Dice, times: number): Promise<void> {
  const recorder = world.recorder('a')
  for (let i = 0; i < times; i++) {
    await delay(dice.between(0, 900))
    await recorder.kill()
    world.count()
    const killedNs = world.clock.monoNs()
    recorder.start()
    if (i % WAITED_FOR_EVERY === 0) await world.recovered(killedNs, false)
    else await delay(dice.between(0, 600))
  }
}

/** Of the kills of a round. */
const WAITED_FOR_EVERY = 4

/** System calls that change what a restart will find. Killed there, nothing after the call was done. */
const FATEFUL_CALLS = [
  'fdatasync',
  'fsync',
  'pwrite64',
  'write',
  'writev',
  'rename',
  'unlink',
  'openat',
  'ftruncate',
  'sendto',
]

export const hasPrlimit = (): boolean => spawnSync('prlimit', ['--version']).status === 0
export const hasStrace = (): boolean => spawnSync('strace', ['-V']).status === 0

/** kill -9 at the nth call of a kind, whichever thread makes it; a call that is not made so often is killed by the clock. */
export async function killAtSystemCall(world: World, dice: Dice, times: number): Promise<void> {
  const recorder = world.recorder('a')
  await recorder.stop()
  for (let i = 0; i < times; i++) {
    const call = dice.pick(FATEFUL_CALLS) ?? 'fdatasync'
    const when = Math.round(dice.logBetween(1, 400))
    recorder.start(straceOf(call, `signal=KILL:when=${when}`))
    const end = await recorder.endsByItself(dice.between(1_500, 4_000))
    if (end === null) await recorder.kill()
    world.count()
  }
  recorder.start()
}

/** Arguments of strace that do something to a system call of whatever it runs. */
export function straceOf(call: string, injection: string, report = '/dev/null'): string[] {
  return ['--seccomp-bpf', '-qq', '-o', report, '-e', `trace=${call}`, '-e', `inject=${call}:${injection}`]
}

export async function restart(world: World, dice: Dice, times: number): Promise<void> {
  const recorder = world.recorder('a')
  for (let i = 0; i < times; i++) {
    await delay(dice.between(0, 2_000))
    await recorder.stop()
    world.count()
    const stoppedNs = world.clock.monoNs()
    recorder.start()
    await world.recovered(stoppedNs, false)
  }
}

/** The whole process stands still, as on a host that swaps or is moved; the venue goes on sending. */
export async function freeze(world: World, dice: Dice, times: number): Promise<void> {
  const recorder = world.recorder('a')
  for (let i = 0; i < times; i++) {
    recorder.freeze()
    await delay(dice.logBetween(1_000, 60_000))
    recorder.thaw()
    world.count()
    await world.recovered(undefined, false)
  }
}

/** Two lines, updated one after the other as an operator would: at no moment is a symbol without a live book (G16). */
export async function rollTwoLines(world: World, times: number): Promise<void> {
  await endInTurn(world, times, (recorder) => recorder.stop())
}

/** The same when each in turn is killed. */
export async function killTwoLines(world: World, times: number): Promise<void> {
  await endInTurn(world, times, (recorder) => recorder.kill())
}

async function endInTurn(
  world: World,
  times: number,
  end: (recorder: SpawnedRecorder) => Promise<unknown>,
): Promise<void> {
  const lines = [world.recorder('a'), world.recorder('b')]
  for (const recorder of lines) if (!recorder.isRunning) recorder.start()
  await world.recovered()
  const from = await databaseTime(world)
  for (let i = 0; i < times; i++) {
    for (const recorder of lines) {
      await end(recorder)
      world.count()
      const endedNs = world.clock.monoNs()
      recorder.start()
      await world.recovered(endedNs)
    }
  }
  const to = await databaseTime(world)
  for (const symbol of world.symbols) {
    const spans = await world.postgres.query<{ span: string }>(
      `select state || ' from ' || from_time || ' to ' || to_time as span from market.coverage($1, null, $2, $3) where state <> 'live'`,
      [symbol, from, to],
    )
    for (const { span } of spans) world.violated(`one of two lines was always live, and ${symbol} has ${span}`)
  }
  await world.recorder('b').stop()
}

async function databaseTime(world: World): Promise<string> {
  const [row] = await world.postgres.query<{ now: string }>('select clock_timestamp()::text as now')
  return row?.now ?? ''
}
