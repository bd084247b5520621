import { advance, newCorridorState } from '@booktape/session'
import { booktape } from '../booktape-book.ts'
import { type Area, atMost, figureOf, OURS, processorNs, roundRobin } from '../measure.ts'
import { ccxt, sortedBtree, tardis } from '../peer-books.ts'
import { SessionDriver } from '../session-driver.ts'
import { digestOf, makeWorkload, snapshotText } from '../workload.ts'

/** Resyncs a sample: enough for the clock, few enough to stay warm and short. */
const REPEATS = 20

/** From a snapshot frame's bytes to a live book of 5,000 levels. */
export const resync: Area = {
  name: 'resync',
  run: async ({ isSmoke, rounds, seed }) => {
    const levelsPerSide = isSmoke ? 100 : 2_500
    const work = makeWorkload({ levelsPerSide, frames: 0, seed })
    const payload = Buffer.from(snapshotText(work))
    const right = new Map<string, boolean>()
    const note = (name: string, isRight: boolean): void => void right.set(name, right.get(name) !== false && isRight)

    const books = [booktape, sortedBtree, tardis, ccxt].map((contestant) => ({
      name: contestant.name === OURS ? 'booktape book alone' : contestant.name,
      sample: (): number => {
        let last = contestant.open(payload)
        const took = processorNs(() => {
          for (let i = 0; i < REPEATS; i++) last = contestant.open(payload)
        })
        note(
          contestant.name === OURS ? 'booktape book alone' : contestant.name,
          digestOf(last.levels()) === work.digest,
        )
        return took
      },
    }))
    const session = {
      name: OURS,
      sample: (): number => {
        let took = 0
        for (let i = 0; i < REPEATS; i++) {
          const driver = new SessionDriver(newCorridorState(), advance, [work.symbol])
          took += processorNs(() => driver.frame(payload))
          note(OURS, digestOf(driver.levels(work.symbol)) === work.digest && driver.isLive(work.symbol))
        }
        return took
      },
    }
    const floor = {
      name: 'JSON.parse',
      sample: (): number =>
        processorNs(() => {
          for (let i = 0; i < REPEATS; i++) JSON.parse(payload.toString())
        }),
    }
    const samples = await roundRobin([session, ...books, floor], rounds, ({ sample }) => sample() / REPEATS / 1e6)
    const metric = {
      name: 'snapshot frame to live book',
      unit: 'ms',
      better: 'less',
      measured: [...samples].map(([{ name }, figures]) => ({
        contestant: name,
        samples: figures,
        correct: right.get(name) ?? null,
        ...(name === OURS ? { note: 'with the session: epoch, stored snapshot, digest' } : {}),
      })),
    } as const
    return {
      area: 'resync',
      workload: `${2 * levelsPerSide} levels, ${Math.round(payload.length / 1024)} KB`,
      metrics: [metric],
      goals: [atMost('snapshot frame to live book', figureOf(metric, OURS), 1.5, 'ms')],
    }
  },
}
