import { readUpdate } from '../booktape-book.ts'
import { isExact } from '../exactness.ts'
import { type Area, fasterThan, processorNs, roundRobin } from '../measure.ts'
import { digestOf, frameText, makeWorkload, snapshotText } from '../workload.ts'
import { CONTESTANTS } from './book.ts'

/** From a frame's bytes to the book. The floor reads the JSON and throws it away. */
export const parse: Area = {
  name: 'parse',
  run: async ({ isSmoke, rounds, seed }) => {
    const shape = isSmoke ? { levelsPerSide: 200, frames: 50 } : { levelsPerSide: 3_000, frames: 20_000 }
    const work = makeWorkload({ ...shape, seed })
    const snapshot = Buffer.from(snapshotText(work))
    const payloads = work.frames.map((frame) => Buffer.from(frameText(work.symbol, frame)))
    const bytes = payloads.reduce((sum, payload) => sum + payload.length, 0)
    const right = new Map<string, boolean>()
    const decoder = new TextDecoder()
    const withBook = CONTESTANTS.map((contestant) => ({
      name: contestant.name,
      note: isExact(contestant) ? 'exact' : 'JSON.parse, floats',
      take: (): number => {
        const tested = contestant.open(snapshot)
        const took = processorNs(() => {
          for (const payload of payloads) tested.take(payload)
        })
        right.set(contestant.name, right.get(contestant.name) !== false && digestOf(tested.levels()) === work.digest)
        return took
      },
    }))
    const withoutBook = [
      { name: 'JSON.parse', read: (payload: Uint8Array): unknown => JSON.parse(decoder.decode(payload)) },
      { name: 'booktape decode', read: readUpdate },
    ].map(({ name, read }) => ({
      name,
      note: 'no book',
      take: (): number =>
        processorNs(() => {
          for (const payload of payloads) read(payload)
        }),
    }))
    const samples = await roundRobin([...withBook, ...withoutBook], rounds, ({ take }) => take() / work.changes)
    const metric = {
      name: 'parse and apply',
      unit: 'ns a change',
      better: 'less',
      measured: [...samples].map(([{ name, note }, figures]) => ({
        contestant: name,
        samples: figures,
        correct: right.get(name) ?? null,
        note,
      })),
    } as const
    return {
      area: 'parse',
      workload: `${shape.levelsPerSide} levels a side, ${payloads.length} frames of ${Math.round(bytes / payloads.length)} bytes and ${(work.changes / payloads.length).toFixed(1)} changes`,
      metrics: [metric],
      goals: [fasterThan(metric, 'tardis-dev', 4.5), fasterThan(metric, 'JSON.parse', 1)],
    }
  },
}
