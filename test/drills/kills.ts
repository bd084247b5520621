import { hash } from 'node:crypto'
import { copyFile, link, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Entry } from '@booktape/journal'
import { segmentsOf } from '../chaos/journal-files.ts'
import { judge } from '../chaos/oracle.ts'
import { World } from '../chaos/world.ts'
import { Dice } from '../simulation/dice.ts'
import { type Drill, mebibytes, percentile, seconds } from './drill.ts'
import { compareWithJournal, openEnded } from './journal-ledger.ts'

/**
 * kill -9 under load, again and again. Each time what the journal then had on disk is remembered: it is there in the end, and in
 * the database once. Then everything stored is held against what the exchange truly did.
 */
export const kills: Drill = {
  about: 'kill -9 under load: nothing lost that had been synced, nothing twice',
  usual: { times: 300, seed: 1, rate: 4, samples: 200 },
  async run(numbers, say) {
    const seed = numbers('seed')
    const world = await World.start({ seed, symbols: SYMBOLS, rate: numbers('rate') })
    try {
      world.scenario = 'kills'
      const times = numbers('times')
      const witnesses = await killAgainAndAgain(world, new Dice(seed, 'kills'), times, say)
      await world.recovered()
      const { epochs, gaps, changes, trades, books } = await judge(world, numbers('samples'))
      const ledger = await compareWithJournal(world.postgres, LINE, world.journalOf(LINE))
      const faults = [...ledger.faults, ...(await findForgotten(world.journalOf(LINE), witnesses))]
      for (const fault of faults) world.violated(fault)
      const recoveries = world.recoveries.map(({ wsMs }) => wsMs)
      say(`${times} kills; ${ledger.entries} journal entries, none of those on disk at a kill missing or changed`)
      say(`${ledger.changes} changes and ${ledger.quotes} quotes of the journal are in the database, each once`)
      say(
        `${epochs} epochs, ${gaps} gaps, ${changes} v1 changes, ${trades} trades, ${books} books held against the truth`,
      )
      say(
        `recovery of the new API's books over ${recoveries.length} kills that were waited for: ` +
          `p50 ${seconds(percentile(recoveries, 0.5))}, p99 ${seconds(percentile(recoveries, 0.99))}, worst ${seconds(percentile(recoveries, 1))}; ` +
          `memory at most ${mebibytes(world.recorder(LINE).peakMemoryBytes)}`,
      )
      return world.violations
    } finally {
      await world.close()
    }
  },
}

const LINE = 'a'
const SYMBOLS = ['btcusd', 'ethusd', 'xrpusd', 'btcgusdperp', 'ethgusdperp', 'solgusdperp']
/** The others are killed again before they have recovered. */
const WAITED_FOR_EVERY = 3
const REPORT_EVERY = 25

/** What a journal ended with when its recorder was killed. */
type Witness = Readonly<{ position: number; digest: string }>

async function killAgainAndAgain(
  world: World,
  dice: Dice,
  times: number,
  say: (sentence: string) => void,
): Promise<readonly Witness[]> {
  const recorder = world.recorder(LINE)
  const witnesses: Witness[] = []
  recorder.start()
  await world.recovered()
  for (let i = 1; i <= times; i++) {
    await delay(dice.logBetween(20, 1_500))
    await recorder.kill()
    world.count()
    const killedNs = world.clock.monoNs()
    const witness = await look(world.journalOf(LINE))
    if (witness !== null) witnesses.push(witness)
    recorder.start()
    if (i % WAITED_FOR_EVERY === 0) await world.recovered(killedNs)
    if (i % REPORT_EVERY === 0) say(`${i} kills, the journal at entry ${witness?.position ?? 0}`)
  }
  return witnesses
}

/** Opens a copy, since opening mends: the torn end is the next start's to find. Null while there is no entry. */
async function look(directory: string): Promise<Witness | null> {
  const copy = await mkdtemp(join(tmpdir(), 'booktape-drill-journal-'))
  try {
    const segments = segmentsOf(directory)
    for (const segment of segments.slice(0, -1)) await link(segment, join(copy, basename(segment)))
    // Only the newest segment is mended; the others may be the very same files.
    for (const segment of segments.slice(-1)) await copyFile(segment, join(copy, basename(segment)))
    const journal = await openEnded(copy)
    try {
      const { lastPosition } = journal.recovery
      if (lastPosition === 0) return null
      for await (const entries of journal.read(lastPosition, lastPosition)) {
        const [last] = entries
        if (last !== undefined) return { position: lastPosition, digest: digestOf(last) }
      }
      return null
    } finally {
      await journal.close()
    }
  } finally {
    await rm(copy, { recursive: true, force: true })
  }
}

async function findForgotten(directory: string, witnesses: readonly Witness[]): Promise<string[]> {
  const expected = new Map(witnesses.map(({ position, digest }) => [position, digest]))
  const journal = await openEnded(directory)
  try {
    for await (const entries of journal.read(1, journal.recovery.lastPosition)) {
      for (const entry of entries) {
        if (expected.get(entry.position) === digestOf(entry)) expected.delete(entry.position)
      }
    }
  } finally {
    await journal.close()
  }
  return [...expected.keys()].map((position) => `entry ${position} was in the journal at a kill and is not any more`)
}

function digestOf({ kind, wallNs, monoNs, connection, messageSeq, payload }: Entry): string {
  return hash(
    'sha256',
    Buffer.concat([Buffer.from(`${kind} ${wallNs} ${monoNs} ${connection} ${messageSeq} `), payload]),
  )
}
