import type { MarketRecord } from '@booktape/market'
import { readEntry } from '@booktape/recorder'
import { advance, newCorridorState } from '@booktape/session'
import type { World } from './world.ts'

/** One entry and what follows from it. */
export type Moment = Readonly<{ us: number; wallNs: bigint; records: readonly MarketRecord[] }>

/** What the journals' entries lead to, from the first one on and in one go. */
export function replay(world: World): readonly Moment[] {
  const moments: Moment[] = []
  for (const entries of world.accepted.values()) {
    const state = newCorridorState()
    for (const entry of entries) {
      const event = readEntry(entry)
      const records = event === null ? [] : advance(state, event).records
      moments.push({ us: Number(entry.monoNs / 1000n), wallNs: entry.wallNs, records })
    }
  }
  return moments
}

/**
 * The same entries give the same records, whatever batches, checkpoints, restarts and second tries lay between (G2, G8, G10):
 * the database holds exactly what one replay in one go gives, in the same order.
 */
export function checkReplay(world: World, moments: readonly Moment[]): void {
  const { database } = world
  // What a disk took from the journal is in a gap: of that the other oracles know.
  if (world.robbed.size > 0) return
  for (const twice of database.rows.twice.slice(0, 3)) world.violate(`G2: stored twice: ${twice}`)
  const expected = moments.flatMap(({ records }) => records)
  const stored = database.records()
  for (let i = 0; i < Math.max(expected.length, stored.length); i++) {
    const [wanted, found] = [print(expected[i]), print(stored[i])]
    if (wanted === found) continue
    world.violate(`G2, G10: of ${expected.length} records, number ${i + 1} should be ${wanted} and is ${found}`)
    return
  }
}

const print = (record: MarketRecord | undefined): string =>
  JSON.stringify(record, (_, value: unknown) => {
    if (typeof value === 'bigint') return `${value}n`
    return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value
  }) ?? 'nothing'
