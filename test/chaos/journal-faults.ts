import { spawnSync } from 'node:child_process'
import { appendFileSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Dice } from '../simulation/dice.ts'
import { segmentsOf } from './journal-files.ts'
import { straceOf } from './process-faults.ts'
import type { World } from './world.ts'

/** The disk of the journal refuses a write or a sync. The recorder must end, and go on when started again. */
export async function refuseWrites(world: World, dice: Dice, times: number, error: 'ENOSPC' | 'EIO'): Promise<void> {
  const recorder = world.recorder('a')
  await recorder.stop()
  for (let i = 0; i < times; i++) {
    // Of what a disk has lost by a failed sync nothing is known; of a full one it is the write that fails.
    const call = error === 'EIO' && dice.chance(0.5) ? 'fdatasync' : 'pwrite64'
    recorder.start(straceOf(call, `error=${error}:when=${dice.between(5, 120)}`))
    await endsOf(world, `${call} failed with ${error}`)
    world.count()
  }
  recorder.start()
}

/** The file may grow by some bytes only: the last write takes a part of what it is given, and the next one fails. */
export async function shortenWrites(world: World, dice: Dice, times: number): Promise<void> {
  const recorder = world.recorder('a')
  for (let i = 0; i < times; i++) {
    if (!recorder.isRunning) recorder.start()
    await world.recovered(undefined, false)
    const newest = segmentsOf(world.journalOf('a')).at(-1) ?? ''
    const bytes = statSync(newest).size + dice.between(1, 20_000)
    recorder.expectEnd()
    spawnSync('prlimit', ['--pid', String(recorder.pid), `--fsize=${bytes}`])
    await endsOf(world, `a write was cut short at ${bytes} bytes`)
    world.count()
  }
  recorder.start()
}

async function endsOf(world: World, why: string): Promise<void> {
  const recorder = world.recorder('a')
  const end = await recorder.endsByItself(END_PATIENCE_MS)
  if (end === null) {
    world.violated(`line a lives on after ${why}\n${recorder.log.story()}`)
    await recorder.kill()
  } else if (end.code !== 1) {
    world.violated(`line a ended with ${end.code ?? end.signal} when ${why}\n${recorder.log.story()}`)
  }
}

const END_PATIENCE_MS = 30_000

/** Syncs that take long: nothing is refused, so nothing may be lost, and nobody ends. */
export async function slowSyncs(world: World, dice: Dice, times: number): Promise<void> {
  const recorder = world.recorder('a')
  await recorder.stop()
  const report = join(tmpdir(), `booktape-chaos-strace-${process.pid}`)
  const delayMs = dice.between(200, 1_500)
  const first = dice.between(10, 60)
  recorder.start(straceOf('fdatasync', `delay_enter=${delayMs * 1_000}:when=${first}..${first + times - 1}`, report))
  const end = await recorder.endsByItself(times * delayMs + SLOW_START_MS)
  if (end !== null) {
    world.violated(`slow syncs ended line a with ${end.code ?? end.signal}\n${recorder.log.story()}`)
    recorder.start()
    return
  }
  world.count(readFileSync(report, 'latin1').split('(DELAYED)').length - 1)
  await recorder.stop()
  rmSync(report, { force: true })
  recorder.start()
}

const SLOW_START_MS = 3_000

/** What a crash may leave of a write that was under way, and what a disk does to a file in the course of time. */
const DAMAGES = {
  torn: (path: string, dice: Dice) => {
    const bytes = readFileSync(path)
    appendFileSync(path, bytes.subarray(bytes.length - dice.between(1, Math.min(MOST_TORN, bytes.length))))
  },
  zeroed: (path: string, dice: Dice) => appendFileSync(path, new Uint8Array(dice.between(1, MOST_TORN))),
  flipped: (path: string, dice: Dice) => {
    const bytes = readFileSync(path)
    const at = dice.between(0, bytes.length - 1)
    bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << dice.between(0, 7)), at)
    writeFileSync(path, bytes)
  },
} as const

export type Damage = keyof typeof DAMAGES

/** A page of a disk: a write under way reaches it in part. */
const MOST_TORN = 4_096

/** A recorder is killed, its newest segment damaged, and it is started again: what is lost must be told, and nothing else. */
export async function damageJournal(world: World, dice: Dice, times: number, damage: Damage): Promise<void> {
  const recorder = world.recorder('a')
  for (let i = 0; i < times; i++) {
    await recorder.kill()
    const newest = segmentsOf(world.journalOf('a')).at(-1)
    if (newest !== undefined) DAMAGES[damage](newest, dice)
    world.count()
    const sinceNs = world.clock.monoNs()
    recorder.start()
    await world.recovered(sinceNs, false)
  }
}
