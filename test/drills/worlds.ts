import { migrate, openDatabase, settle } from '@booktape/store'
import { temporaryDatabase } from '@booktape/testkit'
import { runSeed } from '../simulation/run-seed.ts'
import { gapsOfTheWriter, storeWorld } from '../stored-world.ts'
import { verifyAll } from '../whole.ts'
import type { Drill } from './drill.ts'

/** Of each world: the first say what is wrong. */
const MAX_SENTENCES = 3

/**
 * Simulated worlds are judged by oracles that read records; where a disk took back what it had confirmed, those leave where gaps begin and end to
 * the writer. So here each world is written to a real Postgres and verified as any recording is, fresh and settled.
 */
export const worlds: Drill = {
  about:
    'simulated worlds stored in a real Postgres: whole by `booktape verify`, also where a disk took what it had confirmed',
  usual: { seeds: 40, from: 1 },
  async run(numbers, say) {
    const violations: string[] = []
    const sums = { rows: 0n, epochs: 0n, robbed: 0, disclosed: 0 }
    for (let seed = numbers('from'); seed < numbers('from') + numbers('seeds'); seed++) {
      const violate = (what: string): void => void violations.push(`world ${seed}: ${what}`)
      const temporary = await temporaryDatabase()
      await migrate(temporary.url)
      const database = openDatabase(temporary.url, { applicationName: 'booktape drill', max: 2 })
      let wasRobbed = false
      const judged = await runSeed(seed, async (world) => {
        await storeWorld(world, temporary.url)
        wasRobbed = world.robbed.size > 0
        const disclosed = await gapsOfTheWriter(world, database)
        sums.disclosed += disclosed.length
        if (!wasRobbed) for (const gap of disclosed.slice(0, MAX_SENTENCES)) violate(`the recorder left untold: ${gap}`)
      })
      for (const { text } of judged.violations) violate(text)
      const fresh = await verifyAll(temporary.url)
      for (const sentence of fresh.sentences.slice(0, MAX_SENTENCES)) violate(sentence)
      await settle(database, '2100-01-01', new AbortController().signal, { before: '2100-01-01' })
      const settled = await verifyAll(temporary.url)
      for (const sentence of settled.sentences.slice(0, MAX_SENTENCES)) violate(`settled: ${sentence}`)
      if (settled.report.changes !== fresh.report.changes)
        violate(`${fresh.report.changes} changes are ${settled.report.changes} once settled`)
      sums.rows += BigInt(fresh.report.rows)
      sums.epochs += BigInt(fresh.report.epochs)
      if (wasRobbed) sums.robbed++
      await database.close()
      await temporary.close()
    }
    say(
      `${numbers('seeds')} worlds, of ${sums.robbed} a disk took what it had confirmed: ${sums.rows} rows and ${sums.epochs} epochs verified twice`,
    )
    say(`${sums.disclosed} gaps were disclosed by the writer, because the recorder had lost what it knew`)
    return violations
  },
}
