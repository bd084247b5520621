import { booktape } from '../booktape-book.ts'
import type { Contestant } from '../contestant.ts'
import { isExact } from '../exactness.ts'
import {
  type Area,
  atMost,
  fasterThan,
  figureOf,
  heldBytes,
  type Metric,
  OURS,
  percentile,
  processorNs,
  roundRobin,
} from '../measure.ts'
import { ccxt, sortedBtree, tardis } from '../peer-books.ts'
import { digestOf, makeWorkload, snapshotText, type Workload } from '../workload.ts'

export const CONTESTANTS: readonly Contestant[] = [booktape, sortedBtree, tardis, ccxt]

/** Books held at once, so that the figure is not one book's noise. */
const HELD_BOOKS = 5

/** Book apply: changes already read, 10,000 levels a side, the best prices read after every message. */
export const book: Area = {
  name: 'book',
  run: async ({ isSmoke, rounds, seed }) => {
    const shape = isSmoke ? { levelsPerSide: 200, frames: 50 } : { levelsPerSide: 10_000, frames: 15_000 }
    const work = makeWorkload({ ...shape, seed })
    const speed = await measureSpeed(work, rounds)
    const tail = await measureTail(work, rounds)
    const memory = await measureMemory(work, rounds)
    return {
      area: 'book',
      workload: `${shape.levelsPerSide} levels a side, ${work.frames.length} messages, ${work.changes} changes; best prices read after each message`,
      metrics: [speed, tail, memory],
      goals: [
        fasterThan(speed, 'sorted-btree', 2.6),
        fasterThan(speed, 'tardis-dev', 3.7),
        fasterThan(speed, 'ccxt', 80),
        atMost('p99.9 of a message', figureOf(tail, OURS), 10, '\u00b5s'),
        atMost('bytes a level', figureOf(memory, OURS), 40, 'bytes'),
      ],
    }
  },
}

async function measureSpeed(work: Workload, rounds: number): Promise<Metric> {
  const snapshot = Buffer.from(snapshotText(work))
  const right = new Map<Contestant, boolean>()
  const samples = await roundRobin(CONTESTANTS, rounds, (contestant) => {
    const tested = contestant.open(snapshot)
    const prepared = work.frames.map((frame) => contestant.prepare(frame))
    const took = processorNs(() => {
      for (const message of prepared) tested.apply(message)
    })
    right.set(contestant, right.get(contestant) !== false && digestOf(tested.levels()) === work.digest)
    return took / work.changes
  })
  return {
    name: 'apply',
    unit: 'ns a change',
    better: 'less',
    measured: [...samples].map(([contestant, figures]) => ({
      contestant: contestant.name,
      samples: figures,
      correct: right.get(contestant) ?? false,
      note: isExact(contestant) ? 'exact' : 'floats',
    })),
  }
}

/** Timed message by message, which costs some 50 ns of its own. */
async function measureTail(work: Workload, rounds: number): Promise<Metric> {
  const snapshot = Buffer.from(snapshotText(work))
  const samples = await roundRobin(CONTESTANTS, rounds, (contestant) => {
    const tested = contestant.open(snapshot)
    const prepared = work.frames.map((frame) => contestant.prepare(frame))
    const took = new Float64Array(prepared.length)
    let at = 0
    for (const message of prepared) {
      const start = performance.now()
      tested.apply(message)
      took[at++] = performance.now() - start
    }
    return percentile([...took], 0.999) * 1e3
  })
  return {
    name: 'p99.9 of a message',
    unit: '\u00b5s',
    better: 'less',
    measured: [...samples].map(([{ name }, figures]) => ({ contestant: name, samples: figures, correct: null })),
  }
}

/** Books made from snapshot frames, so that whatever they keep of a frame counts. */
async function measureMemory(work: Workload, rounds: number): Promise<Metric> {
  const samples = await roundRobin(CONTESTANTS, rounds, (contestant) => {
    const snapshot = Buffer.from(snapshotText(work))
    const before = heldBytes()
    const books = Array.from({ length: HELD_BOOKS }, () => contestant.open(snapshot))
    const held = heldBytes() - before
    const levels = (work.opening.bids.length + work.opening.asks.length) * books.length
    return held / levels
  })
  return {
    name: 'memory',
    unit: 'bytes a level',
    better: 'less',
    measured: [...samples].map(([{ name }, figures]) => ({ contestant: name, samples: figures, correct: null })),
  }
}
