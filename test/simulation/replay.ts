import type { MarketRecord } from '@booktape/market'
import { readEntry } from '@booktape/recorder'
import { advance, newCorridorState } from '@booktape/session'
import type { World } from './world.ts'

/** One entry and what follows from it. */
export type Moment = Readonly<{
  journalId: string
  us: number
  wallNs: bigint
  records: readonly MarketRecord[]
  tradesRead: string | null // the symbol of which a page of REST's trades came
}>

/** What the journals' entries lead to, from the first one on and in one go. */
export function replay(world: World): readonly Moment[] {
  const moments: Moment[] = []
  for (const [journalId, entries] of world.accepted) {
    const state = newCorridorState()
    for (const entry of entries) {
      const event = readEntry(entry)
      const records = event === null ? [] : advance(state, event).records
      const tradesRead = event?.kind === 'trades_page' && event.status === 200 ? event.symbol : null
      moments.push({ tradesRead, journalId, us: Number(entry.monoNs / 1000n), wallNs: entry.wallNs, records })
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
    if (isEqual(expected[i], stored[i])) continue
    const [wanted, found] = [print(expected[i]), print(stored[i])]
    world.violate(`G2, G10: of ${expected.length} records, number ${i + 1} should be ${wanted} and is ${found}`)
    return
  }
}

/** Whether two records say the same: plain data, bytes and bigints, and no cycle. */
function isEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (a instanceof Uint8Array || b instanceof Uint8Array) {
    return a instanceof Uint8Array && b instanceof Uint8Array && Buffer.compare(a, b) === 0
  }
  const [left, right] = [Object.entries(a), Object.entries(b)]
  return left.length === right.length && left.every(([key, value]) => isEqual(value, b[key as never]))
}

const print = (record: MarketRecord | undefined): string =>
  JSON.stringify(record, (_, value: unknown) => {
    if (typeof value === 'bigint') return `${value}n`
    return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value
  }) ?? 'nothing'
