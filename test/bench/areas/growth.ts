import { booktape } from '../booktape-book.ts'
import type { Contestant } from '../contestant.ts'
import { type Area, atMost, median, OURS, processorNs, roundRobin } from '../measure.ts'
import { sortedBtree, tardis } from '../peer-books.ts'
import { digestOf, frameText, makeWorkload, snapshotText } from '../workload.ts'

const CONTESTANTS = [booktape, sortedBtree, tardis]
const MANY = 300

/** What a change costs when 300 books are kept instead of one: caches grow no larger. Frames come to the symbols in turn. */
export const growth: Area = {
  name: 'growth',
  run: async ({ isSmoke, rounds, seed }) => {
    const shape = isSmoke ? { levelsPerSide: 50, frames: 10 } : { levelsPerSide: 1_000, frames: 100 }
    const many = isSmoke ? 5 : MANY
    const works = Array.from({ length: many }, (_, i) => {
      const work = makeWorkload({ ...shape, symbol: `s${i}usd`, seed: seed + i })
      const payloads = work.frames.map((frame) => Buffer.from(frameText(work.symbol, frame)))
      return { work, payloads, snapshot: Buffer.from(snapshotText(work)) }
    })
    // One symbol takes as many frames as all of them together, by taking its own again and again.
    const entries = CONTESTANTS.flatMap((contestant) => [1, many].map((symbols) => ({ contestant, symbols })))
    const right = new Map<Contestant, boolean>()
    const samples = await roundRobin(entries, rounds, ({ contestant, symbols }) => {
      const taken = works.slice(0, symbols).map((one) => ({ ...one, tested: contestant.open(one.snapshot) }))
      const repeats = many / symbols
      let changes = 0
      for (const { work } of taken) changes += work.changes * repeats
      const took = processorNs(() => {
        for (let repeat = 0; repeat < repeats; repeat++) {
          for (let i = 0; i < shape.frames; i++) {
            for (const { tested, payloads } of taken) tested.take(payloads[i] as Buffer)
          }
        }
      })
      const isRight = taken.every(({ tested, work }) => digestOf(tested.levels()) === work.digest)
      right.set(contestant, right.get(contestant) !== false && isRight)
      return took / changes
    })
    const measuredAt = (wanted: number) =>
      [...samples]
        .filter(([{ symbols }]) => symbols === wanted)
        .map(([{ contestant }, figures]) => ({
          contestant: contestant.name,
          samples: figures,
          correct: right.get(contestant) ?? false,
        }))
    const factors = CONTESTANTS.map((contestant) => {
      const of = (wanted: number): number[] =>
        [...samples].find(([entry]) => entry.contestant === contestant && entry.symbols === wanted)?.[1] ?? []
      const one = of(1)
      return {
        contestant: contestant.name,
        samples: of(many).map((figure, round) => figure / (one[round] ?? Number.NaN)),
        correct: null,
      }
    })
    const ours = median(factors.find(({ contestant }) => contestant === OURS)?.samples ?? [])
    return {
      area: 'growth',
      workload: `parse and apply, books of ${shape.levelsPerSide} levels a side, ${shape.frames * many} frames`,
      metrics: [
        { name: '1 symbol', unit: 'ns a change', better: 'less', measured: measuredAt(1) },
        { name: `${many} symbols`, unit: 'ns a change', better: 'less', measured: measuredAt(many) },
        { name: `cost at ${many} symbols over cost at 1`, unit: 'times', better: 'less', measured: factors },
      ],
      goals: [atMost(`cost at ${many} symbols over cost at 1`, ours, 1.8, 'times')],
    }
  },
}
